"""Pairs: the same scene, product or patient in A and in B, however many images of it on a side.

An id is one piece of evidence: the mean of its images in A less the mean of those in B. If nothing
differs, the two may trade places, id by id (ids that share a cluster: all together); so a response
of an id to being in A at all, which its images share, is noise as it should be.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.design import Design
from visdiff_local.stats.interval import wilson
from visdiff_local.stats.multiplicity import benjamini_hochberg
from visdiff_local.stats.normal import upper_tail
from visdiff_local.stats.null import Relabelling, correlation_of
from visdiff_local.stats.separation import Alternative
from visdiff_local.stats.shrinkage import shrunken
from visdiff_local.stats.statistics import TestStatistics
from visdiff_local.stats.ties import FloatArray, IntArray, Scores, refuse_nan

EXACT_PAIRS = 50
"""Up to this many pairs the signed-rank p is exact."""

COUNTED = 10
"""On fewer relabellings than this its share is too rough, and the normal tail stands in."""


def test(
    scores: Scores, design: Design, *, permutations: int, rng: np.random.Generator
) -> TestStatistics:
    """As :func:`two_sample.test`, of scores (M, N) whose images are paired; M ≥ 1.

    ``auroc`` is here the chance that in a pair A's side scores higher, ties counting half, with
    Wilson's interval; ``p_value`` is Wilcoxon's signed-rank test, one-sided, zeros kept in the
    ranking (Pratt 1959); ``p_global`` takes the largest standardised signed-rank sum against its
    distribution when the sides of a unit trade places at random. Where a unit has several ids,
    their signed ranks are added up first (Datta & Satten 2008), for p too.
    """
    means_a, means_b, unit = pair_means(scores, design)
    signed = _signed_ranks(means_a, means_b)
    n = signed.shape[1]
    won = (signed > 0) + 0.5 * (signed == 0)
    units = int(unit.max()) + 1
    relabelling = Relabelling(
        np.zeros(units, np.int64), np.ones(units, np.bool_), np.ones(units, np.bool_)
    )
    sums = by_unit(signed, unit)
    area = won.mean(axis=1)
    moved = by_unit(won - area[:, None], unit)
    counted, p_global = _flipped(sums, relabelling, permutations, rng)
    if units == n:
        p, effective = _signed_rank_p(signed), np.full(len(area), float(n))
    else:
        p, effective = counted, _effective(area, moved, n)
    spread = area * (1 - area)
    ci = wilson(area * effective, effective)
    return TestStatistics(
        auroc=area,
        ci=ci,
        p_value=p,
        q_value=benjamini_hochberg(p),
        p_global=p_global,
        auroc_shrunk=shrunken(area, ci),
        se=np.sqrt(spread / effective),
        df=np.full(len(area), max(1.0, units - 1.0)),
        correlation=correlation_of(moved.astype(np.float32)),
        attainable_p=relabelling.attainable_p,
        design=design,
    )


def compare_paired(
    scores_a: npt.ArrayLike,
    scores_b: npt.ArrayLike,
    *,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> TestStatistics:
    """:func:`test` of float (M, n), column j paired with column j of ``scores_b``.

    Raises:
        ValueError: a score is NaN (rows are named), there is no pair, or the shapes differ.
    """
    a, b = _same_shape(scores_a, scores_b)
    n = a.shape[1]
    design = Design(np.arange(2 * n) < n, pairs=np.tile(np.arange(n), 2))
    if not len(a):
        return TestStatistics.empty(design)
    return test(np.concatenate([a, b], axis=1), design, permutations=permutations, rng=rng)


def pair_means(scores: Scores, design: Design) -> tuple[FloatArray, FloatArray, IntArray]:
    """Means (M, n) of each pair's images in A and in B, and the unit (n,) of each pair."""
    pair = design.pair
    sides = []
    for side in (design.is_a, ~design.is_a):
        mine = np.flatnonzero(side & (pair >= 0))
        order = mine[np.argsort(pair[mine], kind="stable")]
        starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
        sizes = np.diff(np.append(starts, len(order)))
        values = scores[:, order].astype(np.float64)
        if (sizes > 1).any():
            values = np.add.reduceat(values, starts, axis=1) / sizes
        sides.append(values)
    first = np.unique(pair[pair >= 0], return_index=True)[1]
    unit = np.unique(design.unit[pair >= 0][first], return_inverse=True)[1]
    return sides[0], sides[1], unit


def by_unit(values: FloatArray, unit: IntArray) -> FloatArray:
    """Sums (M, units) of values (M, n) of pairs."""
    if int(unit.max()) + 1 == len(unit):
        return values
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.diff(unit[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[:, order], starts, axis=1))


