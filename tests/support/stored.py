"""Ids, vectors and processes for tests of the store."""

import hashlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.support.paths import ROOT
from visdiff_local.images import File
from visdiff_local.protocols import (
    FloatArray,
)
from visdiff_local.types import ImageRef

D = 32


def ids(count: int, first: int = 0) -> list[str]:
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(first, first + count)]


def refs(count: int) -> list[ImageRef]:
    return [ImageRef(id_, File(Path(f"/none/{id_}"))) for id_ in ids(count)]


def vector_of(id_: str) -> FloatArray:
    values = np.random.default_rng(int(id_[:12], 16)).standard_normal(D)
    return (values / np.linalg.norm(values)).astype(np.float32)


def vectors_of(names: Sequence[str]) -> FloatArray:
    return np.stack([vector_of(name) for name in names]) if names else np.zeros((0, D), np.float32)


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """The helpers in tests/support are importable in ``code``."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


@dataclass
class Fake:
    """Answers by content, says what it was asked, and gives no answer about ``silent`` images."""

    fingerprint: str = "f"
    dimension: int = D
    silent: set[str] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)
    fails_after: int = 10**9

    def _count(self, count: int) -> None:
        self.asked.append(count)
        if sum(self.asked) > self.fails_after:
            raise KeyboardInterrupt

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        self._count(len(images))
        return ["" if r.id in self.silent else f"caption of {r.id[:8]}" for r in images]

    def text_p_yes(self, prompts: Sequence[str]) -> FloatArray:
        self._count(len(prompts))
        return np.array([len(text) % 7 / 7 for text in prompts], dtype=np.float32)

    def p_yes(self, images: Sequence[ImageRef], questions: Sequence[str]) -> FloatArray:
        self._count(len(images) * len(questions))
        return np.array(
            [
                [
                    np.nan if ref.id in self.silent else int(ref.id[:6], 16) / 2**24 / len(question)
                    for question in questions
                ]
                for ref in images
            ],
            dtype=np.float32,
        )

    def describe(
        self, groups: Sequence[Sequence[ImageRef]], prompt: str, *, seed: int, grid: bool
    ) -> list[str]:
        self._count(len(groups))
        return [f"{[r.id[:4] for r in group]} {prompt} {seed} {grid}" for group in groups]

    def describe_difference(
        self, a: Sequence[ImageRef], b: Sequence[ImageRef], *, samples: int, seed: int
    ) -> list[str]:
        self._count(1)
        return [f"{len(a)} {len(b)} {seed} {n}" for n in range(samples)]

    def complete(self, prompts: Sequence[str], **options: object) -> list[str]:
        self._count(len(prompts))
        return [f"{prompt} {sorted(options.items())}" for prompt in prompts]

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        self._count(len(prompts))
        rows = [[np.nan if "?" in p else 1 / len(options)] * len(options) for p in prompts]
        return np.array(rows, dtype=np.float32)

    def embed_images(self, images: Sequence[ImageRef]) -> FloatArray:
        self._count(len(images))
        vectors = vectors_of([ref.id for ref in images])
        vectors[[ref.id in self.silent for ref in images]] = np.nan
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        self._count(len(texts))
        return vectors_of([hashlib.sha256(text.encode()).hexdigest() for text in texts])


def never_opened() -> Fake:
    raise AssertionError("the model was opened")
