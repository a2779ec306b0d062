"""Of every hypothesis, what one pass over its scores gives: all that a test then reads."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.clustered import Cells
from visdiff_local.stats.design import Design, blocks_of
from visdiff_local.stats.grouping import variance_table
from visdiff_local.stats.null import PERMUTE_UP_TO, Relabelling, correlation_of
from visdiff_local.stats.rare import TwoValued
from visdiff_local.stats.separation import auroc, delong_steadied
from visdiff_local.stats.spread import Spread, spread_when_moved
from visdiff_local.stats.stratified import Layer, StratumRanks, layers, null_variance
from visdiff_local.stats.ties import FloatArray, IntArray, Scores, TieGroups, each_block

CELLS_AT_ONCE = 1 << 23
"""Scores whose ranks are held in memory together; of the rest only sums per unit are kept."""

_ICC_OF = 64
"""Hypotheses that the intra-class correlation is estimated from."""

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
    relabel = few or units <= PERMUTE_UP_TO
    area, null, variance, squares, minority = np.zeros((5, m))
    moved, sums, icc, binary = np.zeros((m, units)), [], [np.full(1, np.nan)], None
    for layer in strata:
        cells = Cells.of(layer, unit)
        part = scores if len(layer.images) == scores.shape[1] else scores[:, layer.images]
        ranks = np.empty(part.shape, np.float32)
        placements = np.empty(part.shape, np.float32) if design.clustered else None
        blocks = each_block(_of_groups, part, layer.is_a, ranks, placements)
        one = _OfStratum(*map(np.concatenate, zip(*(block[0] for block in blocks), strict=True)))
        if design.plain:
            binary = TwoValued.joined([block[1] for block in blocks])
        rank_sums = cells.ranks(ranks, relabelling)
        if relabel:
            sums.append(rank_sums)
        area += layer.weight * one.area
        minority += one.minority
        null += layer.weight**2 * rank_sums.null_variance
        if placements is not None:
            in_a, in_b = cells.influence(placements, one.area)
            own = np.zeros(m)
            table = variance_table(unit[layer.images], layer.is_a)
            icc.append(table.correlation(ranks[:_ICC_OF].astype(np.float64)))
        else:
            in_a, in_b = _centred(cells, ranks)
            own = one.over_a + one.over_b
            for over, side in ((one.over_a, layer.is_a), (one.over_b, ~layer.is_a)):
                squares += layer.weight**4 * np.nan_to_num(over**2) / max(int(side.sum()) - 1, 1)
        moving = in_a + in_b
        unknown = np.isnan(own) | np.isnan(moving).any(axis=1)  # a side of one unit
        stand_in = rank_sums.null_variance if design.stratified or design.clustered else 0.0
        variance += layer.weight**2 * np.where(unknown, stand_in, own)
        moved[:, cells.units] += layer.weight * np.nan_to_num(moving)
    if design.clustered:
        variance += (moved**2).sum(axis=1)
        df = np.full(m, min(design.clusters_a, design.clusters_b) - 1.0)
    else:
        df = np.where(squares > 0, variance**2 / np.where(squares > 0, squares, 1.0), np.inf)
    if len(sums) > 1:
        null = null_variance(sums, relabelling)
    sample = slice(None, None, max(1, units // PERMUTE_UP_TO))
    return _Part(
        area=area,
        variance=variance,
        df=np.maximum(df, 1.0),
        null_variance=null,
        minority=minority,
        strata=sums,
        moved=moved[:, sample].astype(np.float32),
        icc=np.concatenate(icc),
        binary=binary,
    )


@dataclass(frozen=True, eq=False, slots=True)
class _OfStratum:
    """Of some rows (M,), in one stratum: the AUROC, the two parts of its variance if images were
    independent, and images that do not share the commonest score."""

    area: FloatArray
    over_a: FloatArray
    over_b: FloatArray
    minority: FloatArray


def _of_groups(
    groups: TieGroups,
) -> tuple[tuple[FloatArray, FloatArray, FloatArray, FloatArray], TwoValued]:
    sizes = groups.a + groups.b
    uncommon = groups.n_a + groups.n_b - np.maximum.reduceat(sizes, groups.first)
    over_a, over_b = delong_steadied(groups)
    return (groups.auroc, over_a, over_b, uncommon), TwoValued.of(groups)


def _centred(cells: Cells, ranks: npt.NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """What each image of A (M, u), and of B, moves the AUROC by, but for a factor that is the same
    for all: its rank less its set's mean rank."""
    values = cells.sums(ranks)
    sides = []
    for mask in (cells.in_a, ~cells.in_a):
        mine = values[:, mask]
        mine = (mine - mine.mean(axis=1, keepdims=True)) / mask.sum()
        values[:, mask] = mine
        sides.append(cells.spread_out(values, mask))
    return sides[0], sides[1]


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
