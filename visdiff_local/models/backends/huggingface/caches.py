"""Keys, values and states of a prompt that has been read, repeated for several continuations."""

import copy
from typing import Any


def repeated(cache: Any, count: int, times: int) -> Any:
    """A copy in which every one of ``count`` sequences stands ``times`` times in a row.

    transformers repeats keys and values only: models with linear attention or convolutions between
    their attention layers (Qwen3.5, LFM2, Granite-4) keep states beside them, in attributes or in
    dicts, which it leaves out or fails at. So every tensor of a layer that has a row a sequence is
    repeated here.
    """
    copied = copy.deepcopy(cache)
    for layer in copied.layers:
        for name, value in vars(layer).items():
            setattr(layer, name, _repeated(value, count, times))
    return copied


def _repeated(value: Any, count: int, times: int) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        by_sequence = value.ndim >= 2 and value.shape[0] == count
        return value.repeat_interleave(times, dim=0) if by_sequence else value
    if isinstance(value, dict):
        return {key: _repeated(item, count, times) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_repeated(item, count, times) for item in value)
    return value
