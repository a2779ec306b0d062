"""Tiny random checkpoints in the real formats, written into a folder; seconds to make, all of them.

The weights are random but not degenerate (``initializer_range`` is set everywhere: the default of
``Blip2VisionConfig`` is 1e-10, at which every image looks the same), and sizes are multiples of 64
so that 4-bit works on every CPU.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SIDE = 48
PATCH = 12
CORPUS = (
    "yes no Yes No is there a red dog in this image of two blue birds by the sea",
    "USER: ASSISTANT: Question: Answer: describe does this image contain the answer",
    "a photo of a picture of one two three 0 1 2 more in A B nothing green small large",
)


def tokenizer(*special: str, frame: str = "<s> $A") -> PreTrainedTokenizerFast:
    """A byte-level BPE of 512 tokens at most, with ``<s> </s> <pad>`` as 0, 1, 2."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<s>", "</s>", "<pad>", *special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(CORPUS * 4, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=frame, special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def shuffle(model: Any) -> None:
    """Other random weights in place of the model's own."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()


def _spread(model: Any) -> Any:
    """Makes random logits differ enough between inputs that an error shows."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if weight.ndim >= 2:
                fan = weight[0].numel()
                weight.normal_(0, 0.25 if "embed" in name else 1.5 * fan**-0.5)
            elif "query_tokens" in name or "class" in name:
                weight.normal_(0, 1.0)
    return model.eval()


def _vision(**extra: Any) -> dict[str, Any]:
    return dict(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
        initializer_range=0.02,
        **extra,
    )


def blip2(folder: Path, *, text: str = "opt") -> Path:
    """``Blip2ForConditionalGeneration`` with 8 query tokens over OPT or T5."""
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        BlipImageProcessorPil,
    )

    words = tokenizer("<image>", frame="$A </s>" if text == "t5" else "<s> $A")
    language = {
        "opt": {
            "model_type": "opt",
            "vocab_size": 512,
            "hidden_size": 64,
            "word_embed_proj_dim": 64,
            "ffn_dim": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 128,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 2,
        },
        "t5": {
            "model_type": "t5",
            "vocab_size": 512,
            "d_model": 64,
            "d_kv": 32,
            "d_ff": 128,
            "num_layers": 2,
            "num_decoder_layers": 2,
            "num_heads": 2,
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 2,
            "decoder_start_token_id": 2,
        },
    }[text]
    config = Blip2Config(
        vision_config=_vision(),
        qformer_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "encoder_hidden_size": 64,
            "cross_attention_frequency": 1,
        },
        text_config=language,
        num_query_tokens=8,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_text_hidden_size=64,
    )
    _spread(Blip2ForConditionalGeneration(config)).save_pretrained(folder)
    images = BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    Blip2Processor(images, words, num_query_tokens=8).save_pretrained(folder)
    return folder


