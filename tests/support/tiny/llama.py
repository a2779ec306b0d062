"""A Llama in small, as GGUF."""

import json
from pathlib import Path

import numpy as np

from tests.support.tiny.base import tokenizer

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
