"""How the images were sampled: which belong together, and which may be compared with which.

Whatever the design, three things follow from it and nothing else is asked of it later: the images
that can be used, the **units** whose labels mean nothing if nothing differs (images, clusters, or
ids of pairs), and the **strata** within which alone images are compared.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.ties import BoolArray, IntArray, checked_labels

Codes: TypeAlias = Sequence[Hashable] | npt.NDArray[Any]
"""A value an image, length N: of any hashable kind; None (or NaN) where there is none."""


@dataclass(frozen=True, eq=False)
class Design:
    """The sampling design of N images. ``is_a`` alone: images independent of each other.

    Raises:
        ValueError: a set is empty, a column has not one value an image, or no id, or no stratum,
            has images of both sets.
    """

    is_a: BoolArray
    """(N,) the set of each image."""
    pairs: Codes | None = None
    """The scene, product or patient that is in both sets; images without one are left out."""
    clusters: Codes | None = None
    """What an image belongs to with others (patient, site, burst); without one it is its own."""
    strata: Codes | None = None
    """Images are compared within a stratum only; those without one are left out."""

    def __post_init__(self) -> None:
        labels = checked_labels(self.is_a)
        object.__setattr__(self, "is_a", labels)
        for name in ("pairs", "clusters", "strata"):
            column = getattr(self, name)
            if column is not None and len(column) != len(labels):
                raise ValueError(f"{name}: {len(column)} values for {len(labels)} images")
        if not self.kept.any():
            what = "id of a pair" if self.pairs is not None else "stratum"
            raise ValueError(f"no {what} has images of both sets: nothing can be compared")

    # Columns as codes

    @cached_property
    def stratum(self) -> IntArray:
        """(N,) codes from 0; −1 where an image has no stratum."""
        if self.strata is None:
            return np.zeros(len(self.is_a), np.int64)
        return codes(self.strata)

    @cached_property
    def cluster(self) -> IntArray:
        """(N,) codes from 0; an image without a cluster is one of its own."""
        if self.clusters is None:
            return np.arange(len(self.is_a))
        given = codes(self.clusters)
        alone = given < 0
        given[alone] = given.max(initial=-1) + 1 + np.arange(int(alone.sum()))
        return np.unique(given, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def pair(self) -> IntArray:
        """(N,) codes of (id, stratum) from 0; −1 where the image cannot be paired."""
        if self.pairs is None:
            return np.full(len(self.is_a), -1)
        ids = codes(self.pairs)
        joint = np.where(
            (ids < 0) | (self.stratum < 0), -1, ids * (self.stratum.max() + 1) + self.stratum
        )
        both = in_both(joint, self.is_a)
        dense = np.full(len(joint), -1)
        dense[both] = np.unique(joint[both], return_inverse=True)[1]
        return dense

    # What can be used

    @cached_property
    def kept(self) -> BoolArray:
        """(N,) images that take part: of strata, or ids, that lie in both sets."""
        if self.pairs is not None:
            return self.pair >= 0
        if self.strata is None:
            return np.ones(len(self.is_a), np.bool_)
        return in_both(self.stratum, self.is_a)

    @cached_property
    def unit(self) -> IntArray:
        """(N,) codes of what is relabelled as a whole: images, clusters, or ids of pairs; ids that
        share a cluster are one unit. Of images that are left out too."""
        if self.pairs is None:
            return self.cluster
        ids = np.where(self.pair >= 0, codes(self.pairs), -1)
        return connected(ids, self.cluster)

    @property
    def paired(self) -> bool:
        return self.pairs is not None

    @cached_property
    def clustered(self) -> bool:
        """Some unit has more than one image (for pairs: than one id)."""
        if self.pairs is None:
            return int(self.unit.max()) + 1 < len(self.is_a)
        assert self.pairs is not None
        return len(np.unique(self.unit[self.kept])) < len(np.unique(self.pair[self.kept]))

    @cached_property
    def stratified(self) -> bool:
        return self.strata is not None

    @property
    def plain(self) -> bool:
        """Every image counts on its own and is compared with every other."""
        return not (self.paired or self.clustered or self.stratified)

    # What it amounts to

    @cached_property
    def n_a(self) -> int:
        """Images of A that take part."""
        return int((self.is_a & self.kept).sum())

    @cached_property
    def n_b(self) -> int:
        """Images of B that take part."""
        return int((~self.is_a & self.kept).sum())

    @cached_property
    def clusters_a(self) -> int:
        """Units with an image in A; one in both sets counts on either side."""
        return len(np.unique(self.unit[self.is_a & self.kept]))

    @cached_property
    def clusters_b(self) -> int:
        """Units with an image in B."""
        return len(np.unique(self.unit[~self.is_a & self.kept]))

    @cached_property
    def n_pairs(self) -> int:
        """Ids (within their stratum) that lie in both sets; 0 without ``pairs``."""
        return int(self.pair.max()) + 1

    @cached_property
    def strata_used(self) -> tuple[Hashable, ...]:
        """Values of the strata that have images of both sets, in order of appearance."""
        return self._strata_where(self.kept)

    @cached_property
    def strata_left_out(self) -> tuple[Hashable, ...]:
        """Values of the strata that have images of one set only."""
        used = set(self.strata_used)
        return tuple(v for v in self._strata_where(self.stratum >= 0) if v not in used)

    @property
    def left_out(self) -> int:
        """Images that cannot be compared: no stratum or id, or one that lies in one set only."""
        return int((~self.kept).sum())

    def describe(self) -> dict[str, object]:
        """Counts for a report: plain numbers and lists."""
        return {
            "images_a": self.n_a,
            "images_b": self.n_b,
            "clusters_a": self.clusters_a if self.clusters is not None else None,
            "clusters_b": self.clusters_b if self.clusters is not None else None,
            "strata": len(self.strata_used) if self.stratified else None,
            "strata_left_out": [str(v) for v in self.strata_left_out],
            "pairs": self.n_pairs if self.paired else None,
            "left_out": self.left_out,
        }

    def subset(self, mask: npt.ArrayLike) -> "Design":
        """The design of the images where ``mask``, bool (N,), holds (or of positions, in order)."""
        at = np.asarray(mask)
        at = np.flatnonzero(at) if at.dtype == np.bool_ else at
        parts = [
            None if column is None else [column[int(i)] for i in at]
            for column in (self.pairs, self.clusters, self.strata)
        ]
        return Design(self.is_a[at], *parts)

    def halve(self, rng: np.random.Generator, share: float = 0.5) -> BoolArray:
        """A random part of about ``share`` of the images, whole units together: bool (N,).

        Balanced by stratum and set: the units of each kind (the strata and sets that they lie in)
        are shuffled and dealt one by one to the part that lacks images most.
        """
        sizes = np.bincount(self.unit)
        chosen = np.zeros(len(sizes), np.bool_)
        for units in _of_one_kind(self.unit, self.stratum * 2 + self.is_a):
            # ½ of an image on average decides which part gets the odd one.
            lack = share * sizes[units].sum() + (rng.random() - 0.5) * sizes[units].mean()
            order = rng.permutation(units)
            if len(units) > 1 and (sizes[units] == 1).all():  # dealt one by one, all at once
                chosen[order[: max(0, math.floor(lack + 0.5))]] = True
                continue
            for unit in order:
                take = sizes[unit] / 2 <= lack if len(units) > 1 else rng.random() < share
                chosen[unit] = take
                lack -= sizes[unit] if take else 0
        half: BoolArray = chosen[self.unit]
        return half

    def _strata_where(self, mask: BoolArray) -> tuple[Hashable, ...]:
        if self.strata is None:
            return ()
        at = np.flatnonzero(mask)
        first = np.sort(at[np.unique(self.stratum[at], return_index=True)[1]])
        return tuple(self.strata[int(i)] for i in first)


def codes(column: Codes) -> IntArray:
    """Codes from 0 of hashable values (N,), in order of appearance; −1 for None and NaN."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        _, first, of = np.unique(column, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[of]
    seen: dict[Hashable, int] = {}
    values = column.tolist() if isinstance(column, np.ndarray) else column
    return np.array(
        [-1 if v is None or v != v else seen.setdefault(v, len(seen)) for v in values], np.int64
    )


