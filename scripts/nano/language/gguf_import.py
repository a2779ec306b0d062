"""Reads a GGUF file that :mod:`gguf_export` wrote back into weights and tokenizer.

Training can so go on from the bundled file, with no checkpoint of the run that made it.
"""

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf.quants import dequantize
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaForCausalLM


def read_tokenizer(path: Path) -> Tokenizer:
    """The byte-level BPE tokenizer of the file."""
    fields = gguf.GGUFReader(path).fields
    pieces = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    types = fields["tokenizer.ggml.token_type"].contents()
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            piece
            for piece, type_ in zip(pieces, types, strict=True)
            if type_ == gguf.TokenType.CONTROL
        ]
    )
    return tokenizer


def load_weights(path: Path, model: LlamaForCausalLM) -> None:
    """Fills ``model``, whose shape must be the file's, with its weights as float32.

    Raises:
        KeyError: the file lacks a tensor of the model.
        RuntimeError: a tensor has another shape.
    """
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, model.config.num_hidden_layers)
    state: dict[str, torch.Tensor] = {}
    for key in model.state_dict():
        source = "model.embed_tokens.weight" if key == "lm_head.weight" else key
        tensor = tensors[str(names.get_name(source, try_suffixes=(".weight", ".bias")))]
        weight = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if key.endswith(("q_proj.weight", "k_proj.weight")):
            weight = _halves(weight, model.config.num_attention_heads)
        state[key] = torch.from_numpy(weight.copy())
    model.load_state_dict(state)


def _halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """From llama.cpp's rotary layout (neighbouring pairs) to transformers' (two halves)."""
    rows = weight.shape[0]
    return weight.reshape(heads, rows // heads // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)
