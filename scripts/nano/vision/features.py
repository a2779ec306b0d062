"""What the frozen eye sees of the pool's pictures, kept on disk for the trainings that follow."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from scripts.nano.vision.loop import DEVICE, half_precision, on_device
from scripts.nano.vision.pool import Pool

Features = npt.NDArray[np.float16]


@torch.no_grad()
def features_of(tower: nn.Module, pool: Pool, folder: Path, name: str, limit: int) -> Features:
    """Float16 (n, tokens, width) of the first ``limit`` pictures; computed once, then mapped.

    ``tower`` maps pixels float32 (n, 3, 96, 96) in [-1, 1] to tokens.
    """
    about, data = folder / f"{name}.json", folder / f"{name}.f16"
    n = min(limit, len(pool))
    if about.exists():
        shape = tuple(json.loads(about.read_text()))
        if shape[0] == n:
            return np.memmap(data, np.float16, "r", shape=shape)
    folder.mkdir(parents=True, exist_ok=True)
    tower.eval().to(DEVICE)
    store: Features | None = None
    for start in range(0, n, 256):
        images = on_device(pool.images[start : min(n, start + 256)])
        pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        with half_precision():
            tokens = tower(pixels).float().cpu().numpy().astype(np.float16)
        if store is None:
            store = np.memmap(data, np.float16, "w+", shape=(n, *tokens.shape[1:]))
        store[start : start + len(tokens)] = tokens
        if start % 25_600 == 0:
            print(f"features {name}: {start}/{n}", flush=True)
    assert store is not None, "the pool is empty"
    store.flush()
    about.write_text(json.dumps(list(store.shape)))
    return store
