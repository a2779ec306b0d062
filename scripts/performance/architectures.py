"""The real architectures, from their published configurations, without any weights.

Built on ``torch.device("meta")`` they cost no memory: the plan's numbers are checked against them.
Built on a device they are full-size models with random weights, which is all a speed needs.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import transformers as hf
from _modern import MODERN
from _published import (
    CLIP_L_336,
    EVA_G,
    FLAN_T5_XL,
    FLAN_T5_XXL,
    LLAMA_31_8B,
    MISTRAL_7B,
    OPT_27B,
    QWEN3_2B,
    QWEN3_4B,
    QWEN3_8B,
    QWEN3_14B,
    QWEN3_32B,
    QWEN25_7B,
    QWEN25_VISION,
    TOWER_300M,
    TOWER_400M,
    VICUNA_7B,
    VICUNA_13B,
)


def llama(**numbers: Any) -> Any:
    """Vicuna and Llama 3.1: what lies in their GGUF files."""
    return hf.LlamaForCausalLM(hf.LlamaConfig(**numbers))


def llava(**text: Any) -> Any:
    """LLaVA-1.5: CLIP ViT-L/14 at 336 pixels, a two-layer projector, Vicuna with 64 more rows."""
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**CLIP_L_336),
        text_config=hf.LlamaConfig(**{**text, "vocab_size": 32_064}),
        image_token_index=32_000,
        image_seq_length=576,
    )
    return hf.LlavaForConditionalGeneration(config)


def llava_next() -> Any:
    """LLaVA-1.6 over Mistral: the tower of LLaVA-1.5, looking at tiles."""
    config = hf.LlavaNextConfig(
        vision_config=hf.CLIPVisionConfig(**CLIP_L_336),
        text_config=hf.MistralConfig(**MISTRAL_7B),
        image_token_index=32_000,
    )
    return hf.LlavaNextForConditionalGeneration(config)


def blip2(text: Any) -> Any:
    """BLIP-2: EVA-CLIP g, a Q-Former of 32 queries, OPT or FLAN-T5."""
    config = hf.Blip2Config(
        vision_config=hf.Blip2VisionConfig(**EVA_G).to_dict(),
        qformer_config=hf.Blip2QFormerConfig(encoder_hidden_size=1408).to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=32,
        image_token_index=text.vocab_size - 1,
    )
    return hf.Blip2ForConditionalGeneration(config)


def qwen25_vl() -> Any:
    """Qwen2.5-VL-7B."""
    text = {
        **QWEN25_7B,
        "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        "tie_word_embeddings": False,
    }
    config = hf.Qwen2_5_VLConfig(
        text_config=text, vision_config=dict(QWEN25_VISION), tie_word_embeddings=False
    )
    return hf.Qwen2_5_VLForConditionalGeneration(config)


def qwen3_vl(vision: Mapping[str, Any], text: Mapping[str, Any]) -> Any:
    """Qwen3-VL: features of three depths of the tower go into the language model's first layers."""
    shared = {"num_hidden_layers": 36, "num_key_value_heads": 8, "head_dim": 128}
    config = hf.Qwen3VLConfig(
        vision_config={"patch_size": 16, "num_heads": 16, **vision},
        text_config={"vocab_size": 151_936, "num_attention_heads": 32, **shared, **text},
        tie_word_embeddings=text.get("tie_word_embeddings", False),
    )
    return hf.Qwen3VLForConditionalGeneration(config)


def smolvlm2() -> Any:
    """SmolVLM2-2.2B: SigLIP So400m at 384 pixels over SmolLM2-1.7B."""
    config = hf.SmolVLMConfig(
        vision_config={
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "image_size": 384,
            "patch_size": 14,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": 49_280,
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_hidden_layers": 24,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
        },
        scale_factor=3,
    )
    return hf.SmolVLMForConditionalGeneration(config)


def qwen3(**text: Any) -> Any:
    """Qwen3 language models: what lies in their GGUF files."""
    shared = {"num_hidden_layers": 36, "num_key_value_heads": 8, "head_dim": 128}
    numbers = {"vocab_size": 151_936, "num_attention_heads": 32, **shared, **text}
    return hf.Qwen3ForCausalLM(hf.Qwen3Config(**numbers))


def internvl(text: Mapping[str, Any]) -> Any:
    """InternVL3.5: a ViT of 300 M at 448 pixels over Qwen3."""
    config = hf.InternVLConfig(
        vision_config={
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "image_size": [448, 448],
            "patch_size": [14, 14],
        },
        text_config={
            "model_type": "qwen3",
            "vocab_size": 151_936,
            "num_attention_heads": 32,
            "num_hidden_layers": 36,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "tie_word_embeddings": False,
            **text,
        },
        tie_word_embeddings=False,
    )
    return hf.InternVLForConditionalGeneration(config)


def llava_onevision() -> Any:
    """LLaVA-OneVision-7B: SigLIP So400m at 384 pixels over Qwen2-7B."""
    config = hf.LlavaOnevisionConfig(
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 26,
            "num_attention_heads": 16,
            "image_size": 384,
            "patch_size": 14,
            "vision_use_head": False,
        },
        text_config={"model_type": "qwen2", **QWEN25_7B, "vocab_size": 152_000},
        tie_word_embeddings=False,
    )
    return hf.LlavaOnevisionForConditionalGeneration(config)