def _effective(area: FloatArray, moved: FloatArray, n: int) -> FloatArray:
    """So many independent pairs would leave as much to chance: (M,), at most n (Kish 1965)."""
    units = moved.shape[1]
    variance = units / max(units - 1.0, 1.0) * (moved**2).sum(axis=1) / float(n) ** 2
    spread = area * (1 - area)
    known = variance > 0
    fewest = min(float(units), n)
    effective = np.where(known, spread / np.where(known, variance, 1.0), fewest)
    return np.asarray(np.clip(effective, 1.0, n))


def _flipped(
    sums: FloatArray, relabelling: Relabelling, permutations: int, rng: np.random.Generator
) -> tuple[FloatArray, float]:
    """p (M,) of sums (M, units) when units change sign at random, and that of the largest."""
    norm = np.sqrt((sums**2).sum(axis=1, keepdims=True))
    share = sums / np.where(norm > 0, norm, 1.0)
    observed = share.sum(axis=1)
    reached, of_largest, total = np.zeros(len(sums)), 0, 0
    for labels in relabelling.draws(permutations, rng):
        flipped = share @ (1 - 2 * labels.values.astype(np.float64))
        reached += (flipped >= observed[:, None] - 1e-9).sum(axis=1)  # sums round differently
        of_largest += int((flipped.max(axis=0) >= observed.max() - 1e-9).sum())
        total += labels.count
    own = 0 if relabelling.exhaustive(permutations) else 1
    p = (own + reached) / (own + total)
    rough = (reached < COUNTED) & (own == 1)
    p = np.where(rough, np.clip(upper_tail(observed), relabelling.attainable_p, p), p)
    return p, (own + of_largest) / (own + total)


def wilcoxon_p(
    scores_a: npt.ArrayLike, scores_b: npt.ArrayLike, *, alternative: Alternative = "greater"
) -> FloatArray:
    """Wilcoxon's signed-rank p (M,), as in :func:`compare_paired`. Two-sided: twice the smaller.

    Raises:
        ValueError: as :func:`compare_paired`.
    """
    signed = _signed_ranks(scores_a, scores_b)
    p = _signed_rank_p(signed)
    if alternative == "greater":
        return p
    twice: FloatArray = 2 * np.minimum(p, _signed_rank_p(-signed))
    return np.minimum(1.0, twice)


def _signed_rank_p(signed: FloatArray) -> FloatArray:
    """One-sided p (M,) of signed ranks (M, n): exact up to 50 pairs, ties included, else normal."""
    sizes = np.abs(signed)
    positive = np.where(signed > 0, sizes, 0.0).sum(axis=1)
    if signed.shape[1] <= EXACT_PAIRS:
        tails = [
            _rank_sum_chances(tuple(np.sort(2 * row[row > 0]).astype(int).tolist()))[
                round(2 * float(at)) :
            ].sum()
            for row, at in zip(sizes, positive, strict=True)
        ]
        return np.minimum(np.array(tails, np.float64), 1.0)
    sd = np.sqrt((sizes**2).sum(axis=1)) / 2
    z = (positive - sizes.sum(axis=1) / 2 - 0.5) / np.where(sd > 0, sd, 1.0)
    return np.where(sd > 0, upper_tail(z), 1.0)


def _signed_ranks(scores_a: npt.ArrayLike, scores_b: npt.ArrayLike) -> FloatArray:
    """Mid-ranks of |a − b| with its sign: (M, n); zeros take part in ranking and count 0."""
    a, b = _same_shape(scores_a, scores_b)
    if a.size == 0:
        return a
    with np.errstate(invalid="ignore"):  # equal infinities
        differences = np.where(a == b, 0.0, a - b)
    from scipy.stats import rankdata  # half a second, which only paired runs pay

    ranks: FloatArray = rankdata(np.abs(differences), axis=1) * np.sign(differences)
    return ranks


def _same_shape(scores_a: npt.ArrayLike, scores_b: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    a = np.atleast_2d(np.asarray(scores_a)).astype(np.float64)
    b = np.atleast_2d(np.asarray(scores_b)).astype(np.float64)
    if a.shape != b.shape or a.shape[1] == 0:
        raise ValueError(f"paired scores need one shape and a pair at least: {a.shape}, {b.shape}")
    refuse_nan(a)
    refuse_nan(b)
    return a, b


@lru_cache(maxsize=256)
def _rank_sum_chances(doubled_ranks: tuple[int, ...]) -> FloatArray:
    """Chance of each doubled sum 0, 1, … of the ranks whose sign comes out positive by a coin."""
    chances = np.zeros(sum(doubled_ranks) + 1)
    chances[0] = 1.0
    for rank in doubled_ranks:
        chances[rank:] = (chances[rank:] + chances[: len(chances) - rank]) / 2
        chances[:rank] /= 2
    return chances
