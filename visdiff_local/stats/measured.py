"""Of every hypothesis, what one pass over its scores gives: all that a test then reads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.clustered import Cells
from visdiff_local.stats.design import Design, blocks_of
from visdiff_local.stats.grouping import variance_table
from visdiff_local.stats.null import PERMUTE_UP_TO, Relabelling, correlation_of
from visdiff_local.stats.rare import TwoValued
from visdiff_local.stats.separation import auroc, delong_parts, null_variance_of, steadied
from visdiff_local.stats.spread import Spread, spread_when_moved
from visdiff_local.stats.stratified import (
    EXACT_UP_TO,
    Layer,
    StratumRanks,
    layers,
    null_variance,
)
from visdiff_local.stats.ties import BoolArray, FloatArray, IntArray, Scores, TieGroups, each_block

CELLS_AT_ONCE = 1 << 23
"""Scores whose ranks are held in memory together; of the rest only sums per unit are kept."""

_ICC_OF = 64
"""Hypotheses that the intra-class correlation is estimated from."""

CORRELATED_ON = 5000
"""Units, or some more, from which the correlation of the hypotheses is estimated."""

FEW = 30
"""Fewer units of a set, or fewer images that do not share the commonest score (a rare answer):
what is known of larger numbers does not hold, and relabellings are counted."""


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """M hypotheses on the images of a design."""

    area: FloatArray
    """(M,) the AUROC."""
    se: FloatArray
    """(M,) its standard error; 0 where it is unknown."""
    df: FloatArray
    """(M,) degrees of freedom of ``se``."""
    null_variance: FloatArray
    """(M,) of the AUROC over all relabellings."""
    rare: npt.NDArray[np.bool_]
    """(M,) fewer than :data:`FEW` images do not share the commonest score."""
    units: tuple[int, int]
    """Of A and of B."""
    relabelling: Relabelling
    strata: list[StratumRanks]
    """Rank sums to relabel; empty where there are more than :data:`null.PERMUTE_UP_TO` units."""
    correlation: FloatArray
    """(M, M) of the errors of the AUROCs."""
    plain: FloatArray | None
    """(M,) the AUROC across strata; None where there are none."""
    icc: float | None
    binary: TwoValued | None
    """Rows of two values, in a plain design."""
    spread: Spread | None
    """In a plain design of few images."""
    continuity: float
    """What the normal approximation takes off the AUROC: half a step, in a plain design."""


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """Some rows: see :class:`Measured`."""

    area: FloatArray
    variance: FloatArray
    df: FloatArray
    null_variance: FloatArray
    minority: FloatArray
    strata: list[StratumRanks]
    moved: npt.NDArray[np.float32]
    """(M, ·) of unit after unit (not all, where they are many): what it moves the AUROC by."""
    icc: FloatArray
    binary: TwoValued | None


def measure(scores: Scores, design: Design) -> Measured:
    """Of scores (M, N); M ≥ 1."""
    unit, relabelling = relabelling_of(design)
    strata = layers(design)
    rows = max(1, CELLS_AT_ONCE // scores.shape[1])
    parts = [
        _measure(scores[start : start + rows], design, strata, unit, relabelling)
        for start in range(0, len(scores), rows)
    ]

    def joined(name: str) -> FloatArray:
        return np.concatenate([getattr(part, name) for part in parts])

    moved = np.concatenate([part.moved for part in parts])
    icc, null = joined("icc"), joined("null_variance")
    return Measured(
        area=joined("area"),
        se=np.sqrt(np.nan_to_num(joined("variance"))),
        df=joined("df"),
        null_variance=null,
        rare=joined("minority") < FEW,
        units=(design.clusters_a, design.clusters_b),
        relabelling=relabelling,
        strata=_stacked([part.strata for part in parts]),
        correlation=correlation_of(moved),
        plain=auroc(scores, design.is_a) if design.stratified else None,
        icc=float(np.clip(icc[np.isfinite(icc)].mean(), 0, 1)) if np.isfinite(icc).any() else None,
        binary=TwoValued.joined([part.binary for part in parts if part.binary])
        if design.plain
        else None,
        spread=spread_when_moved(scores, design.is_a, null)
        if design.plain and min(design.n_a, design.n_b) < FEW
        else None,
        continuity=0.5 / (design.n_a * design.n_b) if design.plain else 0.0,
    )


def relabelling_of(design: Design) -> tuple[IntArray, Relabelling]:
    """The unit (N,) of each image that takes part, numbered without gaps, −1 of others; and how
    the units may be relabelled."""
    kept = design.kept
    unit = np.full(len(design.is_a), -1)
    unit[kept] = np.unique(design.unit[kept], return_inverse=True)[1]
    units = int(unit.max()) + 1
    in_a, in_b = np.zeros(units, np.bool_), np.zeros(units, np.bool_)
    in_a[unit[kept & design.is_a]] = True
    in_b[unit[kept & ~design.is_a]] = True
    block = np.zeros(units, np.int64)
    if design.stratified:
        block = blocks_of(unit[kept], design.stratum[kept])
    return unit, Relabelling(block, in_a, in_b)


def _measure(
    scores: Scores, design: Design, strata: list[Layer], unit: IntArray, relabelling: Relabelling
) -> _Part:
    """Of some rows, stratum after stratum."""
    m, units = len(scores), len(relabelling.block)
    few = min(design.clusters_a, design.clusters_b) < FEW
    area, null, variance, squares, minority = np.zeros((5, m))
    moved = np.zeros((m, units)) if design.clustered else np.zeros((m, 0))
    sampled, sums, icc, binary = [], [], [np.full(1, np.nan)], None
    every = max(1, units // CORRELATED_ON)
    for layer in strata:
        whole = len(layer.images) == scores.shape[1]
        part = scores if whole else np.ascontiguousarray(scores[:, layer.images])
        if design.clustered:
            one = _of_clusters(part, layer, unit, relabelling)
            icc.append(one.icc)
            moved[:, one.ranks.units] += layer.weight * one.moved
        else:
            one = _of_images(part, layer, unit, every)
            sampled.append(layer.weight * one.moved)
        binary = one.binary
        area += layer.weight * one.area
        minority += one.minority
        null += layer.weight**2 * one.ranks.null_variance
        unknown = np.isnan(one.own)  # a side of one unit
        stand_in = 0.0 if design.plain else one.ranks.null_variance
        variance += layer.weight**2 * np.where(unknown, stand_in, one.own)
        squares += layer.weight**4 * np.nan_to_num(one.squares)
        if few or units <= PERMUTE_UP_TO:
            sums.append(one.ranks)
    if design.clustered:
        variance += (moved**2).sum(axis=1)
        sampled = [moved[:, ::every]]
        df = np.full(m, min(design.clusters_a, design.clusters_b) - 1.0)
    else:
        df = np.where(squares > 0, variance**2 / np.where(squares > 0, squares, 1.0), np.inf)
    return _Part(
        area=area,
        variance=variance,
        df=np.maximum(df, 1.0),
        null_variance=null_variance(sums, relabelling) if len(sums) > 1 else null,
        minority=minority,
        strata=sums,
        moved=np.concatenate(sampled, axis=1).astype(np.float32),
        icc=np.concatenate(icc),
        binary=binary if design.plain else None,
    )


@dataclass(frozen=True, eq=False, slots=True)
class _OfStratum:
    """Of some rows (M,), in one stratum."""

    area: FloatArray
    own: FloatArray
    """What is added to the squares of ``moved`` for the variance: all of it where images are on
    their own, nothing where they are in clusters; NaN where a side has one unit."""
    squares: FloatArray
    """The squares of both sides' parts of the variance, each over its degrees of freedom."""
    minority: FloatArray
    """Images that do not share the commonest score."""
    binary: TwoValued
    ranks: StratumRanks
    moved: npt.NDArray[np.floating[Any]]
    """(M, u) what each unit moves the AUROC by; of images, of some, and but for a factor."""
    icc: FloatArray