def in_both(groups: IntArray, is_a: BoolArray) -> BoolArray:
    """(N,) images whose group (N,), −1 for none, has images of both sets."""
    known = groups >= 0
    size = int(groups.max(initial=-1)) + 1
    found: BoolArray = np.zeros(len(groups), np.bool_)
    in_a = np.bincount(groups[known & is_a], minlength=size) > 0
    in_b = np.bincount(groups[known & ~is_a], minlength=size) > 0
    found[known] = (in_a & in_b)[groups[known]]
    return found


def connected(first: IntArray, second: IntArray) -> IntArray:
    """(N,) codes of images joined by the same value, other than −1, in either column."""
    group = np.arange(len(first))
    while True:
        before = group.copy()
        for column in (first, second):
            known = column >= 0
            least = np.full(int(column.max(initial=-1)) + 1, len(group))
            np.minimum.at(least, column[known], group[known])
            group[known] = least[column[known]]
        if (group == before).all():
            return np.unique(group, return_inverse=True)[1].astype(np.int64)


def blocks_of(unit: IntArray, stratum: IntArray) -> IntArray:
    """(U,) the exchangeability block of each unit: units of one block lie in the same strata.

    Winkler et al. 2014: only what is alike but for its label may trade it.
    """
    return codes(_signatures(unit, stratum))


def _of_one_kind(unit: IntArray, kind: IntArray) -> list[IntArray]:
    """The units (rising) of each kind, the kinds in order of appearance."""
    kinds = codes(_signatures(unit, kind))
    order = np.argsort(kinds, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(kinds[order])) + 1)


def _signatures(unit: IntArray, kind: IntArray) -> Codes:
    """For each unit in turn the kinds of its images, as a value that can be compared."""
    pairs = np.unique(np.stack([unit, kind]), axis=1)
    cuts = np.searchsorted(pairs[0], np.arange(1, int(unit.max()) + 1))
    if len(cuts) + 1 == pairs.shape[1]:
        plain: IntArray = pairs[1]
        return plain
    return [tuple(part.tolist()) for part in np.split(pairs[1], cuts)]
