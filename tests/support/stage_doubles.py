"""Small protocol objects for the tests of the stages: images whose content is in their name."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from visdiff_local.images import File
from visdiff_local.protocols import FloatArray
from visdiff_local.types import Caption, Hypothesis, ImageRef, Provenance


def ref(name: str, **fields: str) -> ImageRef:
    return ImageRef(name, File(Path("/images") / f"{name}.png"), **fields)


def refs(prefix: str, n: int) -> list[ImageRef]:
    return [ref(f"{prefix}{i}") for i in range(n)]


def hypothesis(text: str, direction: str = "a") -> Hypothesis:
    assert direction in ("a", "b")
    return Hypothesis(text, direction, Provenance("caption", 0))  # type: ignore[arg-type]


class Words:
    """A text model that answers by functions of the prompt, and remembers what it was asked."""

    fingerprint = "words"

    def __init__(
        self,
        complete: Callable[[str], str] = lambda prompt: "",
        p_yes: Callable[[str], float] = lambda prompt: 0.5,
        choose: Callable[[str], Sequence[float]] = lambda prompt: (1.0, 0.0, 0.0),
    ) -> None:
        self._complete, self._p_yes, self._choose = complete, p_yes, choose
        self.asked: list[str] = []

    def complete(
        self,
        prompts: Sequence[str],
        *,
        grammar: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 512,
    ) -> list[str]:
        self.asked += prompts
        return [self._complete(prompt) for prompt in prompts]

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        self.asked += prompts
        return np.array([self._choose(prompt) for prompt in prompts], dtype=np.float32)

    def text_p_yes(self, prompts: Sequence[str]) -> FloatArray:
        self.asked += prompts
        return np.array([self._p_yes(prompt) for prompt in prompts], dtype=np.float32)


class Eyes:
    """Captioner, visual judge and proposer in one, by functions of the image id."""

    fingerprint = "eyes"

    def __init__(
        self,
        caption: Callable[[str], str] = lambda image: image,
        p_yes: Callable[[str, str], float] = lambda image, question: 0.5,
        describe: Callable[[Sequence[str]], str] = lambda images: "* nothing",
    ) -> None:
        self._caption, self._p_yes, self._describe = caption, p_yes, describe
        self.seen: list[str] = []
        self.asked: list[str] = []

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        self.seen += [image.id for image in images]
        self.asked.append(prompt)
        return [self._caption(image.id) for image in images]

    def p_yes(self, images: Sequence[ImageRef], questions: Sequence[str]) -> FloatArray:
        self.seen += [image.id for image in images]
        self.asked += questions
        rows = [[self._p_yes(image.id, question) for question in questions] for image in images]
        return np.array(rows, dtype=np.float32).reshape(len(images), len(questions))

    def describe(
        self, groups: Sequence[Sequence[ImageRef]], prompt: str, *, seed: int, grid: bool
    ) -> list[str]:
        self.asked.append(prompt)
        self.seen += [image.id for group in groups for image in group]
        return [self._describe([image.id for image in group]) for group in groups]

    def describe_difference(
        self, a: Sequence[ImageRef], b: Sequence[ImageRef], *, samples: int, seed: int
    ) -> list[str]:
        return [self._describe([image.id for image in (*a, *b)]) for _ in range(samples)]


class Space:
    """An embedder: images and texts are unit vectors by name."""

    fingerprint = "space"
    dimension = 8

    def __init__(self, vector: Callable[[str], Sequence[float]]) -> None:
        self._vector = vector
        self.largest_batch = 0

    def embed_images(self, images: Sequence[ImageRef]) -> FloatArray:
        self.largest_batch = max(self.largest_batch, len(images))
        return self._unit([image.id for image in images])

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        return self._unit(texts)

    def _unit(self, names: Sequence[str]) -> FloatArray:
        rows = np.array([self._vector(name) for name in names], dtype=np.float32)
        rows = rows.reshape(len(names), self.dimension)
        unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def captions_of(images: list[ImageRef], text: str) -> dict[str, Caption]:
    return {image.id: Caption(image.id, f"{text} {image.id}") for image in images}
