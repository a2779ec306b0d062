"""Several rankers with one voice each: ``clip+vqa``."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visdiff_local.pipeline.rankers.scores import ScoreFunction
from visdiff_local.protocols import FloatArray
from visdiff_local.types import ImageRef


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


def _relative_ranks(answers: FloatArray) -> npt.NDArray[np.float64]:
    from scipy.stats import rankdata  # half a second, which only ensembles pay

    ranks = rankdata(answers, axis=1, nan_policy="omit").astype(np.float64)
    count = np.maximum((~np.isnan(answers)).sum(axis=1, keepdims=True), 1)
    return np.asarray((ranks - 0.5) / count)
