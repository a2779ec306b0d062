"""Embedded images that are nearly the same, as groups, with a bound on the work.

Up to :data:`EXACT` images are compared each with each. Of more, the signs of random projections
(Charikar 2002, "Similarity estimation techniques from rounding algorithms") stand for an image: two
that are alike agree in nearly all of them. In each of :data:`TABLES` the images are sorted by some
of the signs, and compared with their next neighbours; accepted for that bound: of pairs just at the
threshold one in a hundred or so is not seen directly. Of images that are equal one stands for all,
and what is linked already is not compared again: a burst of 100,000 is one group at once.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from math import acos, ceil, log2, pi, sqrt

import numpy as np
import numpy.typing as npt

from visdiff_local.images.hashes import bits_between
from visdiff_local.images.listing import hex_of
from visdiff_local.store.shards import HalfArray
from visdiff_local.store.vectors import VectorIndex, rounded
from visdiff_local.system.progress import SILENT, Progress

EXACT = 8192
"""Up to so many images every pair is compared."""
TABLES, NEIGHBOURS = 24, 16
_WORDS = 2
_BITS = 64 * _WORDS
_BEYOND = 5
"""Standard deviations by which the signs of a pair at the threshold may differ more than usual."""
_ROWS_AT_ONCE = 1024

IntArray = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint64]
"""(n, 2), the signs of an image's projections."""


@dataclass(frozen=True, slots=True)
class Group:
    """Images that are linked by cosines of the threshold or more, directly or through others."""

    ids: tuple[str, ...]
    lowest: float
    """The lowest cosine among the links that were needed."""


@dataclass(frozen=True, slots=True)
class Links:
    """Pairs of images that are alike: (p, 2) rows, and their cosines (p,)."""

    pairs: IntArray
    cosine: npt.NDArray[np.float32]


def groups(
    index: VectorIndex,
    threshold: float,
    among: Set[str] | None = None,
    progress: Progress = SILENT,
) -> list[Group]:
    """Groups of two or more, the most alike first.

    Args:
        among: ids to look at; all where it is None.
    """
    ids, rows = index.mapped()
    chosen = np.arange(len(ids))
    if among is not None:
        wanted = np.sort(np.frombuffer(bytes.fromhex("".join(sorted(among))), ids.dtype))
        chosen = np.flatnonzero(np.isin(ids, wanted))
    forest = _Forest(len(chosen))
    if len(chosen) <= EXACT:
        found = _each_with_each(rows, chosen, threshold)
    else:
        found = _by_signs(rows, chosen, threshold, forest, progress)
    for links in found:
        forest.link(links)
    return [
        Group(tuple(hex_of(ids[chosen[members]])), lowest) for members, lowest in forest.groups()
    ]


class _Forest:
    """Which of n images are linked so far, and by what cosines at least."""

    def __init__(self, n: int) -> None:
        self.component: IntArray = np.arange(n)
        self._lowest = np.full(n, np.inf)

    def unlinked(self, pairs: IntArray) -> IntArray:
        """Those of the pairs (p, 2) whose images are not linked yet."""
        apart = self.component[pairs[:, 0]] != self.component[pairs[:, 1]]
        found: IntArray = pairs[apart]
        return found

    def link(self, links: Links) -> None:
        """Adds links."""
        if not len(links.pairs):
            return
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        n = len(self.component)
        ends = self.component[links.pairs]
        edges = (np.ones(len(ends), np.bool_), (ends[:, 0], ends[:, 1]))
        merged = connected_components(coo_array(edges, shape=(n, n)), directed=False)[1]
        lowest = np.full(n, np.inf)
        np.minimum.at(lowest, merged, self._lowest)
        np.minimum.at(lowest, merged[ends[:, 0]], links.cosine)
        self.component, self._lowest = merged[self.component].astype(np.int64), lowest

    def groups(self) -> list[tuple[IntArray, float]]:
        """Members, in rising order, and the lowest cosine of each group; the most alike first."""
        order = np.argsort(self.component, kind="stable")
        cuts = np.flatnonzero(np.diff(self.component[order])) + 1
        found = [members for members in np.split(order, cuts) if len(members) > 1]
        lowest = [float(self._lowest[self.component[members[0]]]) for members in found]
        by_likeness = sorted(range(len(found)), key=lambda i: (-lowest[i], int(found[i][0])))
        return [(found[i], lowest[i]) for i in by_likeness]