def phi4_mini() -> Any:
    """Phi-4-mini: 24 query heads over 8 of keys, the embedding table shared."""
    return hf.Phi3ForCausalLM(
        hf.Phi3Config(
            vocab_size=200_064,
            hidden_size=3072,
            intermediate_size=8192,
            num_hidden_layers=32,
            num_attention_heads=24,
            num_key_value_heads=8,
            pad_token_id=0,
            tie_word_embeddings=True,
        )
    )


def clip(architecture: str) -> Any:
    """A model of open_clip's own built-in configurations; its factory does not know ``meta``."""
    import open_clip

    numbers = dict(open_clip.get_model_config(architecture))
    kind = open_clip.CustomTextCLIP if numbers.pop("custom_text", False) else open_clip.CLIP
    return kind(**numbers)


BUILDERS: Mapping[str, Callable[[], Any]] = {
    "blip2-opt-2.7b": lambda: blip2(hf.OPTConfig(**OPT_27B)),
    "blip2-flan-t5-xl": lambda: blip2(hf.T5Config(**FLAN_T5_XL)),
    "blip2-flan-t5-xxl": lambda: blip2(hf.T5Config(**FLAN_T5_XXL)),
    "llava-1.5-7b": lambda: llava(**VICUNA_7B),
    "llava-1.5-13b": lambda: llava(**VICUNA_13B),
    "llava-1.6-mistral-7b": llava_next,
    "qwen2.5-vl-7b": qwen25_vl,
    "clip-vit-bigg-14": lambda: clip("ViT-bigG-14"),
    "clip-vit-g-14": lambda: clip("ViT-g-14"),
    "clip-vit-h-14": lambda: clip("ViT-H-14"),
    "clip-vit-b-32": lambda: clip("ViT-B-32"),
    "qwen3-vl-4b": lambda: qwen3_vl({**TOWER_300M, "out_hidden_size": 2560}, QWEN3_4B),
    "qwen3-vl-8b": lambda: qwen3_vl({**TOWER_400M, "out_hidden_size": 4096}, QWEN3_8B),
    "qwen3-vl-32b": lambda: qwen3_vl({**TOWER_400M, "out_hidden_size": 5120}, QWEN3_32B),
    "smolvlm2-2.2b": smolvlm2,
    "internvl3.5-8b": lambda: internvl(QWEN3_8B),
    "internvl3.5-14b": lambda: internvl(QWEN3_14B),
    "llava-onevision-7b": llava_onevision,
    "qwen3-vl-2b-gguf": lambda: qwen3_vl({**TOWER_300M, "out_hidden_size": 2048}, QWEN3_2B),
    "qwen3-vl-4b-gguf": lambda: qwen3_vl({**TOWER_300M, "out_hidden_size": 2560}, QWEN3_4B),
    "qwen3-vl-8b-gguf": lambda: qwen3_vl({**TOWER_400M, "out_hidden_size": 4096}, QWEN3_8B),
    "smolvlm2-2.2b-gguf": smolvlm2,
    "qwen3-4b-instruct-2507": lambda: qwen3(**QWEN3_4B),
    "phi-4-mini-instruct": phi4_mini,
    "pe-core-t-16": lambda: clip("PE-Core-T-16-384"),
    "pe-core-s-16": lambda: clip("PE-Core-S-16-384"),
    "siglip2-base-32": lambda: clip("ViT-B-32-SigLIP2-256"),
    "siglip2-large-16": lambda: clip("ViT-L-16-SigLIP2-384"),
    "pe-core-l-14": lambda: clip("PE-Core-L-14-336"),
    "pe-core-bigg-14": lambda: clip("PE-Core-bigG-14-448"),
    "siglip2-gopt": lambda: clip("ViT-gopt-16-SigLIP2-384"),
    "siglip2-so400m": lambda: clip("ViT-SO400M-16-SigLIP2-384"),
    "vicuna-1.5-7b": lambda: llama(**VICUNA_7B),
    "vicuna-1.5-13b": lambda: llama(**VICUNA_13B),
    "llama-3.1-8b-instruct": lambda: llama(**LLAMA_31_8B),
    **MODERN,
}
"""By the names of models.toml."""


def on_meta(name: str) -> Any:
    """The model with shapes alone."""
    with torch.device("meta"):
        return BUILDERS[name]()


def parameters(model: Any) -> int:
    """How many numbers the model holds; shared tensors count once."""
    return sum(tensor.numel() for tensor in model.parameters())


_SIDE = ("visual.", "vision_tower.", "vision_model.", "connector.", "multi_modal_projector.")
"""What lies in an mmproj, as parts of tensor names."""


def side_parameters(model: Any) -> int:
    """How many of the numbers are the vision side's, which a GGUF model has in its mmproj."""
    return sum(
        tensor.numel()
        for name, tensor in model.named_parameters()
        if any(part in name for part in _SIDE)
    )


def quantized(model: Any, whole: tuple[str, ...]) -> int:
    """Weights of linear layers that are put in 4 or 8 bits.

    Args:
        whole: parts of module names that are left as they are, besides the output head.
    """
    return sum(
        module.weight.numel()
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
        and not name.endswith("lm_head")
        and not any(part in name for part in whole)
    )
