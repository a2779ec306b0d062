"""Tiny random GGUFs of the language models of 2026, with their kinds of chat template."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.tiny.base import tokenizer

WIDTH, HEADS, HEAD, HIDDEN, LAYERS = 128, 4, 32, 128, 2


@dataclass
class Draft:
    """A GGUF that is being written: random matrices, norms of ones."""

    writer: Any
    words: int
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(11))

    def matrix(self, name: str, *shape: int) -> None:
        """Rows last but one, columns last; as many numbers in as out."""
        values = self.rng.normal(0, 1.5 * shape[-1] ** -0.5, shape)
        self.writer.add_tensor(f"{name}.weight", values.astype(np.float16))

    def ones(self, name: str, size: int, scale: float = 1.0) -> None:
        self.writer.add_tensor(f"{name}.weight", np.full(size, scale, dtype=np.float32))

    def vector(self, name: str, *shape: int) -> None:
        self.writer.add_tensor(name, self.rng.normal(0, 0.1, shape).astype(np.float32))

    def ends(self, *, tied: bool, norm: str = "output_norm") -> None:
        """Embedding and output."""
        values = self.rng.normal(0, 0.5 if tied else 1, (self.words, WIDTH))
        self.writer.add_tensor("token_embd.weight", values.astype(np.float16))
        if not tied:
            self.matrix("output", self.words, WIDTH)
        self.ones(norm, WIDTH, 0.3 if tied else 1.0)  # so that "yes" and "no" are never unheard of

    def attention(self, layer: str, *, norms: bool) -> None:
        """Separate queries, keys and values, two heads of the latter."""
        self.matrix(f"{layer}.attn_q", HEADS * HEAD, WIDTH)
        for name in ("attn_k", "attn_v"):
            self.matrix(f"{layer}.{name}", 2 * HEAD, WIDTH)
        self.matrix(f"{layer}.attn_output", WIDTH, HEADS * HEAD)
        for name in ("attn_q_norm", "attn_k_norm") if norms else ():
            self.ones(f"{layer}.{name}", HEAD)

    def gated(self, layer: str) -> None:
        for name in ("ffn_gate", "ffn_up"):
            self.matrix(f"{layer}.{name}", HIDDEN, WIDTH)
        self.matrix(f"{layer}.ffn_down", WIDTH, HIDDEN)


def written(
    folder: Path,
    architecture: str,
    marks: Sequence[str],
    template: str,
    fill: Callable[[Draft], None],
) -> Path:
    """``model.gguf`` with the tests' tokenizer."""
    import gguf as library

    folder.mkdir(parents=True)
    words = tokenizer(*marks)
    state = json.loads(words.backend_tokenizer.to_str())["model"]
    pieces = sorted(state["vocab"], key=state["vocab"].__getitem__)
    writer = library.GGUFWriter(folder / "model.gguf", architecture)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(library.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(pieces)
    control, normal = library.TokenType.CONTROL, library.TokenType.NORMAL
    special = {"<s>", "</s>", "<pad>", *marks}
    writer.add_token_types([control if piece in special else normal for piece in pieces])
    writer.add_token_merges([" ".join(merge) for merge in state["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(True)
    writer.add_chat_template(template)
    fill(Draft(writer, len(pieces)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder


CHATML = ("<|im_start|>", "<|im_end|>", "<think>", "</think>")
_TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
_OPEN = "{% if add_generation_prompt %}<|im_start|>assistant\n"
QWEN3_CHAT = (
    _TURNS + _OPEN + "{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}{% endif %}"
)


def qwen3(folder: Path) -> Path:
    """Qwen3: norms of queries and keys, tied embeddings, a template that thinks."""

    def fill(draft: Draft) -> None:
        draft.writer.add_head_count_kv(2)
        draft.ends(tied=True)
        for layer in (f"blk.{number}" for number in range(LAYERS)):
            draft.attention(layer, norms=True)
            draft.gated(layer)
            for name in ("attn_norm", "ffn_norm"):
                draft.ones(f"{layer}.{name}", WIDTH)

    return written(folder, "qwen3", CHATML, QWEN3_CHAT, fill)


GEMMA_CHAT = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'] | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def gemma3(folder: Path, template: str = GEMMA_CHAT) -> Path:
    """Gemma 3: sliding windows, norms on both sides, a template that refuses a system message."""

    def fill(draft: Draft) -> None:
        draft.writer.add_head_count_kv(2)
        draft.writer.add_sliding_window(64)
        draft.ends(tied=False)
        for layer in (f"blk.{number}" for number in range(LAYERS)):
            draft.attention(layer, norms=True)
            draft.gated(layer)
            for name in ("attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm"):
                draft.ones(f"{layer}.{name}", WIDTH)

    marks = ("<start_of_turn>", "<end_of_turn>")
    return written(folder, "gemma3", marks, template, fill)


PHI_CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def phi4(folder: Path) -> Path:
    """Phi-4-mini: queries, keys and values in one matrix, gate and up in one, tied embeddings."""

    def fill(draft: Draft) -> None:
        draft.writer.add_head_count_kv(2)
        draft.writer.add_rope_dimension_count(HEAD)
        draft.ends(tied=True)
        for layer in (f"blk.{number}" for number in range(LAYERS)):
            draft.matrix(f"{layer}.attn_qkv", (HEADS + 4) * HEAD, WIDTH)
            draft.matrix(f"{layer}.attn_output", WIDTH, WIDTH)
            draft.matrix(f"{layer}.ffn_up", 2 * HIDDEN, WIDTH)
            draft.matrix(f"{layer}.ffn_down", WIDTH, HIDDEN)
            for name in ("attn_norm", "ffn_norm"):
                draft.ones(f"{layer}.{name}", WIDTH)

    marks = ("<|user|>", "<|assistant|>", "<|system|>", "<|end|>")
    return written(folder, "phi3", marks, PHI_CHAT, fill)


HARMONY = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>")
HARMONY_CHAT = (
    "{% for m in messages %}<|start|>{{ m['role'] }}<|message|>{{ m['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)


def gpt_oss(folder: Path) -> Path:
    """gpt-oss: experts, attention sinks, windows, and channels before every answer."""
    experts = 4

    def fill(draft: Draft) -> None:
        writer = draft.writer
        writer.add_head_count_kv(2)
        writer.add_sliding_window(64)
        writer.add_expert_count(experts)
        writer.add_expert_used_count(2)
        writer.add_expert_feed_forward_length(HIDDEN)
        draft.ends(tied=False)
        for layer in (f"blk.{number}" for number in range(LAYERS)):
            draft.attention(layer, norms=False)
            draft.vector(f"{layer}.attn_output.bias", WIDTH)
            draft.vector(f"{layer}.attn_sinks.weight", HEADS)
            draft.matrix(f"{layer}.ffn_gate_inp", experts, WIDTH)
            draft.vector(f"{layer}.ffn_gate_inp.bias", experts)
            for name, rows, columns in (
                ("ffn_gate_exps", HIDDEN, WIDTH),
                ("ffn_up_exps", HIDDEN, WIDTH),
                ("ffn_down_exps", WIDTH, HIDDEN),
            ):
                draft.matrix(f"{layer}.{name}", experts, rows, columns)
                draft.vector(f"{layer}.{name}.bias", experts, rows)
            for name in ("attn_norm", "post_attention_norm"):
                draft.ones(f"{layer}.{name}", WIDTH)

    return written(folder, "gpt-oss", HARMONY, HARMONY_CHAT, fill)


def lfm2(
    folder: Path, template: str = _TURNS + _OPEN + "{% endif %}", marks: Sequence[str] = CHATML
) -> Path:
    """LFM2: a convolution between attention layers, whose state no part of can be dropped."""

    def fill(draft: Draft) -> None:
        draft.writer.add_head_count_kv([0, 2])
        draft.writer.add_shortconv_l_cache(3)
        draft.ends(tied=True, norm="token_embd_norm")
        for number in range(LAYERS):
            layer = f"blk.{number}"
            draft.gated(layer)
            for name in ("attn_norm", "ffn_norm"):
                draft.ones(f"{layer}.{name}", WIDTH)
            if number:
                draft.attention(layer, norms=True)
                continue
            taps = draft.rng.normal(0, 0.6, (WIDTH, 3)).astype(np.float32)
            draft.writer.add_tensor(f"{layer}.shortconv.conv.weight", taps)
            draft.matrix(f"{layer}.shortconv.in_proj", 3 * WIDTH, WIDTH)
            draft.matrix(f"{layer}.shortconv.out_proj", WIDTH, WIDTH)

    return written(folder, "lfm2", marks, template, fill)


GGUF_FAMILIES: dict[str, Callable[[Path], Path]] = {
    "qwen3": qwen3,
    "gpt-oss": gpt_oss,
    "gemma-3": gemma3,
    "phi-4-mini": phi4,
    "lfm2": lfm2,
}
