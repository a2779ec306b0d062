"""The vision-language models of 2026 whose layers are not all alike, from published numbers.

Linear attention (Qwen3.5), convolutions (LFM2), sliding windows, shared keys and values and an
embedding a layer (Gemma 4). Where the numbers were read stands with each.
"""

from collections.abc import Callable, Mapping
from typing import Any

import transformers as hf

QWEN35_08B = {
    "hidden_size": 1024,
    "intermediate_size": 3584,
    "num_hidden_layers": 24,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "linear_num_value_heads": 16,
    "tie_word_embeddings": True,
}
QWEN35_4B = {"hidden_size": 2560, "intermediate_size": 9216, "tie_word_embeddings": True}
QWEN35_9B = {"hidden_size": 4096, "intermediate_size": 12_288}
TOWER_100M = {"depth": 12, "hidden_size": 768, "intermediate_size": 3072, "num_heads": 12}
TOWER_300M = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16}
TOWER_400M = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16}


def qwen35(vision: Mapping[str, Any], text: Mapping[str, Any]) -> Any:
    """Qwen3.5: three of four layers are linear attention.

    By the config.json of Qwen/Qwen3.5-0.8B, 4B and 9B. The layer that predicts a second token is in
    the published files and is not opened.
    """
    shared = {"num_hidden_layers": 32, "num_attention_heads": 16, "num_key_value_heads": 4}
    linear = {"linear_num_key_heads": 16, "linear_num_value_heads": 32}
    config = hf.Qwen3_5Config(
        vision_config={**vision, "out_hidden_size": text["hidden_size"], "patch_size": 16},
        text_config={"vocab_size": 248_320, "head_dim": 256, **shared, **linear, **text},
        tie_word_embeddings=text.get("tie_word_embeddings", False),
    )
    return hf.Qwen3_5ForConditionalGeneration(config)


def _alternating(layers: int, every: int) -> list[str]:
    """Sliding windows, and full attention in every such layer."""
    return [
        "full_attention" if layer % every == every - 1 else "sliding_attention"
        for layer in range(layers)
    ]


def gemma4(layers: int, full: int, **text: Any) -> Any:
    """Gemma 4 E2B and E4B: a table of embeddings a layer; the last layers share keys and values.

    By the config.json of google/gemma-4-E4B-it and google/gemma-4-E2B-it.
    """
    config = hf.Gemma4Config(
        text_config={
            "num_hidden_layers": layers,
            "layer_types": _alternating(layers, full),
            "num_attention_heads": 8,
            "sliding_window": 512,
            **text,
        },
        vision_config={"use_clipped_linears": True},
        audio_config={},
    )
    return hf.Gemma4ForConditionalGeneration(config)


def gemma4_unified() -> Any:
    """Gemma 4 12B: patches of pixels go into the language model without a tower.

    By the config.json of google/gemma-4-12B-it.
    """
    config = hf.Gemma4UnifiedConfig(
        text_config={
            "num_hidden_layers": 48,
            "layer_types": _alternating(48, 6),
            "hidden_size": 3840,
            "intermediate_size": 15_360,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "num_global_key_value_heads": 1,
            "attention_k_eq_v": True,
        },
        vision_config={"mm_embed_dim": 3840, "mm_posemb_size": 1120, "output_proj_dims": 3840},
        audio_config={},
    )
    return hf.Gemma4UnifiedForConditionalGeneration(config)


def lfm2_vl() -> Any:
    """LFM2.5-VL-1.6B: convolutions, and attention in six of sixteen layers.

    By the header of LiquidAI/LFM2.5-VL-1.6B's file: names and shapes of all 589 tensors are equal.
    """
    attention = (2, 5, 8, 10, 12, 14)
    config = hf.Lfm2VlConfig(
        text_config={
            "model_type": "lfm2",
            "vocab_size": 65_536,
            "hidden_size": 2048,
            "intermediate_size": 12_288,
            "num_hidden_layers": 16,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "layer_types": ["full_attention" if n in attention else "conv" for n in range(16)],
        },
        vision_config={
            "model_type": "siglip2_vision_model",
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "num_patches": 256,
            "patch_size": 16,
            "vision_use_head": False,
        },
        projector_hidden_size=2048,
        projector_use_layernorm=False,
    )
    return hf.Lfm2VlForConditionalGeneration(config)


def minicpm_v() -> Any:
    """MiniCPM-V 4.6: SigLIP2 So400m, merged on the way, over Qwen3.5-0.8B.

    By the config.json of mlx-community/MiniCPM-V-4.6-4bit.
    """
    config = hf.MiniCPMV4_6Config(
        text_config={
            "model_type": "qwen3_5_text",
            "vocab_size": 248_094,
            "head_dim": 256,
            "linear_num_key_heads": 16,
            **QWEN35_08B,
        },
        vision_config={
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "image_size": 980,
            "patch_size": 14,
        },
        tie_word_embeddings=True,
    )
    return hf.MiniCPMV4_6ForConditionalGeneration(config)


def molmo2() -> Any:
    """Molmo2-8B: SigLIP2 So400m, pooled by attention, over Qwen3-8B: transformers' own defaults."""
    return hf.Molmo2ForConditionalGeneration(hf.Molmo2Config())


def perception_lm(**text: Any) -> Any:
    """Perception-LM: the first 23 layers of PE-Core-L at 448 pixels over Llama 3.2.

    By the config.json of PIA-SPACE-LAB/Perception-LM-1B and 3B; to the number what the published
    files hold (1,533,524,992 and 3,516,753,920).
    """
    config = hf.PerceptionLMConfig(
        vision_config={
            "model_type": "timm_wrapper",
            "architecture": "vit_pe_core_large_patch14_336",
            "model_args": {
                "embed_dim": 1024,
                "depth": 23,
                "img_size": [448, 448],
                "ref_feat_shape": [32, 32],
                "global_pool": "",
                "use_post_transformer_norm": False,
                "init_values": 0.1,
            },
        },
        text_config={
            "model_type": "llama",
            "vocab_size": 128_256,
            "intermediate_size": 8192,
            "num_key_value_heads": 8,
            "tie_word_embeddings": True,
            **text,
        },
        projector_pooling_ratio=2,
    )
    return hf.PerceptionLMForConditionalGeneration(config)


MODERN: Mapping[str, Callable[[], Any]] = {
    "qwen3.5-0.8b": lambda: qwen35(TOWER_100M, QWEN35_08B),
    "qwen3.5-4b": lambda: qwen35(TOWER_300M, QWEN35_4B),
    "qwen3.5-9b": lambda: qwen35(TOWER_400M, QWEN35_9B),
    "gemma-4-e2b": lambda: gemma4(
        35,
        5,
        hidden_size=1536,
        intermediate_size=6144,
        num_key_value_heads=1,
        num_kv_shared_layers=20,
        use_double_wide_mlp=True,
    ),
    "gemma-4-e4b": lambda: gemma4(
        42,
        6,
        hidden_size=2560,
        intermediate_size=10_240,
        num_key_value_heads=2,
        num_kv_shared_layers=18,
    ),
    "gemma-4-12b": gemma4_unified,
    "lfm2.5-vl-1.6b": lfm2_vl,
    "minicpm-v-4.6": minicpm_v,
    "molmo2-8b": molmo2,
    "perception-lm-1b": lambda: perception_lm(
        hidden_size=2048, num_hidden_layers=16, num_attention_heads=32, head_dim=64
    ),
    "perception-lm-3b": lambda: perception_lm(
        hidden_size=3072, num_hidden_layers=28, num_attention_heads=24, head_dim=128
    ),
}
"""By the names of models.toml."""
