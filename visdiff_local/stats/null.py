"""What the labels of the sets would give if they meant nothing: relabelled units, block by block.

Units (images, or whole clusters) trade their labels within their block only (Winkler et al. 2014,
"Permutation inference for the general linear model": exchangeability blocks). A unit that lies in
both sets keeps its images together and trades its own two sides, as a pair does. Where there are
fewer relabellings than are asked for, each is taken once and p is exact.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local.stats import normal
from visdiff_local.stats.ties import BoolArray, FloatArray, IntArray

PERMUTE_UP_TO = 20_000
"""Above this many units, the Gaussian limit stands in for permutation."""

GAUSSIAN_DRAWS = 10_000

_AT_ONCE = 256

_CHOOSE_UP_TO = 40
"""Units of the smaller set up to which its units are drawn instead of all labels."""

_SORT_UP_TO = 64
"""Units of a block up to which shuffling by sorting random keys is the faster way."""


@dataclass(frozen=True, eq=False, slots=True)
class Labels:
    """Several relabellings of U units, each unit 0 or 1: whether it is in A; for one in both sets,
    whether its sides are swapped."""

    values: npt.NDArray[Any]
    """float32 (U, count)."""

    @property
    def count(self) -> int:
        return int(self.values.shape[1])

    def sums(self, x: npt.NDArray[np.floating]) -> FloatArray:
        """Σ over the units with label 1 of x (…, U): (…, count)."""
        return np.asarray(x @ self.values)

    def at(self, units: IntArray) -> "Labels":
        """Of these units only."""
        return self if len(units) == len(self.values) else Labels(self.values[units])


@dataclass(frozen=True, eq=False, slots=True)
class ChosenLabels(Labels):
    """The same where one set is small: ``values`` are its units (few, count), in a single block."""

    units: int
    """U."""
    of_a: bool
    """The small set is A."""

    def sums(self, x: npt.NDArray[np.floating]) -> FloatArray:
        few = x[..., self.values].sum(axis=-2, dtype=np.float64)
        whole = x.sum(axis=-1, dtype=np.float64)[..., None]
        return np.asarray(few if self.of_a else whole - few)

    def at(self, units: IntArray) -> "Labels":
        assert len(units) == self.units
        return self


@dataclass(frozen=True, eq=False)
class Relabelling:
    """The relabellings of U units that are as likely as the one observed if nothing differs."""

    block: IntArray
    """(U,) units of the same block trade labels."""
    in_a: BoolArray
    """(U,) the unit has an image in A."""
    in_b: BoolArray
    """(U,) the unit has an image in B. One with both swaps its sides by a coin."""

    @cached_property
    def both(self) -> BoolArray:
        """(U,) units that lie in both sets."""
        return self.in_a & self.in_b

    @cached_property
    def observed(self) -> Labels:
        """The labels as they are, as a single relabelling."""
        return Labels((self.in_a & ~self.in_b).astype(np.float32)[:, None])

    @cached_property
    def blocks(self) -> list[tuple[IntArray, int]]:
        """Units of one set only, with others of the other set to trade with; how many are A's."""
        single = np.flatnonzero(~self.both)
        order = single[np.argsort(self.block[single], kind="stable")]
        cuts = np.flatnonzero(np.diff(self.block[order])) + 1
        parts = [(part, int(self.in_a[part].sum())) for part in np.split(order, cuts)]
        return [(part, a) for part, a in parts if 0 < a < len(part)]

    @cached_property
    def log_count(self) -> float:
        """Natural logarithm of the number of different relabellings."""
        return float(self.both.sum()) * math.log(2) + sum(
            math.lgamma(len(part) + 1) - math.lgamma(a + 1) - math.lgamma(len(part) - a + 1)
            for part, a in self.blocks
        )

    @property
    def attainable_p(self) -> float:
        """The smallest p that these relabellings can reach."""
        return math.exp(-self.log_count)

    def variance(self, steps: FloatArray) -> FloatArray:
        """Of Σ labels · ``steps`` (M, U) over all relabellings: (M,)."""
        total = 0.25 * (steps[:, self.both] ** 2).sum(axis=1)
        for part, a in self.blocks:
            n = len(part)
            mine = steps if n == steps.shape[1] else steps[:, part]
            total = total + a * (n - a) / (n - 1.0) * mine.var(axis=1)
        return np.asarray(total)

    def exhaustive(self, count: int) -> bool:
        """There are no more than ``count`` relabellings, so that all are taken."""
        return self.log_count <= math.log(max(count, 1)) + 1e-9

    def draws(self, count: int, rng: np.random.Generator) -> Iterator[Labels]:
        """``count`` random relabellings, or all where they are no more, some at a time."""
        if self.exhaustive(count):
            yield self._all()
            return
        for start in range(0, count, _AT_ONCE):
            yield self._random(min(_AT_ONCE, count - start), rng)

    def _random(self, count: int, rng: np.random.Generator) -> Labels:
        if len(self.blocks) == 1 and len(self.blocks[0][0]) == len(self.block) > _SORT_UP_TO:
            n, a = len(self.block), self.blocks[0][1]
            if min(a, n - a) <= _CHOOSE_UP_TO and n >= 16 * min(a, n - a):
                return ChosenLabels(distinct(n, min(a, n - a), count, rng), n, 2 * a <= n)
            # As drawn, a row a relabelling: turning them round would take as long as drawing them.
            return Labels(random_labels(n, a, count, rng).astype(np.float32).T)
        labels = np.repeat(self.observed.values, count, axis=1)
        both = np.flatnonzero(self.both)
        labels[both] = rng.integers(0, 2, (len(both), count), np.int8)
        for part, a in self.blocks:
            if len(part) <= _SORT_UP_TO:
                keys = rng.random((len(part), count), np.float32)
                labels[part] = keys.argsort(axis=0).argsort(axis=0) < a
            else:
                labels[part] = random_labels(len(part), a, count, rng).T
        return Labels(labels)

    def _all(self) -> Labels:
        coins = [((unit,), ((0.0,), (1.0,))) for unit in np.flatnonzero(self.both).tolist()]
        deals = [
            (
                tuple(part.tolist()),
                tuple(
                    tuple(float(i in chosen) for i in range(len(part)))
                    for chosen in map(set, combinations(range(len(part)), a))
                ),
            )
            for part, a in self.blocks
        ]
        moved = [unit for units, _ in (*coins, *deals) for unit in units]
        every = [
            [label for labels in choice for label in labels]
            for choice in product(*(options for _, options in (*coins, *deals)))
        ]
        labels = np.repeat(self.observed.values, len(every), axis=1)
        labels[moved] = np.array(every, np.float32).T.reshape(len(moved), len(every))
        return Labels(labels)


