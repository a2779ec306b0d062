"""Vision-language models of 2026 in small, but for Qwen's."""

from pathlib import Path
from typing import Any

import transformers

from tests.support.families.base import chat, qwen35_text, words
from tests.support.tiny.base import PATCH, SIDE, spread, tokenizer, vision
from tests.support.tiny.vlm import CHAT, language

_GEMMA = {
    "image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>",
    "audio_token": "<|audio|>", "boa_token": "<|audio>", "eoa_token": "<audio|>",
}  # fmt: skip


def _gemma_ids(made: Any) -> dict[str, int]:
    ids = {f"{name}_id": made.convert_tokens_to_ids(text) for name, text in _GEMMA.items()}
    ids["eoa_token_index"] = ids.pop("eoa_token_id")
    return {**ids, "video_token_id": made.convert_tokens_to_ids("<|video|>")}


def gemma4(folder: Path) -> Path:
    """Gemma 4: sliding windows, per-layer inputs, an image budget."""
    made = words(_GEMMA, "<|video|>")
    config = transformers.Gemma4Config(
        text_config=language(
            head_dim=32, global_head_dim=32, layer_types=["sliding_attention", "full_attention"],
            sliding_window=64, vocab_size_per_layer_input=512, hidden_size_per_layer_input=16,
        ),
        vision_config={
            "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32,
            "patch_size": 16, "position_embedding_size": 256,
        },
        audio_config=None,
        tie_word_embeddings=False,
        **_gemma_ids(made),
    )  # fmt: skip
    spread(transformers.Gemma4ForConditionalGeneration(config)).save_pretrained(folder)
    transformers.Gemma4Processor(
        transformers.Gemma4AudioFeatureExtractor(),
        transformers.Gemma4ImageProcessorPil(max_soft_tokens=70),
        made,
        transformers.Gemma4VideoProcessor(),
        chat_template=chat("<|image|>"),
    ).save_pretrained(folder)
    return folder


def gemma4_unified(folder: Path) -> Path:
    """Gemma 4 12B: no tower, patches of pixels go into the language model; one key for a value."""
    made = words(_GEMMA, "<|video|>")
    config = transformers.Gemma4UnifiedConfig(
        text_config=language(
            head_dim=32, global_head_dim=32, layer_types=["sliding_attention", "full_attention"],
            sliding_window=128, num_global_key_value_heads=1, attention_k_eq_v=True,
        ),
        vision_config={"mm_embed_dim": 64, "mm_posemb_size": 64, "output_proj_dims": 64},
        audio_config=None,
        tie_word_embeddings=False,
        **_gemma_ids(made),
    )  # fmt: skip
    spread(transformers.Gemma4UnifiedForConditionalGeneration(config)).save_pretrained(folder)
    transformers.Gemma4UnifiedProcessor(
        transformers.Gemma4UnifiedAudioFeatureExtractor(),
        transformers.Gemma4UnifiedImageProcessor(max_soft_tokens=70),
        made,
        transformers.Gemma4UnifiedVideoProcessor(),
        chat_template=chat("<|image|>"),
    ).save_pretrained(folder)
    return folder


def internvl(folder: Path) -> Path:
    """InternVL3.5: tiles as images of their own, a Qwen3 text model."""
    named = {
        "start_image_token": "<img>", "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>",
    }  # fmt: skip
    made = words(named)
    config = transformers.InternVLConfig(
        vision_config={**vision(), "image_size": [SIDE, SIDE], "patch_size": [PATCH, PATCH]},
        text_config={"model_type": "qwen3", **language(head_dim=32)},
        image_token_id=made.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    spread(transformers.InternVLForConditionalGeneration(config)).save_pretrained(folder)
    transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessorPil(
            size={"height": SIDE, "width": SIDE}, crop_to_patches=True, max_patches=4
        ),
        made,
        transformers.InternVLVideoProcessor(size={"height": SIDE, "width": SIDE}),
        image_seq_length=4,
        chat_template=chat("<IMG_CONTEXT>"),
    ).save_pretrained(folder)
    return folder


