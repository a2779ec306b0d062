"""CLIP: the cosine of image and text, from embeddings that the store keeps."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from visdiff_local import prompts
from visdiff_local.protocols import Embedder, FloatArray
from visdiff_local.stats.null import PERMUTE_UP_TO
from visdiff_local.types import ImageRef

IMAGES_AT_ONCE = 4096
"""Embeddings of so many images are held in memory together: few enough that the next ones take the
same memory again, which is cheaper than to ask the system for more."""
HALF_ABOVE = PERMUTE_UP_TO
"""Cosines of more images than this are kept in half precision, and their statistics counted."""


class EmbedsTexts(Protocol):
    """The half of an :class:`Embedder` that texts want."""

    @property
    def dimension(self) -> int: ...

    def embed_texts(self, texts: Sequence[str]) -> FloatArray: ...


def text_vectors(texts: Sequence[str], embedder: EmbedsTexts, family: str) -> FloatArray:
    """Unit vectors (M, d), each the mean of the text's embedding over the prompt templates."""
    wordings = [prompts.render("clip", family, hypothesis=text).splitlines() for text in texts]
    flat = [wording for each in wordings for wording in each]
    vectors = embedder.embed_texts(flat).reshape(len(texts), -1, embedder.dimension).mean(axis=1)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    unit: FloatArray = vectors
    return unit


def clip(
    texts: Sequence[str],
    images: Sequence[ImageRef],
    *,
    embedder: Embedder,
    family: str = "default",
) -> FloatArray:
    """Cosine of image and text, the text's embedding averaged over the prompt templates.

    Image embeddings are held for :data:`IMAGES_AT_ONCE` images at a time, whatever N. Above
    :data:`HALF_ABOVE` images the scores are float16, which resolves a cosine of 0.25 to 2e-4: a
    hundredth of how much images differ, at half the memory and with no sorting later.
    """
    vectors = text_vectors(texts, embedder, family)
    precision = np.float16 if len(images) > HALF_ABOVE else np.float32
    scores = np.empty((len(texts), len(images)), dtype=precision)
    for start in range(0, len(images), IMAGES_AT_ONCE):
        chunk = slice(start, start + IMAGES_AT_ONCE)
        scores[:, chunk] = vectors @ embedder.embed_images(images[chunk]).T
    return scores
