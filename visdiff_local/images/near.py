"""Near-duplicates: groups of images whose perceptual hashes are alike."""

from collections.abc import Hashable, Mapping
from itertools import chain
from typing import Generic, TypeVar

import numpy as np

from visdiff_local.images.hashes import close_pairs, groups

Node = TypeVar("Node", bound=Hashable)

NEAR_DISTANCE = 4
"""Bits of the 64-bit perceptual hash in which near-duplicates may differ."""


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
