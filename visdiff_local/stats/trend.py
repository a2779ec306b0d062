"""More than two sets in an order, or a number an image: do the scores rise with it?

The figure is the concordance: of two images (of one stratum) that differ in the order, the chance
that the later one scores higher, ties half; Jonckheere–Terpstra's statistic (1952, 1954) over the
number of such pairs, and with two groups the AUROC. Its interval is Obuchowski's way: what each
unit moves it by, squared and added up. The test is that of rank correlation: mid-ranks of the
scores against mid-ranks of the order, dealt anew among the units of a block, and where a unit has
images of several ranks, among its own images (Winkler et al. 2014).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.design import Codes, Design, blocks_of, codes
from visdiff_local.stats.interval import logit_interval
from visdiff_local.stats.multiplicity import benjamini_hochberg
from visdiff_local.stats.normal import upper_tail
from visdiff_local.stats.ties import BoolArray, FloatArray, IntArray, centred_ranks, checked

MOST_GROUPS = 32
"""An order of more different values is put into so many groups of equal size, for the concordance
alone."""

COUNTED = 10
_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class TrendStatistics:
    """Of M hypotheses; a concordance above ½ where scores rise with the order."""

    concordance: FloatArray
    """(M,)."""
    ci: FloatArray
    """(M, 2) its 95% interval."""
    correlation: FloatArray
    """(M,) Spearman's, within strata."""
    p_value: FloatArray
    """(M,) one-sided."""
    q_value: FloatArray
    """(M,) Benjamini–Hochberg over these M."""
    p_global: float
    """How often the best of M hypotheses looks this good when the order means nothing."""


