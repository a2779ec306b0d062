"""Which 64-bit perceptual hashes lie close together, with a bound on the work.

Multi-index hashing (Norouzi, Punjani & Fleet, CVPR 2012): cut into ``p`` pieces, two hashes that
differ in at most ``d`` bits agree in at least ``p - d`` pieces, so only those that do are compared.
More pieces are more sorting and fewer comparisons; how many pays is a matter of how many hashes
there are. Accepted for the bound: where very many hashes agree in the same pieces (plain pictures,
bursts), each is compared with so many of its neighbours in the order of the hashes, and not with
all; see :func:`most_neighbours`.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from math import comb, log2

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Pairs = npt.NDArray[np.int64]
"""(P, 2), positions."""

COMPARISONS = 1 << 23
"""So many are always made, where they are needed for an exact result."""
LEAST_NEIGHBOURS = 16
_HELD = 1 << 21
"""Pairs that are held before they are condensed."""
_BITS = 64
_SORTING = 3.0
"""What sorting costs for each element and bit, in comparisons."""
_BITS_SET = np.array([value.bit_count() for value in range(1 << 16)], dtype=np.uint8)


def close_pairs(hashes: Hashes, distance: int) -> Iterator[Pairs]:
    """Pairs of positions whose hashes differ in at most ``distance`` bits, part by part.

    A pair may come more than once. Equal hashes are neighbours in the order in which they come.

    Args:
        hashes: uint64 (n,).
    """
    ascending = np.argsort(hashes, kind="stable")
    codes = hashes[ascending]
    masks = _masks(len(hashes), distance)
    kept_bits = min((int(mask).bit_count() for mask in masks), default=0)
    most = most_neighbours(len(hashes), len(masks), kept_bits)
    for mask in masks:
        keys = codes & mask
        order = np.argsort(keys, kind="stable")
        keys, sorted_codes, place = keys[order], codes[order], ascending[order]
        # In order of the kept pieces, equals are neighbours: compare each with the 1st, 2nd, …
        # after it, until no two at that offset agree.
        left = np.arange(len(hashes))
        for offset in range(1, most + 1):
            left = left[: np.searchsorted(left, len(hashes) - offset)]
            left = left[keys[left] == keys[left + offset]]
            if not len(left):
                break
            near = left[bits_between(sorted_codes[left], sorted_codes[left + offset]) <= distance]
            if len(near):
                yield np.stack([place[near], place[near + offset]], axis=1)


def most_neighbours(n: int, tables: int, kept_bits: float) -> int:
    """With how many others a hash is compared in each sorted table, at most: all of them up to a
    thousand hashes; beyond, several times as many as agree by chance."""
    by_chance = LEAST_NEIGHBOURS + int(4 * n / 2**kept_bits)
    return min(n - 1, max(by_chance, COMPARISONS // max(1, tables * n)))


def bits_between(a: Hashes, b: Hashes) -> npt.NDArray[np.uint8]:
    """How many bits differ, element by element."""
    if hasattr(np, "bitwise_count"):  # numpy 2, ten times as fast
        return np.bitwise_count(a ^ b)  # type: ignore[no-any-return,unused-ignore]
    differing = np.ascontiguousarray(a ^ b).view(np.uint16).reshape(-1, 4)
    return _BITS_SET[differing].sum(axis=1, dtype=np.uint8)  # type: ignore[no-any-return]


def groups(parts: Iterable[Pairs]) -> list[npt.NDArray[np.int64]]:
    """Groups (two or more) of positions that pairs link, directly or through others; each in rising
    order, the groups by their first. Many more pairs than positions do not take more memory."""
    held, count = [np.zeros((0, 2), np.int64)], 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count > _HELD:
            held, count = [_chains(_groups(np.concatenate(held)))], 0
    return sorted(_groups(np.concatenate(held)), key=lambda group: int(group[0]))


def _groups(pairs: Pairs) -> list[npt.NDArray[np.int64]]:
    if len(pairs) == 0:
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    linked, nodes = np.unique(pairs, return_inverse=True)  # mostly few of all
    first, second = nodes.reshape(-1, 2).T
    shape = (len(linked), len(linked))
    graph = coo_array((np.ones(len(pairs), np.bool_), (first, second)), shape=shape)
    labels = connected_components(graph, directed=False)[1]
    order = np.argsort(labels, kind="stable")
    found = np.split(linked[order], np.flatnonzero(np.diff(labels[order])) + 1)
    return [group for group in found if len(group) > 1]


def _chains(found: list[npt.NDArray[np.int64]]) -> Pairs:
    """The fewest pairs that link the same groups."""
    return np.concatenate([np.stack([group[:-1], group[1:]], axis=1) for group in found])


def _masks(n: int, distance: int) -> list[np.uint64]:
    """Which bits must agree, table by table: the cheapest cut for so many hashes."""
    if distance >= _BITS:
        return [np.uint64(0)]

    def cost(pieces: int) -> float:
        kept_bits = _BITS * (pieces - distance) / pieces
        compared = n * n / 2 / 2**kept_bits
        return comb(pieces, distance) * (_SORTING * n * log2(n + 2) + compared)

    most = min(distance + 3, _BITS)
    pieces = min(range(distance + 1, most + 1), key=cost)
    edges = np.linspace(0, _BITS, pieces + 1).astype(int).tolist()
    bands = [((1 << high) - 1) ^ ((1 << low) - 1) for low, high in pairwise(edges)]
    return [np.uint64(sum(kept)) for kept in combinations(bands, pieces - distance)]