def _each_with_each(rows: HalfArray, chosen: IntArray, threshold: float) -> Iterator[Links]:
    vectors = rounded(rows[chosen])
    for first in range(0, len(vectors), _ROWS_AT_ONCE):
        cosine = vectors[first : first + _ROWS_AT_ONCE] @ vectors.T
        one, other = np.nonzero(cosine >= threshold)
        later = other > one + first
        one, other = one[later], other[later]
        yield Links(np.stack([one + first, other], axis=1), cosine[one, other])


def _by_signs(
    rows: HalfArray, chosen: IntArray, threshold: float, forest: _Forest, progress: Progress
) -> Iterator[Links]:
    yield from _equal(rows, chosen)
    first = np.unique(forest.component, return_index=True)[1]  # one of those that are equal
    rng = np.random.default_rng(0)
    codes, spread = _codes(rows, chosen[first], rng)
    # Less their mean the vectors are shorter, and the same distance is a wider angle.
    differ = acos(max(-1.0, 1 - (1 - threshold) / max(spread, 1e-6))) / pi
    limit = _BITS * differ + _BEYOND * sqrt(_BITS * differ * (1 - differ)) + 1
    kept_bits = min(_BITS, max(1, ceil(log2(max(2, len(first) / NEIGHBOURS)))))
    order = np.lexsort(codes.T)
    progress.start("compare", TABLES)
    for _ in range(TABLES):
        bits = np.zeros(_BITS, np.bool_)
        bits[rng.permutation(_BITS)[:kept_bits]] = True
        mask = np.packbits(bits).view(np.uint64)
        keys = codes[order] & mask
        ranked = order[np.lexsort(keys.T)]
        keys = codes[ranked] & mask
        left = np.arange(len(ranked))
        for offset in range(1, NEIGHBOURS + 1):
            left = left[: np.searchsorted(left, len(ranked) - offset)]
            left = left[(keys[left] == keys[left + offset]).all(axis=1)]
            if not len(left):
                break
            pairs = np.stack([ranked[left], ranked[left + offset]], axis=1)
            apart = sum(
                bits_between(codes[pairs[:, 0], word], codes[pairs[:, 1], word]).astype(np.int64)
                for word in range(_WORDS)
            )
            near = forest.unlinked(first[pairs[apart <= limit]])
            yield from _alike(rows, chosen, near, threshold)
        progress.advance(1)
    progress.finish()


def _equal(rows: HalfArray, chosen: IntArray) -> Iterator[Links]:
    """Neighbours, in order of their first numbers, that are the same in all."""
    begin = rows[chosen, : min(4, rows.shape[1])].view(np.uint16).astype(np.int64)
    order = np.lexsort(begin.T)
    same = np.flatnonzero((begin[order[1:]] == begin[order[:-1]]).all(axis=1))
    for start in range(0, len(same), _ROWS_AT_ONCE):
        part = same[start : start + _ROWS_AT_ONCE]
        one, other = order[part], order[part + 1]
        alike = (rows[chosen[one]] == rows[chosen[other]]).all(axis=1)
        pairs = np.stack([one, other], axis=1)[alike]
        yield Links(pairs, np.ones(len(pairs), np.float32))


def _alike(rows: HalfArray, chosen: IntArray, pairs: IntArray, threshold: float) -> Iterator[Links]:
    """Those of the pairs whose cosine reaches the threshold."""
    for first in range(0, len(pairs), _ROWS_AT_ONCE):
        part = pairs[first : first + _ROWS_AT_ONCE]
        one, other = (rounded(rows[chosen[side]]) for side in part.T)
        cosine = np.einsum("ij,ij->i", one, other)
        near = cosine >= threshold
        if near.any():
            yield Links(part[near], cosine[near])


def _codes(rows: HalfArray, chosen: IntArray, rng: np.random.Generator) -> tuple[Codes, float]:
    """The signs of the images' projections, less the images' mean; and the mean square of what is
    left of their unit length."""
    some = rounded(rows[np.sort(rng.choice(chosen, min(len(chosen), EXACT), replace=False))])
    centre = some.mean(axis=0)
    spread = float(((some - centre) ** 2).sum(axis=1).mean())
    projections = rng.standard_normal((rows.shape[1], _BITS)).astype(np.float32)
    offset = centre @ projections
    codes = np.empty((len(chosen), _WORDS), np.uint64)
    for first in range(0, len(chosen), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        signs = rounded(rows[chosen[part]]) @ projections > offset
        codes[part] = np.packbits(signs, axis=1).view(np.uint64)
    return codes, spread
