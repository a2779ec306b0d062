"""Tokenizers and templates of the families."""

from typing import Any

import transformers

from tests.support.tiny.base import tokenizer
from tests.support.tiny.vlm import CHAT, language

ROPE = {"rope_type": "default", "rope_theta": 10000.0}


def words(named: dict[str, str], *others: str) -> Any:
    """The tokenizer with special tokens, some of which it has under a name."""
    made = tokenizer(*named.values(), *others)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made.backend_tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens=named,
    )


def chat(image: str, *, thinking: bool = False) -> str:
    """A template; ``thinking``: one that opens a thought unless it is told not to."""
    base = CHAT.replace("<image>\n", image)
    if thinking:
        base = base.replace(
            " ASSISTANT:{% endif %}",
            " ASSISTANT:{% if enable_thinking is not defined or enable_thinking %}<think>"
            "{% endif %}{% endif %}",
        )
    return base


def qwen35_text() -> dict[str, Any]:
    return language(
        num_hidden_layers=4,
        head_dim=32,
        layer_types=["linear_attention", "linear_attention", "linear_attention", "full_attention"],
        linear_key_head_dim=16,
        linear_value_head_dim=16,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        rope_parameters={**ROPE, "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.25},
    )