def trend(
    scores: npt.ArrayLike,
    order: npt.ArrayLike,
    *,
    clusters: Codes | None = None,
    strata: Codes | None = None,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> TrendStatistics:
    """Tests whether each row of scores (M, N) rises with ``order``; negate it to ask for falling.

    Args:
        order: float (N,): a number, or the rank of a group.
        clusters: as in :class:`design.Design`.
        strata: likewise; the order counts within a stratum only, and images without one are left
            out.

    Raises:
        ValueError: NaN, lengths that differ, or an order that is the same for all.
    """
    at = np.asarray(order, np.float64)
    matrix, _ = checked(scores, np.arange(len(at)) < 1)
    if np.isnan(at).any():
        raise ValueError("order holds NaN: leave those images out")
    if len(np.unique(at)) < 2:
        raise ValueError("all images have the same place in the order: there is no trend to test")
    for name, column in (("clusters", clusters), ("strata", strata)):
        if column is not None and len(column) != len(at):
            raise ValueError(f"{name}: {len(column)} values for {len(at)} images")
    unit = Design(np.arange(len(at)) < 1, clusters=clusters).cluster
    groups = np.zeros(len(at), np.int64) if strata is None else codes(strata)
    known = groups >= 0
    matrix, at, groups = matrix[:, known], at[known], groups[known]
    unit = np.unique(unit[known], return_inverse=True)[1].astype(np.int64)
    ranks, places = within_strata(matrix, groups), within_strata(at[None], groups)[0]
    area, ci = _concordance(matrix, at, groups, unit)
    scale = np.sqrt((ranks**2).sum(axis=1) * (places**2).sum())
    sums = ranks @ places
    correlation = np.where(scale > 0, sums / np.where(scale > 0, scale, 1.0), 0.0)
    p, p_global = _dealt(ranks, places, groups, unit, permutations, rng)
    return TrendStatistics(area, ci, correlation, p, benjamini_hochberg(p), p_global)


def linear_trend_p(
    values: npt.ArrayLike,
    order: npt.ArrayLike,
    *,
    clusters: Codes | None = None,
    strata: Codes | None = None,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> FloatArray:
    """One-sided p (M,): do values (M, N) themselves, not their ranks, rise with the ranks of
    ``order``?

    For what a line through other scores leaves of a score: a text that is shown or not has two
    heaps, and the order within a heap, which ranks count as much as the gap between them, is noise.
    Dealt as :func:`trend` is; arguments as there.
    """
    at = np.asarray(order, np.float64)
    matrix, _ = checked(values, np.arange(len(at)) < 1)
    unit = Design(np.arange(len(at)) < 1, clusters=clusters).cluster
    groups = np.zeros(len(at), np.int64) if strata is None else codes(strata)
    known = groups >= 0
    own: FloatArray = matrix[:, known].astype(np.float64)
    at, groups = at[known], groups[known]
    if not len(at):
        return np.ones(len(own))
    unit = np.unique(unit[known], return_inverse=True)[1].astype(np.int64)
    for part in parts(groups):
        own[:, part] -= own[:, part].mean(axis=1, keepdims=True)
    own[:, np.bincount(groups)[groups] == 1] = 0.0
    return _dealt(own, within_strata(at[None], groups)[0], groups, unit, permutations, rng)[0]


def within_strata(values: npt.NDArray[np.floating], groups: IntArray) -> FloatArray:
    """Centred mid-ranks (M, N) within each stratum, over its number of images; 0 without one."""
    ranks = np.zeros(values.shape)
    for group in range(int(groups.max()) + 1):
        mine = np.flatnonzero(groups == group)
        ranks[:, mine] = centred_ranks(np.ascontiguousarray(values[:, mine])) / len(mine)
    return ranks


def _dealt(
    ranks: FloatArray,
    places: FloatArray,
    groups: IntArray,
    unit: IntArray,
    permutations: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, float]:
    """p (M,) of Σ ranks · places when places are dealt anew, and p of the largest, each over the
    standard deviation that dealing gives it."""
    between, means, own = _levels(places, groups, unit)
    sums = np.stack([np.bincount(unit, row, minlength=len(between)) for row in ranks])
    inside = ranks if own.any() else ranks[:, :0]
    variance = np.zeros(len(ranks))
    for part in parts(between):
        variance += (
            sums[:, part].var(axis=1)
            * len(part)
            * means[part].var()
            * len(part)
            / max(len(part) - 1, 1)
        )
    for part in parts(unit) if own.any() else ():
        variance += (
            ranks[:, part].var(axis=1)
            * len(part)
            * own[part].var()
            * len(part)
            / max(len(part) - 1, 1)
        )
    sd = np.sqrt(variance)[:, None]
    usable = sd > 1e-12
    safe = np.where(usable, sd, 1.0)

    def statistic(total: FloatArray) -> FloatArray:
        return np.where(usable, total / safe, 0.0)

    observed = statistic((sums @ means + inside @ own[: inside.shape[1]])[:, None])
    reached, by_largest = np.zeros(len(ranks)), 0
    for start in range(0, permutations, _AT_ONCE):
        count = min(_AT_ONCE, permutations - start)
        total = sums @ _shuffled(means, between, count, rng)
        if inside.shape[1]:
            total = total + inside @ _shuffled(own, unit, count, rng)
        drawn = statistic(total)
        reached += (drawn >= observed - 1e-9).sum(axis=1)
        by_largest += int(
            (drawn.max(axis=0, initial=-np.inf) >= observed.max(initial=0) - 1e-9).sum()
        )
    share = (1 + reached) / (1 + permutations)
    tail = upper_tail(observed[:, 0])
    p = np.where(reached < COUNTED, np.minimum(tail, share), share)
    return np.where(usable[:, 0], p, 1.0), (1 + by_largest) / (1 + permutations)


def _levels(
    places: FloatArray, groups: IntArray, unit: IntArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    """The block of each unit (U,), its mean place (U,), and what its images differ from it (N,)."""
    counts = np.bincount(unit)
    means = np.bincount(unit, places) / counts
    own = places - means[unit]
    own[np.abs(own) < 1e-12] = 0.0
    return blocks_of(unit, groups), means, own


def parts(groups: IntArray) -> Iterator[IntArray]:
    order = np.argsort(groups, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        if len(part) > 1:
            yield part


def _shuffled(
    values: FloatArray, blocks: IntArray, count: int, rng: np.random.Generator
) -> FloatArray:
    """(K, count): each column the values (K,), dealt anew within blocks."""
    dealt = np.repeat(values[:, None], count, axis=1)
    for part in parts(blocks):
        dealt[part] = rng.permuted(dealt[part], axis=0)
    return dealt


def _concordance(
    scores: npt.NDArray[np.floating], order: FloatArray, groups: IntArray, unit: IntArray
) -> tuple[FloatArray, FloatArray]:
    """(M,), and its interval (M, 2)."""
    m, n = scores.shape
    right, pairs = np.zeros((m, n)), np.zeros(n)
    for group in range(int(groups.max()) + 1):
        mine = np.flatnonzero(groups == group)
        level = _grouped(order[mine])
        sizes = np.bincount(level)
        pairs[mine] = len(mine) - sizes[level]
        for row in range(m):
            right[row, mine] = _rightly(scores[row, mine], level, sizes)
    total = pairs.sum()
    if total == 0:
        return np.full(m, 0.5), np.tile([0.0, 1.0], (m, 1))
    area = right.sum(axis=1) / total
    moved = 2 * (right - area[:, None] * pairs) / total
    sums = np.stack([np.bincount(unit, row) for row in moved]) if m else moved
    units = sums.shape[1]
    se = np.sqrt((sums**2).sum(axis=1) * units / max(units - 1, 1))
    df = np.full(m, max(1.0, units - 1.0))
    return area, logit_interval(area, se, df, (max(1, units // 2), max(1, units - units // 2)))


def _grouped(order: FloatArray) -> IntArray:
    values, level = np.unique(order, return_inverse=True)
    if len(values) > MOST_GROUPS:
        cuts = np.unique(np.quantile(order, np.arange(1, MOST_GROUPS) / MOST_GROUPS))
        level = np.searchsorted(cuts, order, side="right")
    return np.unique(level, return_inverse=True)[1].astype(np.int64)


def _rightly(scores: npt.NDArray[np.floating], level: IntArray, sizes: IntArray) -> FloatArray:
    """For each image (n,) those of other groups that score on their group's side, ties half."""
    by_score = np.argsort(scores, kind="stable")
    ordered = scores[by_score]
    ahead = np.zeros((len(scores) + 1, len(sizes)))
    ahead[1:] = np.cumsum(level[by_score][:, None] == np.arange(len(sizes)), axis=0)
    below = ahead[np.searchsorted(ordered, scores, "left")]
    upto = ahead[np.searchsorted(ordered, scores, "right")]
    under = (below + upto) / 2  # images of each group below this one
    lower: BoolArray = np.arange(len(sizes)) < level[:, None]
    higher: BoolArray = np.arange(len(sizes)) > level[:, None]
    return np.asarray((under * lower).sum(axis=1) + ((sizes - under) * higher).sum(axis=1))
