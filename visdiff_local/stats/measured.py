"""Of every hypothesis, what one pass over its scores gives: all that a test then reads."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.clustered import Cells, variance_table
from visdiff_local.stats.design import Design, blocks_of
from visdiff_local.stats.null import PERMUTE_UP_TO, Relabelling, correlation_of
from visdiff_local.stats.rare import TwoValued
from visdiff_local.stats.separation import auroc, delong_steadied
from visdiff_local.stats.spread import Spread, spread_when_moved
from visdiff_local.stats.stratified import Layer, StratumRanks, layers, null_variance
from visdiff_local.stats.ties import FloatArray, IntArray, Scores, TieGroups, each_block

CELLS_AT_ONCE = 1 << 23
"""Scores whose ranks are held in memory together; of the rest only sums per unit are kept."""

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
    errors: npt.NDArray[np.float32]
    """(M, ·) of unit after unit (not all, where they are many): what it moves the AUROC by."""
    icc: FloatArray
    binary: TwoValued | None


def measure(scores: Scores, design: Design) -> Measured:
    """Of scores (M, N); M ≥ 1."""
    n_units = int(design.unit[design.kept].max()) + 1
    unit = np.unique(design.unit[design.kept], return_inverse=True)[1]
    dense = np.full(len(design.is_a), -1)
    dense[design.kept] = unit
    n_units = int(unit.max()) + 1
    relabelling = _relabelling(design, dense, n_units)
    strata = layers(design)
    rows = max(1, CELLS_AT_ONCE // scores.shape[1])
    parts = [
        _measure(scores[start : start + rows], design, strata, dense, relabelling)
        for start in range(0, len(scores), rows)
    ]

    def joined(name: str) -> FloatArray:
        return np.concatenate([getattr(part, name) for part in parts])

    errors = np.concatenate([part.errors for part in parts])
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
        correlation=correlation_of(errors),
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


def _relabelling(design: Design, unit: IntArray, n_units: int) -> Relabelling:
    kept = design.kept
    in_a, in_b = np.zeros(n_units, np.bool_), np.zeros(n_units, np.bool_)
    in_a[unit[kept & design.is_a]] = True
    in_b[unit[kept & ~design.is_a]] = True
    one_block = not design.stratified
    block = np.zeros(n_units, np.int64)
    if not one_block:
        block = blocks_of(unit[kept], design.stratum[kept])
    return Relabelling(block, in_a, in_b)


def _measure(
    scores: Scores,
    design: Design,
    strata: list[Layer],
    unit: IntArray,
    relabelling: Relabelling,
) -> _Part:
    m, n_units = len(scores), len(relabelling.block)
    few = min(design.clusters_a, design.clusters_b) < FEW
    permuted = few or n_units <= PERMUTE_UP_TO
    sampled = (
        slice(None) if n_units <= PERMUTE_UP_TO else slice(0, None, -(-n_units // PERMUTE_UP_TO))
    )
    area, variance = np.zeros(m), np.zeros(m)
    squares, minority = np.zeros(m), np.zeros(m)
    icc: list[FloatArray] = []
    errors = np.zeros((m, n_units))
    by_side = np.zeros((2, m, n_units)) if design.clustered else None
    sums, null, binary = [], np.zeros(m), None
    for layer in strata:
        cells = Cells.of(layer, unit)
        part = scores if len(layer.images) == scores.shape[1] else scores[:, layer.images]
        ranks = np.empty(part.shape, np.float32)
        placements = np.empty(part.shape, np.float32) if design.clustered else None
        blocks = each_block(_of_groups, part, layer.is_a, ranks, placements)
        columns = zip(*(b[0] for b in blocks), strict=True)
        here, over_a, over_b, uncommon = (np.concatenate(column) for column in columns)
        if design.plain:
            binary = TwoValued.joined([b[1] for b in blocks])
        rank_sums = cells.ranks(ranks, relabelling)
        area += layer.weight * here
        minority += uncommon
        null += layer.weight**2 * rank_sums.null_variance
        if permuted:
            sums.append(rank_sums)
        if by_side is not None:
            assert placements is not None
            both_sides = cells.influence(placements, here)
            known = np.isfinite(both_sides[0]).all() and np.isfinite(both_sides[1]).all()
            if known:
                for side, moved in enumerate(both_sides):
                    by_side[side][:, cells.units] += layer.weight * moved
            else:
                variance += layer.weight**2 * rank_sums.null_variance
            if len(icc) < 64:
                table = variance_table(unit[layer.images], layer.is_a)
                icc.append(table.correlation(ranks[:64].astype(np.float64)))
        else:
            n_a, n_b = int(layer.is_a.sum()), int((~layer.is_a).sum())
            own = layer.weight**2 * (over_a + over_b)
            stand_in = layer.weight**2 * rank_sums.null_variance
            variance += np.where(np.isfinite(own), own, stand_in if design.stratified else 0.0)
            squares += layer.weight**4 * np.nan_to_num(
                over_a**2 / max(n_a - 1, 1) + over_b**2 / max(n_b - 1, 1)
            )
            errors[:, cells.units] += layer.weight * _centred(cells, ranks, layer)
    if by_side is not None:
        variance += ((by_side[0] + by_side[1]) ** 2).sum(axis=1)
        errors = by_side[0] + by_side[1]
        df = np.full(m, max(1.0, min(design.clusters_a, design.clusters_b) - 1.0))
    else:
        df = np.where(squares > 0, variance**2 / np.where(squares > 0, squares, 1.0), np.inf)
        df = np.maximum(df, 1.0)
    if permuted and len(strata) > 1:
        null = null_variance(sums, relabelling)
    return _Part(
        area,
        variance,
        df,
        null,
        minority,
        sums,
        errors[:, sampled].astype(np.float32),
        _mean_known(icc),
        binary,
    )


def _of_groups(
    groups: TieGroups,
) -> tuple[tuple[FloatArray, FloatArray, FloatArray, FloatArray], TwoValued]:
    sizes = groups.a + groups.b
    uncommon = groups.n_a + groups.n_b - np.maximum.reduceat(sizes, groups.first)
    over_a, over_b = delong_steadied(groups)
    return (groups.auroc, over_a, over_b, uncommon), TwoValued.of(groups)


def _centred(cells: Cells, ranks: npt.NDArray[np.floating], layer: Layer) -> FloatArray:
    """What each image moves the AUROC of its stratum by: its rank less its set's mean rank."""
    values = cells.sums(ranks)
    for mask in (cells.in_a, ~cells.in_a):
        n = float(mask.sum())
        values[:, mask] = (values[:, mask] - values[:, mask].mean(axis=1, keepdims=True)) / n
    return cells.spread_out(values, np.ones(len(cells.in_a), np.bool_))


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


def _mean_known(values: list[FloatArray]) -> FloatArray:
    """All known numbers of several arrays as one; NaN where there is none."""
    known = [part[np.isfinite(part)] for part in values]
    return np.concatenate([*known, np.empty(0)]) if any(map(len, known)) else np.full(1, np.nan)
