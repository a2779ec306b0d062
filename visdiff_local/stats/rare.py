"""Yes or no: p of scores that have two values is the hypergeometric tail (Fisher 1935), exactly."""

import math
from dataclasses import dataclass

import numpy as np

from visdiff_local.stats.ties import BoolArray, FloatArray, IntArray, TieGroups


@dataclass(frozen=True, eq=False, slots=True)
class TwoValued:
    """Of M rows, those that have two values: how many images have the higher one."""

    is_so: BoolArray
    """(M,) the row has two values."""
    high_a: IntArray
    """(M,) images of A with the higher one."""
    high: IntArray
    """(M,) images of both sets with it."""
    n_a: int
    n: int

    @classmethod
    def of(cls, groups: TieGroups) -> "TwoValued":
        """From tie groups, of which some may be empty."""
        sizes = groups.a + groups.b
        so = groups.per_hypothesis((sizes > 0).astype(np.float64)) == 2
        n = groups.n_a + groups.n_b
        if not so.any():
            none = np.zeros(len(so), np.int64)
            return cls(so, none, none, groups.n_a, n)
        above = groups.n_a + groups.n_b - groups.a_below - groups.b_below - sizes
        lowest = (sizes > 0) & (groups.a_below + groups.b_below == 0)
        # Of two groups, the lowest has everything else above it.
        high = groups.per_hypothesis(np.where(lowest, above, 0.0))
        high_a = groups.n_a - groups.per_hypothesis(np.where(lowest, groups.a, 0.0))
        return cls(so, high_a.astype(np.int64), high.astype(np.int64), groups.n_a, n)

    @classmethod
    def joined(cls, parts: list["TwoValued"]) -> "TwoValued":
        """Of all rows, from those of some each."""
        return cls(
            np.concatenate([part.is_so for part in parts]),
            np.concatenate([part.high_a for part in parts]),
            np.concatenate([part.high for part in parts]),
            parts[0].n_a,
            parts[0].n,
        )

    @property
    def minority(self) -> IntArray:
        """(M,) images with the rarer value."""
        return np.minimum(self.high, self.n - self.high)


def two_valued_p(rows: TwoValued | None, otherwise: FloatArray) -> FloatArray:
    """P(as many of A's images or more have the higher value) of the rows that have two values;
    ``otherwise`` (M,) of the others. All where ``rows`` is None."""
    if rows is None:
        return otherwise
    p = otherwise.copy()
    for row in np.flatnonzero(rows.is_so):
        p[row] = hypergeometric_tail(int(rows.high_a[row]), int(rows.high[row]), rows.n_a, rows.n)
    return p


def hypergeometric_tail(least: int, high: int, drawn: int, n: int) -> float:
    """P(X ≥ least), X of ``high`` marked images among ``drawn`` out of ``n``."""
    most = min(high, drawn)
    if least <= max(0, high + drawn - n):
        return 1.0

    def log_choose(total: int, part: int) -> float:
        return math.lgamma(total + 1) - math.lgamma(part + 1) - math.lgamma(total - part + 1)

    first = log_choose(high, least) + log_choose(n - high, drawn - least) - log_choose(n, drawn)
    k = np.arange(least, most, dtype=np.float64)
    ratios = (high - k) * (drawn - k) / ((k + 1) * (n - high - drawn + k + 1))
    return float(min(1.0, math.exp(first) * (1 + np.cumprod(ratios).sum())))
