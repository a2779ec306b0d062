"""What a model must do to take part. Add a backend by writing a class with one of these verbs.

Everything is batched: the caller hands over all it wants and the backend cuts its own batches, so
that batch size and order never change a result. ``fingerprint`` covers all that changes an output
(sha256 of the weights, quantization, prompt template, decoding settings, preprocessing) and nothing
that does not (device, batch size).
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from visdiff_local.types import ImageRef

FloatArray = npt.NDArray[np.float32]


@runtime_checkable
class Captioner(Protocol):
    """Describes images one by one."""

    @property
    def fingerprint(self) -> str: ...

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        """One text per image, in order, stripped; empty when the model said nothing."""
        ...


@runtime_checkable
class VisualQA(Protocol):
    """Answers a yes/no question about images."""

    @property
    def fingerprint(self) -> str: ...

    def p_yes(self, images: Sequence[ImageRef], questions: Sequence[str]) -> FloatArray:
        """P(yes) from the logits: float32 (n images, m questions). NaN: the model gave no answer.

        All questions are asked of each image, so that the image is encoded once.
        """
        ...


@runtime_checkable
class ImageProposer(Protocol):
    """Writes text about several images at once: a grid, or the images themselves."""

    @property
    def fingerprint(self) -> str: ...

    def describe(
        self, groups: Sequence[Sequence[ImageRef]], prompt: str, *, seed: int, grid: bool
    ) -> list[str]:
        """One text a group of images. ``grid``: as one picture, 10 columns; else as several."""
        ...


@runtime_checkable
class FeatureProposer(Protocol):
    """Turns the difference of two sets' mean vision features into text, as the paper's BLIP-2."""

    @property
    def fingerprint(self) -> str: ...

    def describe_difference(
        self, a: Sequence[ImageRef], b: Sequence[ImageRef], *, samples: int, seed: int
    ) -> list[str]:
        """``samples`` texts about what A has and B has not."""
        ...


@runtime_checkable
class TextModel(Protocol):
    """A language model."""

    @property
    def fingerprint(self) -> str: ...

    def complete(
        self,
        prompts: Sequence[str],
        *,
        grammar: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 512,
    ) -> list[str]:
        """One completion a prompt; the same for the same prompt and seed, whatever the batch.

        Args:
            grammar: a JSON schema or a GBNF grammar that the reply must obey.
        """
        ...

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """Probability of each option as the next word: float32 (n, k), rows sum to 1.

        A row of NaN: none of the options was likely at all, the model would say something else.
        """
        ...

    def text_p_yes(self, prompts: Sequence[str]) -> FloatArray:
        """P("yes") against "no", in any case and spacing: float32 (n,). NaN: neither."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Puts images and texts into one space; rows are float32 of unit length."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def embed_images(self, images: Sequence[ImageRef]) -> FloatArray:
        """Float32 (n, d)."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Float32 (n, d)."""
        ...


Role = Literal["captioner", "vlm", "llm", "embedder"]
"""What a model is for in a run. One model may play several."""

ROLES: tuple[Role, ...] = ("captioner", "vlm", "llm", "embedder")

NEEDS: Mapping[Role, type] = {
    "captioner": Captioner,
    "vlm": VisualQA,
    "llm": TextModel,
    "embedder": Embedder,
}
"""The protocol that a model must have to play a role. A backend names those it has in its
``IMPLEMENTS``, and everything else follows from these two."""

VERBS: Mapping[str, Role | None] = {
    "caption": "captioner",
    "p_yes": "vlm",
    "complete": "llm",
    "embed_images": "embedder",
    "text_p_yes": None,
    "choose": None,
    "describe": None,
    "describe_difference": None,
    "embed_texts": None,
    "generate": None,
}
"""All that models are asked, and the role whose speed shows in it."""
