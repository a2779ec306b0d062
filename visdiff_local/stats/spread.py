"""Few images whose scores spread more, or less, than the others': the error of an AUROC of ½.

Eight images whose scores spread three times as far as those of the other set have an AUROC of .9
by luck far more often than relabelling knows; and once they have, their ranks no longer show it.
Their scores do: moved so that nothing differs, they are spread as before (Fligner & Policello 1981
ask the same of a test of medians).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.student import t_tail
from visdiff_local.stats.ties import BoolArray, FloatArray

UNEQUAL_FROM = 1.0
"""So many times the error of relabelling must the moved sets' be for unequal spreads."""

_UNIFORM = 2.5
"""The variance of placements, which are about uniform, is known from so many times fewer images
than that of normal numbers: 2 / (kurtosis − 1), of 1.8."""


@dataclass(frozen=True, eq=False, slots=True)
class Spread:
    """The AUROC's error once A's scores are moved to an AUROC of ½."""

    error: FloatArray
    """(M,) by DeLong's formula; 0 where a score is infinite."""
    df: FloatArray
    """(M,) Satterthwaite's."""
    plain: BoolArray
    """(M,) it is plainly larger than that of relabelling."""

    def tail(self, area: FloatArray) -> FloatArray:
        """One-sided p (M,) of an AUROC by this error: Student's."""
        error = np.where(self.error > 0, self.error, 1.0)
        return t_tail((area - 0.5) / error, _UNIFORM * self.df)


def spread_when_moved(
    scores: npt.NDArray[np.floating], is_a: BoolArray, null_variance: FloatArray
) -> Spread | None:
    """Of scores (M, N) and the variance of relabelling (M,); None where a set has one image."""
    n_a, n_b = int(is_a.sum()), int((~is_a).sum())
    if min(n_a, n_b) < 2:
        return None
    over = np.zeros((2, len(scores)))
    for row, values in enumerate(scores.astype(np.float64)):
        if not np.isfinite(values).all():
            continue
        a, b = np.sort(values[is_a]), np.sort(values[~is_a])
        low, high = a[0] - b[-1], a[-1] - b[0]  # at these shifts the AUROC is 1, and 0
        for _ in range(30):
            middle = (low + high) / 2
            above = _placed(a - middle, b).mean() > 0.5
            low, high = (middle, high) if above else (low, middle)
        moved = a - high
        over[:, row] = _placed(moved, b).var(ddof=1) / n_a, _placed(b, moved).var(ddof=1) / n_b
    error = np.sqrt(over.sum(axis=0))
    squares = over[0] ** 2 / (n_a - 1) + over[1] ** 2 / (n_b - 1)
    df = np.where(squares > 0, error**4 / np.where(squares > 0, squares, 1.0), 1.0)
    return Spread(error, np.maximum(df, 1.0), error > UNEQUAL_FROM * np.sqrt(null_variance))


def _placed(values: FloatArray, others: FloatArray) -> FloatArray:
    """Share of the others, sorted, that each value is above, ties half."""
    at = np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")
    return np.asarray(at / (2.0 * len(others)))
