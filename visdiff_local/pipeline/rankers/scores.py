"""Rankers: how true is each hypothesis of each image?

Three ways to score: CLIP's cosine, the vision-language model's P(yes), the language model's P(yes)
over the caption. They combine as an ensemble (``clip+vqa``) or a cascade (``clip>vqa``, in
:mod:`visdiff_local.pipeline.rankers.cascade`). Yes and no are read from token probabilities, never from text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local import prompts
from visdiff_local.protocols import Embedder, FloatArray, TextModel, VisualJudge
from visdiff_local.stats.null import PERMUTE_UP_TO
from visdiff_local.types import Caption, Hypothesis, ImageRef

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ScoreFunction = Callable[[Sequence[str], Sequence[ImageRef]], FloatArray]
"""(M texts, N images) → float32 (M, N); from :func:`clip` float16 where there are very many images.
NaN: the model gave no answer for that image."""

IMAGES_AT_ONCE = 4096
"""Embeddings of so many images are held in memory together: few enough that the next ones take the
same memory again, which is cheaper than to ask the system for more."""
HALF_ABOVE = PERMUTE_UP_TO
"""Cosines of more images than this are kept in half precision, and their statistics counted."""
PROMPTS_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images of both sets and the side each is from; ``is_a`` bool (N,)."""

    refs: tuple[ImageRef, ...]
    is_a: BoolArray

    @classmethod
    def of(cls, a: Sequence[ImageRef], b: Sequence[ImageRef]) -> "Images":
        return cls((*a, *b), np.arange(len(a) + len(b)) < len(a))


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the ranker says of M hypotheses and N images."""

    values: FloatArray
    """Float32 or float16 (M, N), higher is more true, no NaN; see :func:`filled`."""
    unparsed: IntArray
    """(M,) images for which a model gave no answer."""
    stage: IntArray
    """(M,) how many stages of a cascade the hypothesis reached; 1 where there is no cascade.
    Hypotheses that reached further are ranked before the others."""

    @classmethod
    def single(cls, answers: FloatArray) -> "Scores":
        """Scores of one stage from answers in which NaN means none."""
        unparsed = np.array([np.count_nonzero(np.isnan(row)) for row in answers], dtype=np.int64)
        values = filled(answers) if unparsed.any() else answers
        return cls(values, unparsed, np.ones(len(answers), dtype=np.int64))


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
    wordings = [prompts.render("clip", family, hypothesis=text).splitlines() for text in texts]
    flat = [wording for each in wordings for wording in each]
    vectors = embedder.embed_texts(flat).reshape(len(texts), -1, embedder.dimension).mean(axis=1)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    precision = np.float16 if len(images) > HALF_ABOVE else np.float32
    scores = np.empty((len(texts), len(images)), dtype=precision)
    for start in range(0, len(images), IMAGES_AT_ONCE):
        chunk = slice(start, start + IMAGES_AT_ONCE)
        scores[:, chunk] = vectors @ embedder.embed_images(images[chunk]).T
    return scores


def vqa(
    texts: Sequence[str],
    images: Sequence[ImageRef],
    *,
    model: VisualJudge,
    family: str = "default",
    binary: bool = False,
) -> FloatArray:
    """P(yes) of a vision-language model that sees the image; 0 or 1 with ``binary``."""
    questions = [prompts.render("vqa", family, hypothesis=text) for text in texts]
    p_yes = model.p_yes(images, questions).T
    return as_binary(p_yes) if binary else p_yes.astype(np.float32)


def caption_qa(
    texts: Sequence[str],
    images: Sequence[ImageRef],
    *,
    captions: Mapping[str, Caption],
    llm: TextModel,
    family: str = "default",
    binary: bool = False,
) -> FloatArray:
    """P(yes) of a language model that reads the caption; 0 or 1 with ``binary``.

    All questions about one caption follow each other, so that a backend can share their prefix;
    equal captions are asked about once. NaN where an image has no caption.
    """
    said = [captions[ref.id].text if ref.id in captions else None for ref in images]
    distinct = list(dict.fromkeys(text for text in said if text is not None))
    answers: dict[str | None, FloatArray] = {None: np.full(len(texts), np.nan, dtype=np.float32)}
    step = max(1, PROMPTS_AT_ONCE // max(1, len(texts)))
    for start in range(0, len(distinct), step):
        chunk = distinct[start : start + step]
        asked = [
            prompts.render("caption_qa", family, caption=caption, hypothesis=text)
            for caption in chunk
            for text in texts
        ]
        p_yes = llm.p_yes(asked).reshape(len(chunk), len(texts))
        answers.update(zip(chunk, p_yes, strict=True))
    scores = np.stack([answers[text] for text in said], axis=1).astype(np.float32)
    return as_binary(scores) if binary else scores


def ensemble(members: Sequence[ScoreFunction]) -> ScoreFunction:
    """The mean of the members' ranks of the images: (0, 1), the same weight whatever their scale.

    An image that one member did not answer for is ranked by the others.
    """

    def scored(texts: Sequence[str], images: Sequence[ImageRef]) -> FloatArray:
        ranks = np.stack([_relative_ranks(member(texts, images)) for member in members])
        answered = (~np.isnan(ranks)).sum(axis=0)
        total = np.nansum(ranks, axis=0)
        mean = np.where(answered > 0, total / np.maximum(answered, 1), np.nan)
        return mean.astype(np.float32)

    return scored


def filled(answers: FloatArray) -> FloatArray:
    """Answers (M, N) with each NaN replaced by the mean of its row, 0.5 where the row has none.

    A missing answer is thereby neither a yes nor a no: it lies in the middle of its hypothesis's
    scores, whichever set the image is from, and can only pull the AUROC towards 0.5.
    """
    whole = answers
    for row, values in enumerate(
        answers
    ):  # one at a time: M × N float64 would be the largest array
        missing = np.isnan(values)
        if missing.any():
            whole = answers.copy() if whole is answers else whole
            known = values[~missing]
            whole[row, missing] = known.mean(dtype=np.float64) if len(known) else 0.5
    return whole


def as_binary(p_yes: FloatArray) -> FloatArray:
    """Yes (1) where P(yes) is above one half, else no (0); NaN stays."""
    return np.where(np.isnan(p_yes), np.nan, p_yes > 0.5).astype(np.float32)


def oriented(values: FloatArray, hypotheses: Sequence[Hypothesis]) -> FloatArray:
    """Scores (M, N) with the rows of direction "b" negated: high is then more like A in every row
    whose hypothesis holds. This is what :mod:`visdiff_local.stats` expects."""
    facing = values.copy()
    of_b = [row for row, hypothesis in enumerate(hypotheses) if hypothesis.direction == "b"]
    facing[of_b] = -facing[of_b]
    return facing


def _relative_ranks(answers: FloatArray) -> npt.NDArray[np.float64]:
    from scipy.stats import rankdata  # half a second, which only ensembles pay

    ranks = rankdata(answers, axis=1, nan_policy="omit").astype(np.float64)
    count = np.maximum((~np.isnan(answers)).sum(axis=1, keepdims=True), 1)
    return np.asarray((ranks - 0.5) / count)
