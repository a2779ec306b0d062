"""Near-duplicates: one picture stored twice, resized, recompressed or slightly retouched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.measure.attributes import ATTRIBUTES, Measurement

MOST_BITS = 4
"""Perceptual hashes of near-duplicates differ in at most so many of 64 bits."""

_TOLERANCE = {
    "brightness": 0.04,
    "contrast": 0.04,
    "saturation": 0.03,
    "warmth": 0.06,
    "greenness": 0.06,
    "aspect ratio": 0.03,
}
"""What near-duplicates must agree in too: hashes of plain pictures collide by chance."""

_BITS_SET = np.array([value.bit_count() for value in range(256)], np.uint8)

Pairs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """Near-duplicates within and across the sets, as positions in their measurements."""

    within_a: tuple[tuple[int, ...], ...]
    """Groups of two or more."""
    within_b: tuple[tuple[int, ...], ...]
    across: tuple[tuple[int, int], ...]
    """(position in A, position in B)."""


def near_duplicates(measurements: Sequence[Measurement]) -> tuple[tuple[int, ...], ...]:
    """Groups of positions whose images are near-duplicates, directly or through one another."""
    return _groups(_pairs(measurements), len(measurements))


def duplicate_report(
    a: Sequence[Measurement], b: Sequence[Measurement], *, paired: bool = False
) -> DuplicateReport:
    """Near-duplicates within A, within B and from one to the other.

    Args:
        paired: ``a[i]`` belongs to ``b[i]``; that these two are alike is then no finding.
    """
    pairs = _pairs([*a, *b])
    first, second = pairs.T
    across = pairs[(first < len(a)) & (second >= len(a))] - [0, len(a)]
    if paired:
        across = across[across[:, 0] != across[:, 1]]
    return DuplicateReport(
        within_a=_groups(pairs[second < len(a)], len(a)),
        within_b=_groups(pairs[first >= len(a)] - len(a), len(b)),
        across=tuple((int(i), int(j)) for i, j in across),
    )


def _groups(pairs: Pairs, n: int) -> tuple[tuple[int, ...], ...]:
    if len(pairs) == 0:
        return ()
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return tuple(tuple(group.tolist()) for group in groups if len(group) > 1)


def _pairs(measurements: Sequence[Measurement]) -> Pairs:
    """Near-duplicate pairs (P, 2), the lower position first, in order.

    Hashes that differ in at most four bits agree in at least one of five parts (pigeonhole), so
    only images that share a part are compared: a sort a part instead of all pairs.
    """
    hashes = np.array([m.phash for m in measurements], np.uint64)
    columns = [ATTRIBUTES.index(name) for name in _TOLERANCE]
    values = np.array([m.values for m in measurements]).reshape(len(hashes), len(ATTRIBUTES))
    traits = values[:, columns]
    found = [np.zeros((0, 2), np.int64)]
    for part in np.array_split(np.arange(64, dtype=np.uint64), MOST_BITS + 1):
        keys = (hashes >> part[0]) & np.uint64((1 << len(part)) - 1)
        order = np.argsort(keys, kind="stable")
        ends = np.searchsorted(keys[order], keys[order], side="right")
        for pairs in _pairs_in_runs(ends):
            first, second = np.sort(order[pairs], axis=1).T
            near = _distance(hashes[first], hashes[second]) <= MOST_BITS
            first, second = first[near], second[near]
            agree = (np.abs(traits[first] - traits[second]) <= [*_TOLERANCE.values()]).all(axis=1)
            found.append(np.stack([first[agree], second[agree]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _pairs_in_runs(ends: npt.NDArray[np.int64]) -> Iterator[Pairs]:
    """All pairs i < j within runs of equal keys, from where each position's run ends.

    By the distance j − i, so that a chunk holds no more pairs than there are images.
    """
    positions = np.arange(len(ends))
    for step in range(1, len(ends)):
        positions = positions[positions + step < ends[positions]]
        if len(positions) == 0:
            return
        yield np.stack([positions, positions + step], axis=1)


def _distance(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """How many bits differ, element by element."""
    differing = np.ascontiguousarray(a ^ b).view(np.uint8).reshape(-1, 8)
    distance: npt.NDArray[np.uint8] = _BITS_SET[differing].sum(axis=1, dtype=np.uint8)
    return distance
