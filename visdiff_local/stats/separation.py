"""One hypothesis at a time: AUROC, its interval, and the one-sided Mann–Whitney p-value."""

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.normal import quantile, upper_tail
from visdiff_local.stats.ties import FloatArray, TieGroups, checked, each_block

LEVEL = 0.95
"""Coverage of every interval of this package."""

Alternative = Literal["greater", "two-sided"]

Z = quantile(0.5 + LEVEL / 2)

EXACT_WORK = 1_000_000
"""Exact p-values where (n · N)² is at most this, n the smaller set and N both: 22 against 22."""


def auroc(scores: npt.ArrayLike, is_a: npt.ArrayLike) -> FloatArray:
    """Chance that an image of A scores above one of B, ties counting half (mid-ranks): (M,).

    Args:
        scores: float16, float32 or float64 (M, N), a row a hypothesis; (N,) is one row.
        is_a: bool (N,).

    Raises:
        ValueError: a score is NaN (rows are named), a set is empty, or the shapes do not fit.
    """
    matrix, labels = checked(scores, is_a)
    areas = each_block(lambda groups: groups.auroc, matrix, labels)
    return np.concatenate([np.zeros(0), *areas])


def mann_whitney_p(
    scores: npt.ArrayLike, is_a: npt.ArrayLike, *, alternative: Alternative = "greater"
) -> FloatArray:
    """Mann–Whitney p (M,) of scores (M, N); see :func:`p_values`. Two-sided: twice the smaller.

    Raises:
        ValueError: as :func:`auroc`.
    """
    matrix, labels = checked(scores, is_a)
    p = np.concatenate([np.zeros(0), *each_block(p_values, matrix, labels)])
    if alternative == "greater":
        return p
    twice: FloatArray = 2 * np.minimum(p, mann_whitney_p(-matrix, labels))
    return np.minimum(1.0, twice)


def separation(groups: TieGroups) -> tuple[FloatArray, FloatArray, FloatArray]:
    """AUROC (M,), its 95% interval (M, 2) and its one-sided p (M,)."""
    return groups.auroc, interval(groups), p_values(groups)


def delong_variance(groups: TieGroups) -> FloatArray:
    """Variance of the AUROC (M,): DeLong et al. 1988, for two sets; NaN for a set of one."""
    n_a, n_b = groups.n_a, groups.n_b
    if min(n_a, n_b) == 1:
        return np.full(len(groups.first), np.nan)
    # Placements, 2n · (share of the other set that an image beats − ½): whole numbers.
    mean = 2 * groups.auroc - 1
    squares_a = groups.per_hypothesis(groups.a * groups.beats_b**2) / (n_a * float(n_b) ** 2)
    squares_b = groups.per_hypothesis(groups.b * groups.beaten_by_a**2) / (n_b * float(n_a) ** 2)
    over_a = (squares_a - mean**2) / (4.0 * (n_a - 1))
    over_b = (squares_b - mean**2) / (4.0 * (n_b - 1))
    variance: FloatArray = np.maximum(over_a + over_b, 0.0)
    return variance


def interval(groups: TieGroups) -> FloatArray:
    """95% interval of the AUROC: (M, 2), within [0, 1].

    DeLong's variance on the logit scale (Qin & Hotilovac 2008, "LT"), which covers better than the
    symmetric interval near 0 and 1. At the edges, where the sets are apart altogether or DeLong's
    variance is zero or unknown (one image, a constant score): Newcombe 2006, method 5, the score
    interval with the Hanley–McNeil variance; its bound stays away from the edge by what the set
    sizes allow.
    """
    area, variance = groups.auroc, delong_variance(groups)
    usable = (area > 0) & (area < 1) & (variance > 0)
    inner = np.where(usable, area, 0.5)
    half = Z * np.sqrt(np.where(usable, variance, 0.0)) / (inner * (1 - inner))
    logit = np.log(inner / (1 - inner))[:, None] + half[:, None] * np.array([-1.0, 1.0])
    with np.errstate(over="ignore"):  # exp(−logit) is infinite where the bound is 0
        bounds = 1 / (1 + np.exp(-logit))
    edge = ~usable
    if edge.any():
        bounds[edge] = _score_interval(area[edge], groups.n_a, groups.n_b)
    ordered: FloatArray = bounds
    return ordered


