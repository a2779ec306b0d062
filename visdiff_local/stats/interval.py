"""Intervals of an AUROC, on the logit scale (Qin & Hotilovac 2008, "LT"), with Student's t.

At the edges, where the sets are apart altogether or the standard error is not known (one unit, a
constant score): Newcombe 2006, method 5, the score interval with the Hanley–McNeil variance; its
bound stays away from the edge by what the numbers of units allow.
"""

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.normal import quantile
from visdiff_local.stats.student import t_quantile
from visdiff_local.stats.ties import FloatArray

LEVEL = 0.95
"""Coverage of an interval unless another is asked for."""


def logit(area: FloatArray) -> FloatArray:
    """log(a / (1 − a)), infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(area) - np.log1p(-area))


def expit(value: FloatArray) -> FloatArray:
    """The inverse of :func:`logit`."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-value)))


def logit_interval(
    area: FloatArray,
    se: FloatArray,
    df: FloatArray,
    units: tuple[int, int],
    level: npt.ArrayLike = LEVEL,
) -> FloatArray:
    """(M, 2), within [0, 1]: of AUROCs (M,) with standard errors ``se`` (0: unknown) of ``df``.

    Args:
        units: of A and of B: images, or clusters; for the edges.
        level: coverage, one for all or (M,).
    """
    wanted = np.broadcast_to(np.asarray(level, np.float64), area.shape)
    usable = (area > 0) & (area < 1) & (se > 0)
    inner = np.where(usable, area, 0.5)
    reach = np.zeros(area.shape)
    for one in np.unique(wanted):
        mine = wanted == one
        reach[mine] = t_quantile(0.5 + float(one) / 2, df[mine])
    half = reach * np.where(usable, se, 0.0) / (inner * (1 - inner))
    bounds = expit(logit(inner)[:, None] + half[:, None] * np.array([-1.0, 1.0]))
    for row in np.flatnonzero(~usable):
        z = quantile(0.5 + float(wanted[row]) / 2)
        bounds[row] = score_interval(area[row : row + 1], *units, z)[0]
    return bounds


def hanley_mcneil_variance(area: FloatArray, n_a: float, n_b: float) -> FloatArray:
    """Hanley & McNeil 1982, with both sizes replaced by their mean (Newcombe 2006, method 5)."""
    spare = (n_a + n_b) / 2 - 1
    return np.asarray(
        area
        * (1 - area)
        / (n_a * n_b)
        * (1 + spare * (1 - area) / (2 - area) + spare * area / (1 + area))
    )


def score_interval(area: FloatArray, n_a: float, n_b: float, z: float) -> FloatArray:
    """The areas θ with |θ − area| ≤ z·sd(θ): (M, 2), by bisection."""
    bounds = np.empty((len(area), 2))
    for side, outer in enumerate((0.0, 1.0)):
        outside, inside = np.full_like(area, outer), area.copy()
        for _ in range(60):
            middle = (outside + inside) / 2
            covered = np.abs(middle - area) <= z * np.sqrt(hanley_mcneil_variance(middle, n_a, n_b))
            inside = np.where(covered, middle, inside)
            outside = np.where(covered, outside, middle)
        bounds[:, side] = inside
    return bounds


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike, level: float = LEVEL) -> FloatArray:
    """Wilson's score interval of a share: (..., 2). Successes may be halves (ties)."""
    z = quantile(0.5 + level / 2)
    k, n = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    low = np.where(k == 0, 0.0, centre - half)  # exactly, whatever the rounding
    high = np.where(k == n, 1.0, centre + half)
    bounds: FloatArray = np.stack([low, high], axis=-1).clip(0.0, 1.0)
    return bounds
