"""Writes a transformers Llama and its byte-level BPE tokenizer as one GGUF file for llama.cpp.

The llama.cpp project ships a converter for published checkpoints that insists on knowing the
tokenizer by the hash of its output; this one covers exactly what ``train_llama.py`` makes.
``verify`` is the proof that both runtimes hold the same model: same tokens, same logits.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

END_OF_TEXT = "<|endoftext|>"


def write_gguf(model: LlamaForCausalLM, tokenizer: Tokenizer, path: Path) -> None:
    """Writes float16 matrices and float32 vectors to ``path``."""
    writer = gguf.GGUFWriter(path, "llama")
    add_metadata(writer, model.config, "nano-llama")
    _add_tokenizer(writer, tokenizer)
    add_tensors(writer, model, np.float16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_metadata(writer: gguf.GGUFWriter, c: LlamaConfig, name: str) -> None:
    """What llama.cpp must know of a Llama's configuration."""
    writer.add_name(name)
    writer.add_description("Trained on the drawn-scene world of visdiff_local; knows nothing else.")
    writer.add_license("MIT")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(c.max_position_embeddings)
    writer.add_embedding_length(c.hidden_size)
    writer.add_block_count(c.num_hidden_layers)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_head_count(c.num_attention_heads)
    writer.add_head_count_kv(c.num_key_value_heads)
    writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    writer.add_rope_freq_base(c.rope_parameters["rope_theta"])
    writer.add_vocab_size(c.vocab_size)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    """The "gpt2" scheme of GGUF: byte-level pieces, merges, and GPT-2's pre-tokenizer."""
    state = json.loads(tokenizer.to_str())["model"]
    pieces = sorted(state["vocab"], key=state["vocab"].__getitem__)
    special = tokenizer.token_to_id(END_OF_TEXT)
    types = [
        gguf.TokenType.CONTROL if i == special else gguf.TokenType.NORMAL
        for i in range(len(pieces))
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(pieces)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(merge) for merge in state["merges"]])
    writer.add_bos_token_id(special)
    writer.add_eos_token_id(special)
    writer.add_pad_token_id(special)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)


def add_tensors(writer: gguf.GGUFWriter, model: LlamaForCausalLM, kind: type) -> None:
    """The weights of a Llama with tied embeddings: matrices in ``kind``, vectors in 32 bits."""
    heads = model.config.num_attention_heads
    kv_heads = model.config.num_key_value_heads
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, model.config.num_hidden_layers)
    for key, tensor in model.state_dict().items():
        if key == "lm_head.weight":  # tied: llama.cpp then reads the token embedding
            continue
        weight = tensor.detach().float().cpu().numpy()
        if key.endswith("q_proj.weight"):
            weight = _interleave(weight, heads)
        elif key.endswith("k_proj.weight"):
            weight = _interleave(weight, kv_heads)
        name = names.get_name(key, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise ValueError(f"GGUF has no name for the tensor {key!r}")
        writer.add_tensor(name, weight.astype(kind if weight.ndim > 1 else np.float32))


def _interleave(weight: np.ndarray, heads: int) -> np.ndarray:
    """From transformers' rotary layout (two halves) to llama.cpp's (neighbouring pairs)."""
    rows = weight.shape[0]
    return weight.reshape(heads, 2, rows // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def quantize_q8_0(source: Path, target: Path) -> None:
    """Quantizes a float16 GGUF to 8 bits in blocks of 32 (columns must be multiples of 32)."""
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
    parameters.nthread = 1
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), parameters)
    if code != 0:
        raise RuntimeError(f"llama.cpp could not quantize {source} (code {code})")


def verify(
    path: Path, model: LlamaForCausalLM, tokenizer: Tokenizer, texts: Sequence[str]
) -> float:
    """Compares llama.cpp's reading of ``path`` with the model that it was written from.

    Returns:
        The largest difference of a log-probability of a next token over all positions of ``texts``.

    Raises:
        ValueError: a text is cut into different tokens.
    """
    llm = llama_cpp.Llama(
        str(path), n_ctx=model.config.max_position_embeddings, logits_all=True, verbose=False
    )
    worst = 0.0
    for text in texts:
        ids = tokenizer.encode(text).ids
        theirs = llm.tokenize(text.encode(), add_bos=False, special=False)
        if ids != theirs:
            raise ValueError(
                f"{path} cuts {text!r} into {theirs}, the trained tokenizer into {ids}"
            )
        llm.reset()
        llm.eval(ids)
        found = torch.tensor(llm.scores[: len(ids)]).float().log_softmax(-1)
        with torch.inference_mode():
            logits = model(torch.tensor([ids], device=model.device)).logits[0]
        wanted = logits.float().cpu().log_softmax(-1)
        likely = wanted > -8  # what is never said may differ
        worst = max(worst, float((found - wanted)[likely].abs().max()))
    return worst
