"""What can be claimed of a hypothesis, given its statistics and those of all the others."""

from visdiff_local.stats.statistics import TestStatistics
from visdiff_local.types import Verdict

EFFECT_FLOOR = 0.55
"""The AUROC that a confirmed difference's interval must clear."""


def standing(
    comparison: TestStatistics, alpha: float, floor: float = EFFECT_FLOOR
) -> list[Verdict]:
    """Confirmed, suggestive or rejected, for each hypothesis; DESIGN, "Statistics".

    Args:
        alpha: bounds q and p_global of a confirmed difference, and p of a suggestive one.
        floor: AUROC that the interval's lower bound must exceed to be confirmed.
    """
    confirmed = (
        (comparison.q_value <= alpha)
        & (comparison.p_global <= alpha)
        & (comparison.ci[:, 0] > floor)
    )
    suggestive = comparison.p_value <= alpha
    return [
        "confirmed" if sure else "suggestive" if maybe else "rejected"
        for sure, maybe in zip(confirmed, suggestive, strict=True)
    ]
