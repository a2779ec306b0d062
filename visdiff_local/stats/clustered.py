"""Images that belong together: a cluster is one piece of evidence, however many images it has.

The variance of the AUROC is Obuchowski's (1997, "Nonparametric analysis of clustered ROC curve
data", Biometrics 53): placements are summed over each cluster before they are squared. With one
image a cluster it is DeLong's (1988).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.null import Relabelling
from visdiff_local.stats.stratified import EXACT_UP_TO, Layer, StratumRanks
from visdiff_local.stats.ties import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """The images of one stratum, put together by unit and set."""

    units: IntArray
    """(u,) the units that have an image here."""
    order: IntArray
    """(n,) images sorted by unit, those of A first."""
    starts: IntArray
    """(k,) where each (unit, set) begins in that order."""
    column: IntArray
    """(k,) which of ``units`` it is of."""
    in_a: BoolArray
    """(k,) it is of A."""
    size: FloatArray
    """(k,) images."""

    @classmethod
    def of(cls, layer: Layer, unit: IntArray) -> "Cells":
        """Cells of a stratum, from the unit (N,) of every image."""
        mine = unit[layer.images]
        order = np.lexsort((~layer.is_a, mine))
        sorted_unit, sorted_a = mine[order], layer.is_a[order]
        new = np.ones(len(mine), np.bool_)
        new[1:] = (np.diff(sorted_unit) != 0) | (sorted_a[1:] != sorted_a[:-1])
        starts = np.flatnonzero(new)
        units, column = np.unique(sorted_unit[starts], return_inverse=True)
        size = np.diff(np.append(starts, len(mine))).astype(np.float64)
        return cls(units, order, starts, column, sorted_a[starts], size)

    def sums(self, values: npt.NDArray[np.floating]) -> FloatArray:
        """Sums (M, k) of values (M, n) over each cell."""
        if len(self.starts) == values.shape[1]:
            return values[:, self.order].astype(np.float64)
        return np.asarray(
            np.add.reduceat(values[:, self.order], self.starts, axis=1, dtype=np.float64)
        )

    def spread_out(self, sums: FloatArray, mask: BoolArray) -> FloatArray:
        """(M, u) the cells of ``mask``, each in its unit's column; 0 where it has none."""
        out = np.zeros((len(sums), len(self.units)), sums.dtype)
        out[:, self.column[mask]] = sums[:, mask]
        return out

    def ranks(self, values: npt.NDArray[np.floating], relabelling: Relabelling) -> StratumRanks:
        """Rank sums for :func:`stratified.relabelled`; of ranks (M, n)."""
        both = relabelling.both[self.units][self.column]
        inside = ~both | ~self.in_a  # the side of a unit in both sets that comes in when it swaps
        sums = np.concatenate([self.sums(values), self.size[None]])
        into, out_of = self.spread_out(sums, inside), self.spread_out(sums, ~inside)
        small = np.float64 if len(self.units) <= EXACT_UP_TO else np.float32
        sides = int(self.in_a.sum()), int((~self.in_a).sum())
        n_a, n_b = float(self.size[self.in_a].sum()), float(self.size[~self.in_a].sum())
        here = Relabelling(
            np.zeros(len(self.units), np.int64),
            relabelling.in_a[self.units],
            relabelling.in_b[self.units],
        )
        return StratumRanks(
            units=self.units,
            inside=into[:-1].astype(small),
            outside=out_of[:-1].astype(small) if both.any() else None,
            n_inside=into[-1],
            n_outside=out_of[-1],
            sides=sides,
            null_variance=here.variance(into[:-1] - out_of[:-1]) / (2 * n_a * n_b) ** 2,
        )

    def influence(
        self, placements: npt.NDArray[np.floating], area: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """What each unit's images of A (M, u), and of B, move the AUROC (M,) by.

        Obuchowski's sums of placements less the AUROC, divided by the images of the set; their
        squares add up to the variance. A side of one unit has no such sum: NaN.
        """
        parts = []
        for mask in (self.in_a, ~self.in_a):
            n, units = self.size[mask].sum(), int(mask.sum())
            other = self.size.sum() - n
            mean = self.sums(placements) / (2 * other) + 0.5 * self.size - self.size * area[:, None]
            correction = np.sqrt(units / (units - 1.0)) if units > 1 else np.nan
            parts.append(self.spread_out(correction * mean / n, mask))
        return parts[0], parts[1]
