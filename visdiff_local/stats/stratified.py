"""Images compared within strata only, so that a third variable cannot pass for a difference.

The AUROC is the mean of the strata's, weighted as van Elteren (1960, "On the combination of
independent two-sample tests of Wilcoxon") does: n_a·n_b / (n + 1), which is what each stratum
knows. One stratum that holds everything is the plain AUROC, so that no other code is needed for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.design import Design
from visdiff_local.stats.null import Labels, Relabelling
from visdiff_local.stats.ties import BoolArray, FloatArray, IntArray

EXACT_UP_TO = 4096
"""Units whose rank sums are held in double precision; of more, in single."""

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False, slots=True)
class StratumRanks:
    """A stratum's rank sums, a unit a column: what A's sum gets from a unit, by its label."""

    units: IntArray
    """(u,) their number among all units."""
    inside: Floats
    """(M, u) centred doubled mid-ranks, summed over what is in A where the label is 1."""
    outside: Floats | None
    """(M, u) likewise where it is 0; None where no unit lies in both sets, and it is nothing."""
    n_inside: FloatArray
    """(u,) images in A where the label is 1."""
    n_outside: FloatArray
    """(u,) images in A where the label is 0."""
    sides: tuple[int, int]
    """Units with an image in A, and in B."""
    null_variance: FloatArray
    """(M,) of this stratum's AUROC over all relabellings."""

    @property
    def n(self) -> float:
        """Images of the stratum."""
        return float(self.n_inside.sum() + self.n_outside.sum())

    def step(self) -> Floats:
        """(M, u) what A's sum gains when the label turns from 0 to 1."""
        return self.inside if self.outside is None else self.inside - self.outside

    def base(self) -> FloatArray | float:
        """(M, 1) A's sum when all labels are 0."""
        return 0.0 if self.outside is None else self.outside.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """One stratum of the images that take part."""

    images: IntArray
    """(n,) positions among all N images."""
    is_a: BoolArray
    weight: float
    """Its share in the stratified AUROC; all strata's add up to 1."""


def layers(design: Design) -> list[Layer]:
    """The strata that have images of both sets, with van Elteren's weights."""
    kept = np.flatnonzero(design.kept)
    order = kept[np.argsort(design.stratum[kept], kind="stable")]
    parts = np.split(order, np.flatnonzero(np.diff(design.stratum[order])) + 1)
    sides = [design.is_a[part] for part in parts]
    raw = [weight(int(side.sum()), int((~side).sum())) for side in sides]
    total = float(np.sum(raw))
    return [
        Layer(part, side, float(w) / total) for part, side, w in zip(parts, sides, raw, strict=True)
    ]


def weight(n_a: npt.ArrayLike, n_b: npt.ArrayLike) -> FloatArray:
    """van Elteren's, of a stratum of these sizes; before all are made to add up to 1."""
    a, b = np.asarray(n_a, np.float64), np.asarray(n_b, np.float64)
    return np.asarray(a * b / (a + b + 1))


class Relabelled:
    """AUROC − ½ of M hypotheses under relabellings, and its estimated variance.

    The AUROC of a stratum is linear in the rank sum of A. The variance is that of a difference of
    two ratios of cluster sums (Cochran 1977, §6: mean rank of A less that of B), which for single
    images is Welch's; it is worked out for the rows where ``spread_of``, bool (M,), holds.
    """

    def __init__(self, strata: Sequence[StratumRanks], spread_of: BoolArray) -> None:
        self._strata = strata
        self._spreads = [_Spread.of(stratum, spread_of) for stratum in strata]
        self._rows = spread_of

    def __call__(self, labels: Labels) -> tuple[FloatArray, FloatArray]:
        """(M, count) and (rows, count)."""
        size = (len(self._rows), labels.count)
        effect, variance = np.zeros(size), np.zeros((int(self._rows.sum()), size[1]))
        shares, total = [], np.zeros(size[1])
        for stratum in self._strata:
            mine = labels.at(stratum.units)
            n_a = stratum.n_outside.sum() + mine.sums(stratum.n_inside - stratum.n_outside)
            share = np.where((n_a > 0) & (n_a < stratum.n), weight(n_a, stratum.n - n_a), 0.0)
            shares.append((mine, n_a, share))
            total += share
        for stratum, spread, (mine, n_a, share) in zip(
            self._strata, self._spreads, shares, strict=True
        ):
            rank_sum = stratum.base() + mine.sums(stratum.step())
            both = n_a * (stratum.n - n_a)
            effect += share / total * rank_sum / np.where(both > 0, 2 * both, 1.0)
            if len(variance):
                variance += (share / total) ** 2 * spread.variance(mine, n_a, rank_sum[self._rows])
        return effect, variance


