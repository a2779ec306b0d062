"""Do two sets differ at all, in ways that no text has named? A test on their embeddings.

The energy distance (Székely & Rizzo 2013, "Energy statistics"): twice the mean distance between an
image of A and one of B, less the mean distances within A and within B; zero in the long run only
where both have the same distribution. Its null is what relabelled units make of it (:mod:`null`),
so that clusters stay whole, pairs swap their sides, and strata are compared each for itself.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.design import Design, blocks_of
from visdiff_local.stats.null import Labels, Relabelling
from visdiff_local.stats.ties import BoolArray, FloatArray, IntArray

AT_MOST = 3000
"""Images whose distances are held together (36 MB); of more, whole units are drawn."""

_FOR_THE_MEAN = 100
"""Relabellings from which the mean of the null is taken."""

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a test of embeddings found."""

    p_value: float
    """How often relabelled sets lie as far apart."""
    explained: float
    """The share of the energy distance, less what chance makes of it, that is gone once the
    vectors are freed of what goes with the given scores: 0 … 1. 0 without scores."""


def sample(design: Design, rng: np.random.Generator, at_most: int = AT_MOST) -> IntArray:
    """Positions of at most about ``at_most`` images that take part, whole units, both sets alike.

    A set that is larger than half of it is drawn from; the other is kept whole.
    """
    chosen = np.zeros(len(design.is_a), np.bool_)
    key = rng.random(int(design.unit.max()) + 1)[design.unit]
    sizes = (design.n_a, design.n_b)
    for side, size, other in (
        (design.is_a, sizes[0], sizes[1]),
        (~design.is_a, sizes[1], sizes[0]),
    ):
        positions = np.flatnonzero(side & design.kept)
        room = max(at_most // 2, at_most - other)
        drawn = positions if size <= room else positions[np.argsort(key[positions])[:room]]
        chosen[drawn] = True
    return np.flatnonzero(chosen)


def difference_test(
    vectors: Vectors,
    design: Design,
    *,
    scores: npt.NDArray[np.floating] | None = None,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> Difference:
    """Whether the vectors of A and B are drawn from one distribution.

    Args:
        vectors: float32 (N, d), of the images of ``design``; take :func:`sample` of many first.
        scores: (K, N), what may explain the difference, such as those of confirmed texts.
    """
    unit = np.unique(design.unit, return_inverse=True)[1].astype(np.int64)
    relabelling = _relabelling(design, unit)
    layers = [
        _Layer(np.flatnonzero(design.kept & (design.stratum == code)), design, unit)
        for code in np.unique(design.stratum[design.kept])
    ]
    tables = [_distances(vectors[layer.images]) for layer in layers]
    observed = float(_energies(tables, layers, relabelling, relabelling.observed)[0])
    null = _null(tables, layers, relabelling, permutations, rng)
    own = 0 if relabelling.exhaustive(permutations) else 1
    reached = int((null >= observed - 1e-6 * abs(observed)).sum())
    p = (own + reached) / (own + len(null))
    whole = observed - float(null.mean())
    if scores is None or not len(scores) or whole <= 0:
        return Difference(p, 0.0)
    rest = _residual(vectors, scores, design.kept)
    tables = [_distances(rest[layer.images]) for layer in layers]
    left = float(_energies(tables, layers, relabelling, relabelling.observed)[0])
    left -= float(_null(tables, layers, relabelling, _FOR_THE_MEAN, rng).mean())
    return Difference(p, float(np.clip(1 - left / whole, 0, 1)))


class _Layer:
    """The images of one stratum, and how a relabelling of units labels them."""

    def __init__(self, images: IntArray, design: Design, unit: IntArray) -> None:
        self.images = images
        self.unit = unit[images]
        self.is_a = design.is_a[images]

    def in_a(self, labels: Vectors, both: BoolArray) -> Vectors:
        """(n, count) 1 where an image is in A: as its unit, or swapped with its unit's sides."""
        mine = labels[self.unit]
        swapped = np.where(self.is_a[:, None], 1 - mine, mine)
        return np.where(both[self.unit][:, None], swapped, mine)


def _relabelling(design: Design, unit: IntArray) -> Relabelling:
    n_units = int(unit.max()) + 1
    in_a, in_b = np.zeros(n_units, np.bool_), np.zeros(n_units, np.bool_)
    in_a[unit[design.kept & design.is_a]] = True
    in_b[unit[design.kept & ~design.is_a]] = True
    block = np.zeros(n_units, np.int64)
    if design.stratified:
        present = np.unique(unit[design.kept])
        block[present] = blocks_of(
            np.searchsorted(present, unit[design.kept]), design.stratum[design.kept]
        )
    return Relabelling(block, in_a, in_b)


def _null(
    tables: list[Vectors],
    layers: list[_Layer],
    relabelling: Relabelling,
    count: int,
    rng: np.random.Generator,
) -> FloatArray:
    every = np.eye(len(relabelling.block), dtype=np.float32)
    return np.concatenate(
        [
            _energies(tables, layers, relabelling, Labels(labels.sums(every).astype(np.float32)))
            for labels in relabelling.draws(count, rng)
        ]
    )


def _energies(
    tables: list[Vectors], layers: list[_Layer], relabelling: Relabelling, labels: Labels
) -> FloatArray:
    """Energy distance under each relabelling, strata weighted by n_a n_b / n: (count,)."""
    total = np.zeros(labels.count)
    for table, layer in zip(tables, layers, strict=True):
        in_a = layer.in_a(labels.values, relabelling.both)
        n_a = in_a.sum(axis=0, dtype=np.float64)
        n_b = len(in_a) - n_a
        within_a = (in_a * (table @ in_a)).sum(axis=0, dtype=np.float64)
        to_a = table.sum(axis=1) @ in_a.astype(np.float64)
        between = to_a - within_a
        within_b = float(table.sum(dtype=np.float64)) - 2 * to_a + within_a
        usable = (n_a > 0) & (n_b > 0)
        a, b = np.where(usable, n_a, 1.0), np.where(usable, n_b, 1.0)
        energy = 2 * between / (a * b) - within_a / a**2 - within_b / b**2
        total += np.where(usable, energy * a * b / (a + b), 0.0)
    return total


def _distances(vectors: Vectors) -> Vectors:
    """Euclidean, float32 (n, n)."""
    squares = (vectors.astype(np.float64) ** 2).sum(axis=1)
    products = (vectors @ vectors.T).astype(np.float64)
    table = squares[:, None] + squares[None] - 2 * products
    np.fill_diagonal(table, 0.0)
    found: Vectors = np.sqrt(np.maximum(table, 0.0)).astype(np.float32)
    return found


def _residual(vectors: Vectors, scores: npt.NDArray[np.floating], kept: BoolArray) -> Vectors:
    """The vectors less what the scores predict of them, by least squares over all images."""
    known = scores[:, kept].astype(np.float64)
    spread = known.std(axis=1)
    known = (known - known.mean(axis=1, keepdims=True))[spread > 0] / spread[spread > 0, None]
    design = np.concatenate([np.ones((1, known.shape[1])), known]).T
    coefficients = np.linalg.lstsq(design, vectors[kept].astype(np.float64), rcond=None)[0]
    rest = vectors.copy()
    rest[kept] = (vectors[kept] - design @ coefficients).astype(np.float32)
    return rest