def distinct(n: int, few: int, count: int, rng: np.random.Generator) -> IntArray:
    """(few, count): in each column few different numbers below n, uniform."""
    drawn = rng.integers(n, size=(few, count))
    while True:
        ordered = np.sort(drawn, axis=0)
        again = np.flatnonzero((ordered[1:] == ordered[:-1]).any(axis=0))
        if not len(again):
            return drawn
        drawn[:, again] = rng.integers(n, size=(few, len(again)))


def random_labels(n: int, chosen: int, count: int, rng: np.random.Generator) -> BoolArray:
    """Bool (count, n): rows are independent, uniform among all subsets of ``chosen`` images.

    Independent coin flips, then random images flipped back until the number is right: uniform by
    symmetry, and several times faster than shuffling each row.
    """
    # Rounded so that the flips back are mostly of the labels that are in the majority.
    threshold = 256 * chosen // n if 2 * chosen <= n else -(-256 * chosen // n)
    # Whole words are drawn five times faster than bytes.
    words = rng.integers(1 << 64, size=-(-count * n // 8), dtype=np.uint64)
    labels = words.view(np.uint8)[: count * n].reshape(count, n) < threshold
    for row in labels:
        while surplus := int(np.count_nonzero(row)) - chosen:
            drawn = rng.integers(n, size=2 * abs(surplus) + 8)
            flipped = drawn[row[drawn] == (surplus > 0)][: abs(surplus)]
            row[flipped] = surplus < 0  # once where one was drawn twice: hence the loop
    return labels


def smallest_p(p_values: FloatArray, correlation: FloatArray, rng: np.random.Generator) -> float:
    """Chance of so small a smallest p when no hypothesis holds: Westfall & Young's minP (1993),
    the hypotheses being joined by a Gaussian copula of that ``correlation`` (M, M).

    Of one hypothesis it is that one's p, up to the resolution of 1 / (1 + GAUSSIAN_DRAWS).
    """
    least = float(p_values.min())
    reached = int((largest_normal(correlation, rng) >= normal.quantile_upper(least)).sum())
    return (1 + reached) / (1 + GAUSSIAN_DRAWS)


def largest_normal(
    correlation: FloatArray, rng: np.random.Generator, *, absolute: bool = False
) -> FloatArray:
    """The largest (in absolute value) of M standard normals of that correlation, drawn often."""
    spread, axes = np.linalg.eigh(correlation)
    root = axes * np.sqrt(np.maximum(spread, 0.0))  # equal hypotheses make it singular
    draws = rng.standard_normal((GAUSSIAN_DRAWS, len(correlation))) @ root.T
    largest: FloatArray = (np.abs(draws) if absolute else draws).max(axis=1)
    return largest


def correlation_of(values: npt.NDArray[np.floating]) -> FloatArray:
    """Σ x·y / √(Σx²·Σy²) of the rows of values (M, K): (M, M), 0 with a row of zeros."""
    products = (values @ values.T).astype(np.float64)
    scale = np.sqrt(np.diag(products))
    scale[scale == 0] = 1.0
    correlation: FloatArray = products / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return correlation
