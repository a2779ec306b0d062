"""What every ranker gives: how true each hypothesis is of each image, (M texts, N images).

A ranker is one file called like its ``--ranker``: :mod:`.clip`, :mod:`.vqa`, :mod:`.caption_qa`.
They combine as an ensemble (``clip+vqa``) or a cascade (``clip>vqa``). Yes and no are read from
token probabilities, never from text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.images.listing import joined
from visdiff_local.protocols import FloatArray
from visdiff_local.types import Hypothesis, ImageRef

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ScoreFunction = Callable[[Sequence[str], Sequence[ImageRef]], FloatArray]
"""(M texts, N images) → float32 (M, N); from the ranker ``clip`` float16 where there are
very many images. NaN: the model gave no answer for that image."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images of both sets and the side each is from; ``is_a`` bool (N,)."""

    refs: Sequence[ImageRef]
    """A tuple, or a columnar listing that makes them when they are asked for."""
    is_a: BoolArray
    sampled: stats.Design | None = None
    """How they belong together; None: each is independent of the others."""

    @classmethod
    def of(cls, a: Sequence[ImageRef], b: Sequence[ImageRef]) -> "Images":
        return cls(joined([a, b]), np.arange(len(a) + len(b)) < len(a))

    @cached_property
    def design(self) -> stats.Design:
        return self.sampled or stats.Design(self.is_a)


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
    answered: BoolArray | None = None
    """(M, N) which values a model gave, and are not filled in; None: all of them."""

    @classmethod
    def single(cls, answers: FloatArray) -> "Scores":
        """Scores of one stage from answers in which NaN means none."""
        unparsed = np.array([np.count_nonzero(np.isnan(row)) for row in answers], dtype=np.int64)
        stage = np.ones(len(answers), dtype=np.int64)
        if not unparsed.any():
            return cls(answers, unparsed, stage)
        return cls(filled(answers), unparsed, stage, ~np.isnan(answers))


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
