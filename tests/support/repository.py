"""A model's repository in small, and the command line on it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from visdiff_local.models.specs import ModelSpec

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


ENTRY = """
[models.tiny]
backend = "vlm"
repo = "team/tiny"
license = "MIT"
commercial = true
max_new_tokens = 7

[profiles.small]
captioner = "tiny"
vlm = "tiny"
llm = "nano-llama"
embedder = "nano-clip"
"""


def tensors(seed: int, rows: int = 3000) -> bytes:
    values = np.random.default_rng(seed).standard_normal((rows, 16)).astype(np.float32)
    return save({f"weight{seed}": values})


def repository() -> dict[str, bytes]:
    index = {"weight_map": {f"weight{i}": name for i, name in enumerate(SHARDS)}}
    return {
        "config.json": b'{"model_type": "llava"}',
        "tokenizer.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        **{name: tensors(i) for i, name in enumerate(SHARDS)},
        "README.md": b"# not needed",
        "pytorch_model.bin": b"a pickle, never fetched",
        "onnx/model.onnx": b"never fetched",
    }


NEEDED = sorted(set(repository()) - {"README.md", "pytorch_model.bin", "onnx/model.onnx"})


def command(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "visdiff_local", "models", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
    )


def flip(path: Path, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def with_checksums(spec: ModelSpec, folder: Path) -> ModelSpec:
    from visdiff_local.models.weights.pack import describe

    return describe(spec, folder).spec