def open_clip(folder: Path, *, siglip: bool = False) -> Path:
    """An open_clip folder: a ViT with a text tower of its own vocabulary; CLIP or SigLIP."""
    import open_clip as library
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    tokenizer(frame="<s> $A </s>").save_pretrained(folder)
    text = {
        "context_length": 24, "vocab_size": 512, "width": 64, "heads": 2, "layers": 2,
        "hf_tokenizer_name": "local", "tokenizer_kwargs": {"strip_sep_token": False},
    }  # fmt: skip
    vision = {"image_size": SIDE, "layers": 2, "width": 64, "head_width": 32, "patch_size": PATCH}
    config: dict[str, Any] = {"embed_dim": 64, "vision_cfg": vision, "text_cfg": text}
    if siglip:
        vision |= {"pool_type": "avg", "no_ln_pre": True}
        text |= {"no_causal_mask": True, "pool_type": "last", "proj_bias": True, "embed_cls": False}
        config |= {"init_logit_bias": -10, "custom_text": True}
    else:
        text |= {"pool_type": "eos", "eos_id": 1}
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "resize_mode": "squash"}
    written = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    network = _spread(library.create_model(f"local-dir:{folder}", require_pretrained=False))
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def pictures(folder: Path, count: int = 6) -> list[Path]:
    """PNG files of random blocks, of three shapes."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    paths = []
    for number in range(count):
        size = ((96, 96), (96, 64), (64, 112))[number % 3]
        blocks = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        paths.append(folder / f"{number}.png")
        blocks.resize(size, Image.Resampling.NEAREST).save(paths[-1])
    return paths


CHAT = (
    "{% for m in messages %}USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def _language(**extra: Any) -> dict[str, Any]:
    return {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 1024,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
        **extra,
    }


def llava(folder: Path, *, template: bool = True) -> Path:
    """LLaVA-1.5: a CLIP tower with a class token, 16 image tokens, a Llama."""
    from transformers import (
        CLIPImageProcessorPil,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    words = tokenizer("<image>")
    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **_vision()},
        text_config={"model_type": "llama", **_language()},
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )
    _spread(LlavaForConditionalGeneration(config)).save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE),
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT if template else None,
    ).save_pretrained(folder)
    return folder


def llava_next(folder: Path) -> Path:
    """LLaVA-NeXT: tiles, so that pictures of different shapes have different numbers of tokens."""
    from transformers import (
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextImageProcessorPil,
        LlavaNextProcessor,
    )

    words = tokenizer("<image>")
    pinpoints = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
    config = LlavaNextConfig(
        vision_config={"model_type": "clip_vision_model", **_vision()},
        text_config={"model_type": "llama", **_language()},
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=pinpoints,
    )
    _spread(LlavaNextForConditionalGeneration(config)).save_pretrained(folder)
    LlavaNextProcessor(
        LlavaNextImageProcessorPil(
            size={"shortest_edge": SIDE}, crop_size=SIDE, image_grid_pinpoints=pinpoints
        ),
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder


def qwen(folder: Path) -> Path:
    """Qwen2.5-VL: pictures in their own size, rotary positions in three dimensions."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessorPil,
        Qwen2VLVideoProcessor,
    )

    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    words = tokenizer(*marks)
    start, end, image, video = words.convert_tokens_to_ids(list(marks))
    config = Qwen2_5_VLConfig(
        vision_config={
            "hidden_size": 64,
            "out_hidden_size": 64,
            "intermediate_size": 128,
            "depth": 2,
            "num_heads": 2,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        text_config=_language(
            rope_parameters={
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [4, 6, 6],
            }
        ),
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    _spread(Qwen2_5_VLForConditionalGeneration(config)).save_pretrained(folder)
    Qwen2_5_VLProcessor(
        Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 16),
        words,
        Qwen2VLVideoProcessor(),
        chat_template=CHAT.replace("<image>\n", "".join((marks[0], marks[2], marks[1]))),
    ).save_pretrained(folder)
    return folder


def smolvlm(folder: Path) -> Path:
    """Idefics3 (SmolVLM's architecture): tiles with text between them."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
    )

    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    marks = ("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *tiles)
    words = tokenizer(*marks)
    config = Idefics3Config(
        vision_config=_vision(),
        text_config={"model_type": "llama", **_language()},
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=2,
    )
    _spread(Idefics3ForConditionalGeneration(config)).save_pretrained(folder)
    Idefics3Processor(
        Idefics3ImageProcessorPil(
            size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
        ),
        words,
        image_seq_len=4,
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder


GGUF_CHAT = (
    "{{ bos_token }}{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


def gguf(folder: Path, *, kind: str = "F16") -> Path:
    """A random Llama of 256 columns as ``model.gguf``: ``F16``, ``Q8_0`` or ``Q4_K_M``."""
    import gguf as library
    import llama_cpp

    folder.mkdir(parents=True)
    width, heads, hidden, layers = 256, 4, 256, 2
    words = tokenizer("<|start|>", "<|end|>")
    state = json.loads(words.backend_tokenizer.to_str())["model"]
    pieces = sorted(state["vocab"], key=state["vocab"].__getitem__)
    draft = folder / "model.gguf"
    writer = library.GGUFWriter(draft, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(library.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(pieces)
    special = {"<s>", "</s>", "<pad>", "<|start|>", "<|end|>"}
    control, normal = library.TokenType.CONTROL, library.TokenType.NORMAL
    writer.add_token_types([control if piece in special else normal for piece in pieces])
    writer.add_token_merges([" ".join(merge) for merge in state["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(True)
    writer.add_chat_template(GGUF_CHAT)
    rng = np.random.default_rng(5)

    def matrix(name: str, rows: int, columns: int, spread: float) -> None:
        values = rng.normal(0, spread, (rows, columns)).astype(np.float16)
        writer.add_tensor(f"{name}.weight", values)

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(width, dtype=np.float32))

    matrix("token_embd", len(pieces), width, 1.0)
    matrix("output", len(pieces), width, 1.5 * width**-0.5)
    norm("output_norm")
    for layer in range(layers):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{name}", width, width, 1.5 * width**-0.5)
        matrix(f"blk.{layer}.ffn_gate", hidden, width, 1.5 * width**-0.5)
        matrix(f"blk.{layer}.ffn_up", hidden, width, 1.5 * width**-0.5)
        matrix(f"blk.{layer}.ffn_down", width, hidden, 1.5 * hidden**-0.5)
        norm(f"blk.{layer}.attn_norm")
        norm(f"blk.{layer}.ffn_norm")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if kind != "F16":
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
        parameters.nthread = 1
        whole = draft.rename(folder / "whole")
        code = llama_cpp.llama_model_quantize(str(whole).encode(), str(draft).encode(), parameters)
        assert code == 0
        whole.unlink()
    return folder