def _of_images(scores: Scores, layer: Layer, unit: IntArray, every: int) -> _OfStratum:
    """Each image is a unit. ``moved`` is kept of one in ``every``."""
    ranks = np.empty(scores.shape, np.float32)
    found, binary = _joined(each_block(_of_groups, scores, layer.is_a, ranks))
    area, over_a, over_b, null, minority = found
    n = len(layer.is_a)
    n_a = int(layer.is_a.sum())
    sums = StratumRanks(
        units=unit[layer.images],
        inside=ranks.astype(np.float64) if n <= EXACT_UP_TO else ranks,
        outside=None,
        n_inside=np.ones(n),
        n_outside=np.zeros(n),
        sides=(n_a, n - n_a),
        null_variance=null,
    )
    squares = over_a**2 / max(n_a - 1, 1) + over_b**2 / max(n - n_a - 1, 1)
    seen, in_a = ranks[:, ::every].astype(np.float64), layer.is_a[::every]
    for side, size in ((in_a, n_a), (~in_a, n - n_a)):
        if side.any():
            seen[:, side] -= seen[:, side].mean(axis=1, keepdims=True)
            seen[:, side] /= size * n
    return _OfStratum(area, over_a + over_b, squares, minority, binary, sums, seen, np.empty(0))


def _of_clusters(
    scores: Scores, layer: Layer, unit: IntArray, relabelling: Relabelling
) -> _OfStratum:
    """Units have several images, or some have."""
    ranks, placements = np.empty(scores.shape, np.float32), np.empty(scores.shape, np.float32)
    found, binary = _joined(each_block(_of_groups, scores, layer.is_a, ranks, placements))
    area, minority = found[0], found[4]
    cells = Cells.of(layer, unit)
    in_a, in_b = cells.influence(placements, area)
    moved = in_a + in_b
    single: BoolArray = np.asarray(np.isnan(moved).any(axis=1))
    table = variance_table(unit[layer.images], layer.is_a)
    return _OfStratum(
        area=area,
        own=np.where(single, np.nan, 0.0),
        squares=np.zeros(len(area)),
        minority=minority,
        binary=binary,
        ranks=cells.ranks(ranks, relabelling),
        moved=np.where(single[:, None], 0.0, moved),
        icc=table.correlation(ranks[:_ICC_OF].astype(np.float64)),
    )


