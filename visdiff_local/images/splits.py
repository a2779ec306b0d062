"""Explore and validate halves that share no image and no near-duplicate of one.

Hypotheses come from one half and every number from the other, so what must not be torn apart stays
on one side: the same bytes, near-duplicates, and images that are paired, within and across sets.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Generic, TypeVar

import numpy as np

from visdiff_local.images.hashes import close_pairs, groups
from visdiff_local.types import ImageRef, Split

Node = TypeVar("Node", bound=Hashable)

NEAR_DISTANCE = 4
"""Bits of the 64-bit perceptual hash in which near-duplicates may differ."""


def split(
    a: Sequence[ImageRef],
    b: Sequence[ImageRef],
    *,
    rng: np.random.Generator,
    near: Iterable[Collection[str]] = (),
    together: Iterable[Collection[str]] = (),
) -> tuple[Split, Split]:
    """Halves of A and of B, as even as the groups allow; a function of ids and ``rng`` alone.

    Where keeping near-duplicates together would leave a half empty (a set that is all one burst),
    they are torn apart, and then what is ``together``; :func:`crossing` tells. A set of one image
    has it in both halves. Each half is sorted by id.

    Args:
        near: groups of ids of images that are nearly the same, such as those of
            :func:`near_groups`.
        together: groups of ids that a column says belong together, such as pairs; within a set or
            across both.
    """
    alike = [sorted(group) for group in near]
    bound = [sorted(group) for group in together]
    seed = int(rng.integers(2**63))
    for bonds in ([*alike, *bound], bound, []):
        units = _units(a, b, bonds)
        explore = _halve(units, np.random.default_rng(seed))
        halves = _in_halves(a, explore), _in_halves(b, explore)
        if all(half.explore and half.validate for half in halves):
            return halves
    return _never_empty(halves[0], a), _never_empty(halves[1], b)


def crossing(halves: Split, near: Iterable[Collection[str]] = ()) -> int:
    """How many images or groups of near-duplicates are in both halves; 0 is what one wants."""
    explore = {ref.id for ref in halves.explore}
    validate = {ref.id for ref in halves.validate}
    groups = [set(group) for group in near]
    grouped = set().union(*groups) if groups else set()
    alone = (explore & validate) - grouped
    return len(alone) + sum(bool(group & explore) and bool(group & validate) for group in groups)


def near_groups(
    hashes: Mapping[str, int], *, distance: int = NEAR_DISTANCE
) -> tuple[tuple[str, ...], ...]:
    """Groups (two or more ids) linked by perceptual hashes at most ``distance`` bits apart.

    The work is bounded: see :mod:`visdiff_local.images.hashes`.
    """
    ids = sorted(hashes)
    values = np.array([hashes[id_] for id_ in ids], dtype=np.uint64)
    unique, which = np.unique(values, return_inverse=True)
    # Equal hashes are linked here, so that a burst of them is one hash to compare.
    order = np.argsort(which, kind="stable")
    equal = np.flatnonzero(np.diff(which[order]) == 0)
    same = np.stack([order[equal], order[equal + 1]], axis=1)
    first = order[np.searchsorted(which[order], np.arange(len(unique)))] if len(ids) else order
    close = (first[pairs] for pairs in close_pairs(unique, distance))
    return tuple(tuple(ids[i] for i in group.tolist()) for group in groups(chain([same], close)))


class Forest(Generic[Node]):
    """Disjoint sets (union–find with path halving)."""

    def __init__(self) -> None:
        self._parent: dict[Node, Node] = {}

    def root(self, node: Node) -> Node:
        parent = self._parent
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(self, one: Node, other: Node) -> None:
        self._parent[self.root(other)] = self.root(one)


def _units(
    a: Sequence[ImageRef], b: Sequence[ImageRef], groups: Iterable[Sequence[str]]
) -> list[tuple[list[str], float, float]]:
    """What stays together: (ids, its share of A, its share of B), in an order set by ids alone."""
    forest = Forest[str]()
    for group in groups:
        for id_ in group[1:]:
            forest.join(group[0], id_)
    members: dict[str, list[str]] = {}
    in_a, in_b = {ref.id for ref in a}, {ref.id for ref in b}
    for id_ in sorted(in_a | in_b):
        members.setdefault(forest.root(id_), []).append(id_)
    return [
        (ids, sum(i in in_a for i in ids) / len(in_a), sum(i in in_b for i in ids) / len(in_b))
        for ids in sorted(members.values())
    ]


def _halve(units: list[tuple[list[str], float, float]], rng: np.random.Generator) -> set[str]:
    """Ids of the explore half: large units first, each to the half that lacks more of the sets."""
    shuffled = [units[index] for index in rng.permutation(len(units))]
    explore: set[str] = set()
    lead_a = lead_b = 0.0  # how far explore is ahead, as a share of the set
    for ids, share_a, share_b in sorted(shuffled, key=lambda unit: -(unit[1] + unit[2])):
        gain = lead_a * share_a + lead_b * share_b  # growth of lead_a² + lead_b², explore's side
        tied = abs(gain) < 1e-12
        to_explore = rng.random() < 0.5 if tied else gain < 0
        sign = 1 if to_explore else -1
        lead_a, lead_b = lead_a + sign * share_a, lead_b + sign * share_b
        if to_explore:
            explore.update(ids)
    return explore


def _in_halves(refs: Sequence[ImageRef], explore: set[str]) -> Split:
    ordered = sorted(refs, key=lambda ref: ref.id)
    return Split(
        tuple(ref for ref in ordered if ref.id in explore),
        tuple(ref for ref in ordered if ref.id not in explore),
    )


def _never_empty(halves: Split, refs: Sequence[ImageRef]) -> Split:
    """A half that is empty holds the whole set: nothing can be kept apart there."""
    everything = tuple(sorted(refs, key=lambda ref: ref.id))
    return Split(halves.explore or everything, halves.validate or everything)