@dataclass(frozen=True, eq=False, slots=True)
class _Spread:
    """What the variance of a stratum's AUROC is made of, for some rows: sums that a unit adds to
    A's side when its label is 1, and when it is 0. The rest is B's."""

    stratum: StratumRanks
    stand_in: FloatArray
    """(rows, 1) variance over all relabellings, where a side of one unit has no spread."""
    whole: FloatArray
    """(rows, 1) rank sum of both sides."""
    pairs: tuple[tuple[FloatArray, Floats, FloatArray], ...]
    """Per quantity: A's sum with all labels 0, what labels add to it, and the sum of both sides.
    Squared rank sums, rank sums × sizes, squared sizes; rank sum of the one side × size of the
    other, both ways round, of units that lie in both sets."""
    shared: tuple[FloatArray, float]
    """Σ of the products of a unit's two rank sums, and of its two sizes."""

    @classmethod
    def of(cls, stratum: StratumRanks, rows: BoolArray) -> "_Spread":
        stand_in = stratum.null_variance[rows, None]
        if min(stratum.sides) < 2 or not rows.any():
            return cls(stratum, stand_in, stand_in, (), (stand_in, 0.0))
        r1 = stratum.inside[rows]
        m1 = stratum.n_inside.astype(r1.dtype)
        if stratum.outside is None:
            added = (r1**2, r1 * m1, m1**2)
            pairs = tuple((np.zeros(1), x, _column(x)) for x in added)
            return cls(stratum, stand_in, _column(r1), pairs, (stand_in, 0.0))
        r0, m0 = stratum.outside[rows], stratum.n_outside.astype(r1.dtype)
        both_ways = [
            (r1**2, r0**2), (r1 * m1, r0 * m0), (m1**2, m0**2), (r1 * m0, r0 * m1),
            (r0 * m1, r1 * m0),
        ]  # fmt: skip
        pairs = tuple((_column(zero), one - zero, _column(one + zero)) for one, zero in both_ways)
        shared = _column(r1 * r0), float((m1 * m0).sum())
        return cls(stratum, stand_in, _column(r1 + r0), pairs, shared)

    def variance(self, labels: Labels, n_a: FloatArray, rank_sum: FloatArray) -> FloatArray:
        """(rows, count), from A's images (count,) and rank sums (rows, count)."""
        if not self.pairs:
            return np.broadcast_to(self.stand_in, rank_sum.shape)
        n_b = self.stratum.n - n_a
        to_a = [zero + labels.sums(step) for zero, step, _ in self.pairs]
        to_b = [whole - mine for mine, (_, _, whole) in zip(to_a, self.pairs, strict=True)]
        total = np.zeros(rank_sum.shape)
        with np.errstate(divide="ignore", invalid="ignore"):  # a relabelling may empty a stratum
            mean_a, mean_b = rank_sum / n_a, (self.whole - rank_sum) / n_b
            for mean, n, (squares, products, sizes, *_), units in (
                (mean_a, n_a, to_a, self.stratum.sides[0]),
                (mean_b, n_b, to_b, self.stratum.sides[1]),
            ):
                spread = squares - 2 * mean * products + mean**2 * sizes
                total += units / (units - 1.0) * spread / n**2
            if len(self.pairs) > 3:  # units in both sets: what their two sides have in common
                mixed = int(((self.stratum.n_inside > 0) & (self.stratum.n_outside > 0)).sum())
                common = self.shared[0] - mean_b * to_a[3] - mean_a * to_a[4]
                common = common + mean_a * mean_b * self.shared[1]
                total -= 2 * (mixed / max(mixed - 1.0, 1.0)) * common / (n_a * n_b)
            scaled = np.maximum(total, 0.0) / (4 * self.stratum.n**2)
        return np.where(np.isfinite(scaled), scaled, self.stand_in)


def _column(values: Floats) -> FloatArray:
    return np.asarray(values.sum(axis=-1, dtype=np.float64)[..., None])


def null_variance(strata: Sequence[StratumRanks], relabelling: Relabelling) -> FloatArray:
    """Variance (M,) of the stratified AUROC over all relabellings, its weights as observed."""
    units = len(relabelling.block)
    if len(strata) == 1 and len(strata[0].units) == units:
        return strata[0].null_variance
    steps = np.zeros((len(strata[0].inside), units))
    raw = []
    for stratum in strata:
        n_a = stratum.n_outside.sum()
        n_a += (stratum.n_inside - stratum.n_outside) @ relabelling.observed.values[
            stratum.units, 0
        ]
        raw.append((float(n_a), float(weight(n_a, stratum.n - n_a))))
    total = sum(w for _, w in raw)
    for stratum, (n_a, w) in zip(strata, raw, strict=True):
        each = stratum.step() / (2 * n_a * (stratum.n - n_a))
        steps[:, stratum.units] += w / total * each
    return relabelling.variance(steps)