_Numbers = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]


def _of_groups(groups: TieGroups) -> tuple[_Numbers, TwoValued]:
    """AUROC, the two parts of its variance if images are independent, that of relabelling images,
    and images that do not share the commonest score."""
    null = null_variance_of(groups)
    parts = delong_parts(groups)
    over_a, over_b = steadied(*parts, groups.auroc, null, groups.n_a, groups.n_b)
    commonest = np.maximum.reduceat(groups.a + groups.b, groups.first)
    uncommon = groups.n_a + groups.n_b - commonest
    return (groups.auroc, over_a, over_b, null, uncommon), TwoValued.of(groups)


def _joined(blocks: list[tuple[_Numbers, TwoValued]]) -> tuple[list[FloatArray], TwoValued]:
    columns = zip(*(numbers for numbers, _ in blocks), strict=True)
    return [np.concatenate(c) for c in columns], TwoValued.joined([two for _, two in blocks])


def _stacked(parts: list[list[StratumRanks]]) -> list[StratumRanks]:
    """The strata of all rows, from those of some rows each."""
    if len(parts) == 1:
        return parts[0]
    stacked = []
    for same in zip(*parts, strict=True):
        first = same[0]
        outside = [part.outside for part in same if part.outside is not None]
        stacked.append(
            StratumRanks(
                units=first.units,
                inside=np.concatenate([part.inside for part in same]),
                outside=np.concatenate(outside) if outside else None,
                n_inside=first.n_inside,
                n_outside=first.n_outside,
                sides=first.sides,
                null_variance=np.concatenate([part.null_variance for part in same]),
            )
        )
    return stacked