def smolvlm2(folder: Path) -> Path:
    """SmolVLM2: Idefics3's tiles under a name of its own."""
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    marks = ("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *tiles)
    made = tokenizer(*marks)
    config = transformers.SmolVLMConfig(
        vision_config=vision(),
        text_config={"model_type": "llama", **language()},
        image_token_id=made.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=2,
    )
    spread(transformers.SmolVLMForConditionalGeneration(config)).save_pretrained(folder)
    transformers.SmolVLMProcessor(
        transformers.SmolVLMImageProcessorPil(
            size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
        ),
        made,
        transformers.SmolVLMVideoProcessor(
            size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE},
            video_sampling={"fps": 1, "max_frames": 8, "video_size": {"longest_edge": SIDE}},
        ),
        image_seq_len=4,
        chat_template=CHAT,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def minicpm(folder: Path) -> Path:
    """MiniCPM-V 4.6: Qwen3.5's layers, slices, and a forward of its own."""
    named = {
        "image_token": "<|image_pad|>", "video_token": "<|video_pad|>",
        "image_start_token": "<image>", "image_end_token": "</image>",
        "slice_start_token": "<slice>", "slice_end_token": "</slice>",
        "image_id_start_token": "<image_id>", "image_id_end_token": "</image_id>",
    }  # fmt: skip
    made = words(named, "<think>", "</think>")
    config = transformers.MiniCPMV4_6Config(
        vision_config={**vision(), "image_size": 64, "patch_size": 14},
        text_config={"model_type": "qwen3_5_text", **qwen35_text()},
        insert_layer_id=0,
        image_size=56,
        image_token_id=made.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=made.convert_tokens_to_ids("<|video_pad|>"),
    )
    spread(transformers.MiniCPMV4_6ForConditionalGeneration(config)).save_pretrained(folder)
    transformers.MiniCPMV4_6Processor(
        image_processor=transformers.MiniCPMV4_6ImageProcessorPil(
            scale_resolution=56, max_slice_nums=4
        ),
        tokenizer=made,
        video_processor=transformers.MiniCPMV4_6VideoProcessor(),
        chat_template=chat("<|image_pad|>", thinking=True),
    ).save_pretrained(folder)
    return folder


def lfm2_vl(folder: Path) -> Path:
    """LFM2-VL: convolutions between attention layers, no image processor for Pillow."""
    named = {
        "image_token": "<image>", "image_start_token": "<|image_start|>",
        "image_end_token": "<|image_end|>", "image_thumbnail_token": "<|img_thumbnail|>",
    }  # fmt: skip
    tiles = [f"<|img_row_{row}_col_{column}|>" for row in range(1, 4) for column in range(1, 4)]
    made = words(named, *tiles)
    config = transformers.Lfm2VlConfig(
        vision_config={
            "model_type": "siglip2_vision_model", "hidden_size": 64, "intermediate_size": 128,
            "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 16, "num_patches": 64,
        },
        text_config={
            "model_type": "lfm2", **language(), "layer_types": ["conv", "full_attention"],
            "block_auto_adjust_ff_dim": False,
        },
        image_token_id=made.convert_tokens_to_ids("<image>"),
        projector_hidden_size=64,
    )  # fmt: skip
    spread(transformers.Lfm2VlForConditionalGeneration(config)).save_pretrained(folder)
    transformers.Lfm2VlProcessor(
        transformers.Lfm2VlImageProcessor(
            tile_size=64, min_image_tokens=4, max_image_tokens=4, max_tiles=4
        ),
        made,
        chat_template=CHAT.replace("<image>\n", "<image>"),
    ).save_pretrained(folder)
    return folder


MOLMO_MARKS = (
    "<im_patch>", "<im_col>", "<im_start>", "<low_res_im_start>", "<frame_start>", "<im_end>",
    "<frame_end>", "<im_low>",
)  # fmt: skip


def molmo2(folder: Path) -> Path:
    """Molmo2: patches pooled by attention, an image processor of torchvision's alone."""
    named = {"image_token": "<|image|>", "video_token": "<|video|>"}
    made = words(named, *MOLMO_MARKS)
    ids = dict(zip(MOLMO_MARKS, made.convert_tokens_to_ids(list(MOLMO_MARKS)), strict=True))
    config = transformers.Molmo2Config(
        vision_config={
            "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32,
            "image_size": [56, 56], "patch_size": 14,
        },
        adapter_config={
            "vision_feature_layer": [1, 0], "hidden_size": 64, "num_attention_heads": 2,
            "num_key_value_heads": 2, "head_dim": 32, "intermediate_size": 128,
            "text_hidden_size": 64,
        },
        text_config={**language(head_dim=32), "additional_vocab_size": 0},
        image_start_token_id=ids["<im_start>"],
        low_res_image_start_token_id=ids["<low_res_im_start>"],
        image_end_token_id=ids["<im_end>"],
        image_patch_id=ids["<im_patch>"],
        frame_start_token_id=ids["<frame_start>"],
        frame_end_token_id=ids["<frame_end>"],
    )  # fmt: skip
    spread(transformers.Molmo2ForConditionalGeneration(config)).save_pretrained(folder)
    transformers.Molmo2Processor(
        transformers.Molmo2ImageProcessor(
            size={"height": 56, "width": 56}, max_crops=4, overlap_margins=[1, 1]
        ),
        transformers.Molmo2VideoProcessor(size={"height": 56, "width": 56}),
        made,
        chat_template=chat("<|image|>"),
    ).save_pretrained(folder)
    return folder


def llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision: a SigLIP tower without a class token, tiles, a Qwen2."""
    made = tokenizer("<image>", "<video>")
    pinpoints = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
    config = transformers.LlavaOnevisionConfig(
        vision_config={
            "model_type": "siglip_vision_model", "vision_use_head": False, **vision()
        },
        text_config={"model_type": "qwen2", **language()},
        image_token_index=made.convert_tokens_to_ids("<image>"),
        video_token_index=made.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=pinpoints,
    )  # fmt: skip
    spread(transformers.LlavaOnevisionForConditionalGeneration(config)).save_pretrained(folder)
    transformers.LlavaOnevisionProcessor(
        transformers.LlavaOnevisionImageProcessorPil(
            size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=pinpoints
        ),
        made,
        transformers.LlavaOnevisionVideoProcessor(size={"height": SIDE, "width": SIDE}),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder


def perception_lm(folder: Path) -> Path:
    """Perception-LM: a timm tower, tiles that are never filled up."""
    named = {"image_token": "<|image|>", "video_token": "<|video|>"}
    made = words(named)
    config = transformers.PerceptionLMConfig(
        vision_config={
            "model_type": "timm_wrapper", "architecture": "vit_pe_core_large_patch14_336",
            "do_pooling": False, "num_classes": 0, "global_pool": "",
            "initializer_range": 0.02,
            "model_args": {
                "embed_dim": 64, "depth": 2, "num_heads": 2, "img_size": [56, 56],
                "ref_feat_shape": [4, 4], "patch_size": 14, "mlp_ratio": 2,
                "global_pool": "", "use_post_transformer_norm": False,
            },
        },
        text_config={"model_type": "llama", **language()},
        image_token_id=made.convert_tokens_to_ids("<|image|>"),
        video_token_id=made.convert_tokens_to_ids("<|video|>"),
        projector_pooling_ratio=2,
        vision_use_cls_token=True,
    )  # fmt: skip
    config.vision_config.num_features = 64
    config.vision_config.hidden_size = 64
    spread(transformers.PerceptionLMForConditionalGeneration(config)).save_pretrained(folder)
    transformers.PerceptionLMProcessor(
        transformers.PerceptionLMVideoProcessor(size={"height": 56, "width": 56}),
        transformers.PerceptionLMImageProcessor(
            tile_size=56, max_num_tiles=4, size={"height": 56, "width": 56}
        ),
        made,
        patch_size=14,
        pooling_ratio=2,
        chat_template=chat("<|image|>"),
    ).save_pretrained(folder)
    return folder
