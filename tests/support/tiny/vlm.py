"""Vision-language models in small: LLaVA, LLaVA-NeXT, Qwen, SmolVLM."""

from pathlib import Path
from typing import Any

from tests.support.tiny.base import PATCH, SIDE, spread, tokenizer, vision

CHAT = (
    "{% for m in messages %}USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def language(**extra: Any) -> dict[str, Any]:
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
        vision_config={"model_type": "clip_vision_model", **vision()},
        text_config={"model_type": "llama", **language()},
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )
    spread(LlavaForConditionalGeneration(config)).save_pretrained(folder)
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
        vision_config={"model_type": "clip_vision_model", **vision()},
        text_config={"model_type": "llama", **language()},
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=pinpoints,
    )
    spread(LlavaNextForConditionalGeneration(config)).save_pretrained(folder)
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
        text_config=language(
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
    spread(Qwen2_5_VLForConditionalGeneration(config)).save_pretrained(folder)
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
        vision_config=vision(),
        text_config={"model_type": "llama", **language()},
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=2,
    )
    spread(Idefics3ForConditionalGeneration(config)).save_pretrained(folder)
    Idefics3Processor(
        Idefics3ImageProcessorPil(
            size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
        ),
        words,
        image_seq_len=4,
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder
