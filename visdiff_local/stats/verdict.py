"""What can be claimed of a hypothesis, given its statistics and those of all the others."""

import numpy as np

from visdiff_local.stats.statistics import TestStatistics
from visdiff_local.stats.ties import BoolArray
from visdiff_local.types import Verdict

EFFECT_FLOOR = 0.55
"""The AUROC that a confirmed difference's interval must clear."""


def standing(
    statistics: TestStatistics, alpha: float, floor: float = EFFECT_FLOOR
) -> list[Verdict]:
    """Confirmed, suggestive or rejected, for each: see ``visdiff-local docs statistics``.

    Args:
        alpha: bounds q and p_global of a confirmed difference, and p of a suggestive one.
        floor: AUROC that the interval's lower bound must exceed to be confirmed.
    """
    confirmed = confirmable(statistics, alpha, floor)
    suggestive = statistics.p_value <= alpha
    return [
        "confirmed" if sure else "suggestive" if maybe else "rejected"
        for sure, maybe in zip(confirmed, suggestive, strict=True)
    ]


def confirmable(statistics: TestStatistics, alpha: float, floor: float = EFFECT_FLOOR) -> BoolArray:
    """(M,) where q and p_global are within ``alpha``, the 95% interval clears the floor, and the
    units are enough for any p to be within ``alpha`` at all."""
    return np.asarray(
        (statistics.q_value <= alpha)
        & (statistics.p_global <= alpha)
        & (statistics.ci[:, 0] > floor)
        & (statistics.attainable_p <= alpha)
    )


def out_of_reach(statistics: TestStatistics, alpha: float) -> bool:
    """Whether nothing could be confirmed, whatever the scores: the smallest p that relabelling so
    few units can reach, with the best of M hypotheses alone, is above ``alpha`` after
    Benjamini–Hochberg (M times it), or p_global cannot come down to ``alpha``."""
    return bool(statistics.attainable_p * max(1, len(statistics.p_value)) > alpha)
