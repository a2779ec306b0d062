"""Embedded images that are nearly the same, as groups."""

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.images.hashes import Pairs
from visdiff_local.images.hashes import groups as linked
from visdiff_local.store.vectors import VectorIndex

NEIGHBOURS = 32
"""How many of an image's nearest are looked at: enough to link all images of a group, however
large, and a bound on the work."""
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Group:
    """Images that are linked by cosines of the threshold or more, directly or through others."""

    ids: tuple[str, ...]
    lowest: float
    """The lowest cosine among the links."""


def groups(index: VectorIndex, threshold: float, among: Set[str] | None = None) -> list[Group]:
    """Groups of two or more, the most alike first.

    Args:
        among: ids to look at; all where it is None.
    """
    ids, matrix = index.matrix()
    chosen = np.array([place for place, id_ in enumerate(ids) if among is None or id_ in among])
    place_of = {id_: place for place, id_ in enumerate(ids)} if len(chosen) else {}
    scores: list[npt.NDArray[np.float64]] = []

    def pairs() -> Iterator[Pairs]:
        for first in range(0, len(chosen), _ROWS_AT_ONCE):
            part = chosen[first : first + _ROWS_AT_ONCE]
            near = index.nearest(np.asarray(matrix[part], np.float32), NEIGHBOURS)
            rows = [
                (one, place_of[other], score)
                for one, found in zip(part.tolist(), near, strict=True)
                for other, score in found
                if score >= threshold and place_of[other] != one
                and (among is None or other in among)
            ]  # fmt: skip
            table = np.array(rows, np.float64).reshape(-1, 3)
            scores.append(table)
            yield table[:, :2].astype(np.int64)

    found = linked(pairs())
    if not found:
        return []
    group_of = np.full(len(ids), -1)
    for number, members in enumerate(found):
        group_of[members] = number
    links = np.concatenate(scores)
    lowest = np.full(len(found), np.inf)
    np.minimum.at(lowest, group_of[links[:, 0].astype(np.int64)], links[:, 2])
    order = np.argsort(-lowest, kind="stable").tolist()
    return [
        Group(tuple(ids[i] for i in found[number].tolist()), float(lowest[number]))
        for number in order
    ]
