"""One hypothesis at a time: AUROC, its interval, and the one-sided Mann–Whitney p-value."""

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.interval import LEVEL, logit_interval
from visdiff_local.stats.normal import quantile, upper_tail
from visdiff_local.stats.student import t_tail
from visdiff_local.stats.ties import FloatArray, TieGroups, checked, each_block

Alternative = Literal["greater", "two-sided"]

Z = quantile(0.5 + LEVEL / 2)
"""Half-width of a 95% interval in standard errors."""

PRIOR_IMAGES = 2
"""Images' worth of belief in Hanley & McNeil's variance: see :func:`steadied`."""

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
    over_a, over_b = delong_parts(groups)
    return np.asarray(over_a + over_b)


def delong_parts(groups: TieGroups) -> tuple[FloatArray, FloatArray]:
    """What A's images, and B's, add to DeLong's variance: (M,) each; NaN for a set of one."""
    n_a, n_b = groups.n_a, groups.n_b
    if min(n_a, n_b) == 1:
        return np.full(len(groups.first), np.nan), np.full(len(groups.first), np.nan)
    # Placements, 2n · (share of the other set that an image beats − ½): whole numbers.
    mean = 2 * groups.auroc - 1
    squares_a = groups.per_hypothesis(groups.a * groups.beats_b**2) / (n_a * float(n_b) ** 2)
    squares_b = groups.per_hypothesis(groups.b * groups.beaten_by_a**2) / (n_b * float(n_a) ** 2)
    over_a = (squares_a - mean**2) / (4.0 * (n_a - 1))
    over_b = (squares_b - mean**2) / (4.0 * (n_b - 1))
    return np.maximum(over_a, 0.0), np.maximum(over_b, 0.0)


def steadied(
    over_a: FloatArray,
    over_b: FloatArray,
    area: FloatArray,
    null_variance: FloatArray,
    n_a: int,
    n_b: int,
) -> tuple[FloatArray, FloatArray]:
    """The two parts of DeLong's variance (M,), each with what :data:`PRIOR_IMAGES` images more
    would add whose placements spread as Hanley & McNeil's (1982) model has it at this AUROC.

    Of eight images nearly all above the others, the sample's spread is often next to nothing, and
    an interval of AUROC .9 covers it in 85 of 100. ``null_variance`` takes the ties into account.
    """
    tied = 12.0 * n_a * n_b / (n_a + n_b + 1) * null_variance
    model = (area / (2 - area) + 2 * area**2 / (1 + area)) / 2 - area**2
    model = np.maximum(model, 0.0) * np.minimum(tied, 1.0)
    parts = []
    for over, n in ((over_a, n_a), (over_b, n_b)):
        free = n - 1.0
        parts.append((free * over + PRIOR_IMAGES * model / n) / (free + PRIOR_IMAGES))
    return np.where(over_a + over_b > 0, parts[0], over_a), np.where(
        over_a + over_b > 0, parts[1], over_b
    )


def satterthwaite(
    over_a: FloatArray, over_b: FloatArray, n_a: int, n_b: int
) -> tuple[FloatArray, FloatArray]:
    """Standard error (M,), 0 where unknown, and degrees of freedom (M,) of a variance in two parts:
    Brunner & Munzel 2000."""
    variance = np.nan_to_num(over_a + over_b)
    squares = np.nan_to_num(over_a**2 / max(n_a - 1, 1) + over_b**2 / max(n_b - 1, 1))
    df = np.where(squares > 0, variance**2 / np.where(squares > 0, squares, 1.0), np.inf)
    return np.sqrt(variance), np.maximum(df, 1.0)


def null_variance_of(groups: TieGroups) -> FloatArray:
    """Variance of each AUROC under permuted labels: (M,), ties as they are."""
    n = groups.n_a + groups.n_b
    if groups.untied and len(groups.a) and (groups.a + groups.b).all():
        return np.full(len(groups.first), (n + 1) / (12.0 * groups.n_a * groups.n_b))
    sizes = groups.a + groups.b
    ranks = 2 * (groups.a_below + groups.b_below) + sizes - n
    squares = groups.per_hypothesis(sizes * ranks**2)
    return np.asarray(squares / (4.0 * groups.n_a * groups.n_b * n * (n - 1.0)))


def delong_steadied(groups: TieGroups) -> tuple[FloatArray, FloatArray]:
    """:func:`steadied` of tie groups."""
    parts = delong_parts(groups)
    return steadied(*parts, groups.auroc, null_variance_of(groups), groups.n_a, groups.n_b)


def interval(groups: TieGroups) -> FloatArray:
    """95% interval of the AUROC: (M, 2), within [0, 1]; see :mod:`interval`."""
    se, df = satterthwaite(*delong_steadied(groups), groups.n_a, groups.n_b)
    return logit_interval(groups.auroc, se, df, (groups.n_a, groups.n_b))


def larger_tail(
    area: FloatArray,
    null_variance: FloatArray,
    se: FloatArray,
    df: FloatArray,
    continuity: float = 0.0,
) -> FloatArray:
    """One-sided p (M,) for numerous images; 1 for a constant score.

    The larger of two tails: the normal one by the variance of relabelling (Mann & Whitney's, less
    ``continuity``), and Student's by DeLong's error ``se``, which is right where the sets differ in
    spread alone (Brunner & Munzel 2000).
    """
    null_sd = np.sqrt(null_variance)
    varies = null_sd > 1e-12
    normal = upper_tail((area - 0.5 - continuity) / np.where(varies, null_sd, 1.0))
    known = se > 0
    student = t_tail((area - 0.5) / np.where(known, se, 1.0), df)
    return np.where(varies, np.where(known, np.maximum(normal, student), normal), 1.0)


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
    if groups.untied:
        return np.zeros(len(groups.first))
    sizes = groups.a + groups.b
    return groups.per_hypothesis(sizes * (sizes * sizes - 1))


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
