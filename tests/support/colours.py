"""A backend that sees colours and nothing else, and the pictures to go with it.

It plays all roles, is right about what it sees, and counts what it is asked, so that the tests of
the pipeline know what must come out.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from visdiff_local.images import decoded
from visdiff_local.models.specs import ModelSpec
from visdiff_local.protocols import (
    Captioner,
    Embedder,
    FeatureProposer,
    ImageProposer,
    TextModel,
    VisualQA,
)
from visdiff_local.types import ImageRef

PALETTE = {"red": (200, 40, 40), "green": (40, 160, 40), "blue": (40, 40, 200)}
NAMES = tuple(PALETTE)
DIMENSION = 8

MODELS_TOML = "".join(
    f'[models.{name}]\nbackend = "fake"\n' for name in ("eye", "seer", "scribe", "space")
) + ('[profiles.colours]\ncaptioner = "eye"\nvlm = "seer"\nllm = "scribe"\nembedder = "space"\n')


def draw(folder: Path, colours: Sequence[str], *, seed: int, start: int = 0) -> Path:
    """One noisy square a colour, all different, as PNG files 000.png, 001.png …"""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number, colour in enumerate(colours, start):
        noise = rng.normal(0, 30, (48, 48, 3))
        pixels = np.clip(np.array(PALETTE[colour]) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


IMPLEMENTS = (Captioner, VisualQA, ImageProposer, FeatureProposer, TextModel, Embedder)


def fingerprint(spec: ModelSpec, folder: Path) -> str:
    return f"colours {spec.name}"


def open_model(spec: ModelSpec, folder: Path, *, device: str = "auto") -> "Colours":
    Colours.opened += 1
    if Colours.fails is not None:
        raise Colours.fails
    return Colours(spec.name)


class Colours:
    """All roles in one. The class counts what all its models were asked."""

    opened: ClassVar[int] = 0
    asked_images: ClassVar[list[str]] = []
    """Ids, one for each time a model looked at the image."""
    fails: ClassVar[BaseException | None] = None
    """Raised on opening."""
    interrupt_after: ClassVar[int | None] = None
    """Looks after which the user presses Ctrl-C."""
    dimension = DIMENSION

    def __init__(self, name: str) -> None:
        self.fingerprint = f"colours {name}"

    @classmethod
    def reset(cls) -> None:
        cls.opened, cls.asked_images = 0, []
        cls.fails, cls.interrupt_after = None, None

    def __enter__(self) -> "Colours":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        return [f"a {colour} square" for colour in self._look(images)]

    def text_p_yes(self, prompts: Sequence[str]) -> Any:
        """Does the caption hold the hypothesis's colour?"""
        return np.array([_agree(prompt) for prompt in prompts], dtype=np.float32)

    def p_yes(self, items: Sequence[Any], questions: Sequence[str]) -> Any:
        seen = self._look(items)
        rows = [
            [0.9 if colour in _colours_in(text) else 0.1 for text in questions] for colour in seen
        ]
        return np.array(rows, dtype=np.float32).reshape(len(items), len(questions))

    def complete(self, prompts: Sequence[str], **_: Any) -> list[str]:
        return ["* a red square\n* a blue square\n* a green square"] * len(prompts)

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> Any:
        return np.array([_graded(prompt) for prompt in prompts], dtype=np.float32)

    def embed_images(self, images: Sequence[ImageRef]) -> Any:
        pairs = zip(self._look(images), images, strict=True)
        return np.stack([_vector(colour, ref.id) for colour, ref in pairs])

    def embed_texts(self, texts: Sequence[str]) -> Any:
        return np.stack([_vector(next(iter(_colours_in(text)), None), text) for text in texts])

    def describe(self, groups: Sequence[Any], prompt: str, *, seed: int, grid: bool) -> list[str]:
        return ["* a red square"] * len(groups)

    def describe_difference(self, a: Any, b: Any, *, samples: int, seed: int) -> list[str]:
        return ["a red square"] * samples

    def _look(self, images: Sequence[ImageRef]) -> list[str]:
        colours = []
        for ref, image in decoded(images):
            Colours.asked_images.append(ref.id)
            if len(Colours.asked_images) == Colours.interrupt_after:
                raise KeyboardInterrupt
            mean = np.asarray(image).reshape(-1, 3).mean(axis=0)
            colours.append(min(NAMES, key=lambda c: float(np.abs(PALETTE[c] - mean).sum())))
        return colours


def _vector(colour: str | None, salt: str) -> Any:
    digest = hashlib.sha256(salt.encode()).digest()
    vector = np.random.default_rng(int.from_bytes(digest[:8])).normal(0, 0.15, DIMENSION)
    if colour is not None:
        vector[NAMES.index(colour)] += 1.0
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _colours_in(text: str) -> list[str]:
    return re.findall(rf"\b({'|'.join(NAMES)})\b", text)


def _agree(prompt: str) -> float:
    """The caption and the hypothesis name the same colour."""
    return 0.9 if len(set(_colours_in(prompt))) == 1 else 0.1


def _graded(prompt: str) -> list[float]:
    """Grade 2 where what is true of the first group and the hypothesis name the same colour."""
    named = _colours_in(prompt)
    return [0.1, 0.1, 0.8] if named and named[0] == named[-1] else [0.8, 0.1, 0.1]
