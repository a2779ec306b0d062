"""Qwen's vision-language models in small."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers

from tests.support.families.base import ROPE, chat, qwen35_text
from tests.support.tiny.base import spread, tokenizer
from tests.support.tiny.vlm import language


def _qwen_vision(**extra: Any) -> dict[str, Any]:
    return {
        "hidden_size": 64, "out_hidden_size": 64, "intermediate_size": 128, "depth": 2,
        "num_heads": 2, "patch_size": 16, "num_position_embeddings": 64, **extra,
    }  # fmt: skip


QWEN_MARKS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def _qwen(folder: Path, config: Callable[..., Any], model: Any, *, thinking: bool) -> Path:
    made = tokenizer(*QWEN_MARKS, "<think>", "</think>")
    start, end, image, video = made.convert_tokens_to_ids(list(QWEN_MARKS))
    ids = {
        "image_token_id": image, "video_token_id": video,
        "vision_start_token_id": start, "vision_end_token_id": end,
    }  # fmt: skip
    spread(model(config(**ids))).save_pretrained(folder)
    transformers.Qwen3VLProcessor(
        transformers.Qwen2VLImageProcessorPil(
            patch_size=16, min_pixels=32 * 32, max_pixels=32 * 32 * 16
        ),
        made,
        transformers.Qwen3VLVideoProcessor(),
        chat_template=chat(
            "".join((QWEN_MARKS[0], QWEN_MARKS[2], QWEN_MARKS[1])), thinking=thinking
        ),
    ).save_pretrained(folder)
    return folder


def qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL: vision features at several depths of the language model."""

    def config(**ids: int) -> Any:
        return transformers.Qwen3VLConfig(
            vision_config=_qwen_vision(deepstack_visual_indexes=[0, 1]),
            text_config=language(head_dim=32, rope_parameters={**ROPE, "mrope_section": [6, 5, 5]}),
            **ids,
        )

    return _qwen(folder, config, transformers.Qwen3VLForConditionalGeneration, thinking=False)


def qwen3_5(folder: Path) -> Path:
    """Qwen3.5: three of four layers are linear attention, and its template thinks."""

    def config(**ids: int) -> Any:
        return transformers.Qwen3_5Config(
            vision_config=_qwen_vision(), text_config=qwen35_text(), **ids
        )

    return _qwen(folder, config, transformers.Qwen3_5ForConditionalGeneration, thinking=True)