def p_values(groups: TieGroups) -> FloatArray:
    """One-sided Mann–Whitney p (M,): small where A scores higher.

    Exact over all relabellings, ties included, where the sets are small (:data:`EXACT_WORK`); else
    the normal approximation with tie and continuity correction. 1 for a constant score.
    """
    n_a, n_b = groups.n_a, groups.n_b
    if (min(n_a, n_b) * (n_a + n_b)) ** 2 <= EXACT_WORK:
        return _exact_p(groups)
    n = n_a + n_b
    variance = n_a * n_b / 12.0 * (n + 1 - _ties(groups) / (n * (n - 1.0)))
    excess = 0.5 * groups.doubled_u - 0.5 * n_a * n_b - 0.5
    varies = variance > 1e-9 * n_a * n_b  # a constant score leaves rounding errors
    z = excess / np.sqrt(np.where(varies, variance, 1.0))
    return np.where(varies, upper_tail(z), 1.0)


def _ties(groups: TieGroups) -> FloatArray:
    """Σ (t³ − t) over the ties: (M,)."""
    if len(groups.a) == len(groups.first) * (groups.n_a + groups.n_b):
        return np.zeros(len(groups.first))
    sizes = groups.a + groups.b
    return groups.per_hypothesis(sizes * (sizes * sizes - 1))


def hanley_mcneil_variance(area: FloatArray, n_a: int, n_b: int) -> FloatArray:
    """Hanley & McNeil 1982, with both sizes replaced by their mean (Newcombe 2006, method 5)."""
    spare = (n_a + n_b) / 2 - 1
    return (
        area
        * (1 - area)
        / (n_a * n_b)
        * (1 + spare * (1 - area) / (2 - area) + spare * area / (1 + area))
    )


def _score_interval(area: FloatArray, n_a: int, n_b: int) -> FloatArray:
    """The areas θ with |θ − area| ≤ z·sd(θ): (M, 2), by bisection."""
    bounds = np.empty((len(area), 2))
    for side, outer in enumerate((0.0, 1.0)):
        outside, inside = np.full_like(area, outer), area.copy()
        for _ in range(60):
            middle = (outside + inside) / 2
            covered = np.abs(middle - area) <= Z * np.sqrt(hanley_mcneil_variance(middle, n_a, n_b))
            inside = np.where(covered, middle, inside)
            outside = np.where(covered, outside, middle)
        bounds[:, side] = inside
    return bounds


def _exact_p(groups: TieGroups) -> FloatArray:
    n_a, n_b = groups.n_a, groups.n_b
    smaller = min(n_a, n_b)
    doubled = groups.doubled_u if n_a <= n_b else 2 * n_a * n_b - groups.doubled_u
    p = np.empty(len(groups.first))
    for row, sizes in enumerate(np.split(groups.a + groups.b, groups.first[1:])):
        chances = _doubled_u_chances(tuple(sizes[sizes > 0].astype(int).tolist()), smaller)
        at = int(doubled[row])
        p[row] = chances[at:].sum() if n_a <= n_b else chances[: at + 1].sum()
    return np.minimum(p, 1.0)


@lru_cache(maxsize=256)
def _doubled_u_chances(tie_sizes: tuple[int, ...], smaller: int) -> FloatArray:
    """Chance of each 2U = 0, 1, … of a set of ``smaller`` images when the labels mean nothing.

    The shift algorithm (Streitberg & Röhmel 1986): counts subsets by size and doubled rank sum.
    """
    total = sum(tie_sizes)
    offset = smaller * (smaller + 1)  # the least doubled rank sum, for 2U = 0
    highest = offset + 2 * smaller * (total - smaller)
    subsets = np.zeros((smaller + 1, highest + 1))
    subsets[0, 0] = 1.0
    below = 0
    for size in tie_sizes:
        rank = 2 * below + size + 1
        for _ in range(size):
            subsets[1:, rank:] += subsets[:-1, : highest + 1 - rank]
        below += size
    chances: FloatArray = subsets[smaller, offset:] / subsets[smaller].sum()
    return chances
