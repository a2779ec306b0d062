"""Near-duplicates: one picture stored twice, resized, recompressed or slightly retouched.

The work is bounded (:mod:`visdiff_local.images.hashes`), so that a burst of 100,000 equal pictures
takes seconds and not hours. Of more than :data:`MOST_ALIKE` images that are alike in hash and in
all traits, so many stand for all when others are compared with them; with each other they are one
group anyway.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from visdiff_local.images.hashes import Hashes, Pairs, close_pairs, groups
from visdiff_local.measure.attributes import ATTRIBUTES, Measurement, Measurements

MOST_BITS = 4
"""Perceptual hashes of near-duplicates differ in at most so many of 64 bits."""
MOST_ALIKE = 32

TOLERANCE = {
    "brightness": 0.04,
    "contrast": 0.04,
    "saturation": 0.03,
    "warmth": 0.06,
    "greenness": 0.06,
    "aspect ratio": 0.03,
}
"""What near-duplicates must agree in too: hashes of plain pictures collide by chance."""

Traits = npt.NDArray[np.float64]
"""(n, 6), in the order of :data:`TOLERANCE`."""
Labels = npt.NDArray[np.int64]
"""(n,), the large bunch that an image belongs to, :data:`_ALONE` for most."""
Groups = tuple[tuple[int, ...], ...]
_ALONE = -1


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """Near-duplicates within and across the sets, as positions in their measurements."""

    within_a: Groups
    """Groups of two or more."""
    within_b: Groups
    across: tuple[tuple[int, int], ...]
    """(position in A, position in B): for each image of A that has one, a near-duplicate in B."""


def near_duplicates(measurements: Measurements | Sequence[Measurement]) -> Groups:
    """Groups of positions whose images are near-duplicates, directly or through one another."""
    return near_groups_of(*_columns(Measurements.of(measurements)))


def near_groups_of(hashes: Hashes, traits: Traits) -> Groups:
    """As :func:`near_duplicates`, from hashes (n,) and :data:`Traits` (n, 6)."""
    bunch, standing = _bunches(hashes, traits)
    return _groups(chain([_chained(bunch)], _alike(hashes, traits, standing)))


def duplicate_report(
    a: Measurements | Sequence[Measurement],
    b: Measurements | Sequence[Measurement],
    *,
    paired: bool = False,
) -> DuplicateReport:
    """Near-duplicates within A, within B and from one to the other.

    Args:
        paired: ``a[i]`` belongs to ``b[i]``; that these two are alike is then no finding.
    """
    columns = [_columns(Measurements.of(side)) for side in (a, b)]
    hashes, traits = (np.concatenate(column) for column in zip(*columns, strict=True))
    bunch, standing = _bunches(hashes, traits)
    partners = _Partners(bunch, len(a), paired)
    within_a, within_b = [_chained(bunch, stop=len(a))], [_chained(bunch, start=len(a))]
    for pairs in _alike(hashes, traits, standing):
        first, second = pairs.T
        within_a.append(pairs[second < len(a)])
        within_b.append(pairs[first >= len(a)])
        partners.take(pairs[(first < len(a)) & (second >= len(a))])
    return DuplicateReport(
        within_a=_groups(within_a),
        within_b=_groups(pairs - len(a) for pairs in within_b),
        across=partners.found(),
    )


def _columns(measurements: Measurements) -> tuple[Hashes, Traits]:
    columns = [ATTRIBUTES.index(name) for name in TOLERANCE]
    return measurements.phash, measurements.values[:, columns].astype(np.float64)


def _alike(hashes: Hashes, traits: Traits, standing: npt.NDArray[np.bool_]) -> Iterator[Pairs]:
    """Pairs of near-duplicates, the lower position first; some come more than once.

    Args:
        standing: bool (n,), which images are compared.
    """
    # Where hashes are equal, those that are as bright are compared first.
    chosen = np.flatnonzero(standing)
    chosen = chosen[np.argsort(traits[chosen, 0], kind="stable")]
    tolerance = np.array(list(TOLERANCE.values()))
    for pairs in close_pairs(hashes[chosen], MOST_BITS):
        first, second = np.sort(chosen[pairs], axis=1).T
        agree = (np.abs(traits[first] - traits[second]) <= tolerance).all(axis=1)
        if agree.any():
            yield np.stack([first[agree], second[agree]], axis=1)


def _bunches(hashes: Hashes, traits: Traits) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Large bunches of images of one hash whose traits lie in one cell of the tolerance's size, so
    that all are near-duplicates of all: (n,); and which images are compared with others."""
    bunch, standing = np.full(len(hashes), _ALONE), np.ones(len(hashes), np.bool_)
    _, which, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    crowd = np.flatnonzero((counts > MOST_ALIKE)[which] & np.isfinite(traits).all(axis=1))
    if not len(crowd):
        return bunch, standing
    cells = np.floor(traits[crowd] / list(TOLERANCE.values())).astype(np.int64)
    labelled = np.column_stack([which[crowd], cells])
    _, cell, sizes = np.unique(labelled, axis=0, return_inverse=True, return_counts=True)
    large = (sizes > MOST_ALIKE)[cell]
    bunch[crowd[large]] = cell[large]
    order = np.argsort(bunch, kind="stable")
    starts = np.searchsorted(bunch[order], bunch[order], side="left")
    surplus = (np.arange(len(order)) - starts >= MOST_ALIKE) & (bunch[order] != _ALONE)
    standing[order[surplus]] = False
    return bunch, standing


def _chained(bunch: Labels, start: int = 0, stop: int | None = None) -> Pairs:
    """Pairs that link the images of each large bunch that lie between these positions."""
    members = np.flatnonzero(bunch[start:stop] != _ALONE) + start
    members = members[np.argsort(bunch[members], kind="stable")]
    same = bunch[members[:-1]] == bunch[members[1:]]
    return np.stack([members[:-1][same], members[1:][same]], axis=1)


class _Partners:
    """The first near-duplicate in B of each image of A that has one, as pairs come in."""

    def __init__(self, bunch: Labels, size_of_a: int, paired: bool) -> None:
        self._ours, self._theirs = bunch[:size_of_a], bunch[size_of_a:]
        self._paired = paired
        self._none = len(self._theirs)
        self._first = np.full(size_of_a, self._none)
        self._of_bunches()

    def take(self, pairs: Pairs) -> None:
        """Pairs (P, 2) of positions in A and B together, one of A and one of B in each."""
        one, other = pairs[:, 0], pairs[:, 1] - len(self._ours)
        if self._paired:
            one, other = one[one != other], other[one != other]
        np.minimum.at(self._first, one, other)

    def found(self) -> tuple[tuple[int, int], ...]:
        """Images of a large bunch that did not stand for it have what another of it has."""
        of_bunch = np.flatnonzero((self._first < self._none) & (self._ours != _ALONE))
        labels, first = np.unique(self._ours[of_bunch], return_index=True)
        lacking = np.isin(self._ours, labels) & (self._first == self._none)
        lacking = np.flatnonzero(lacking)
        place = np.searchsorted(labels, self._ours[lacking])
        other = self._first[of_bunch[first[place]]]
        self.take(np.stack([lacking, other + len(self._ours)], axis=1))
        (ours,) = np.nonzero(self._first < self._none)
        return tuple(zip(ours.tolist(), self._first[ours].tolist(), strict=True))

    def _of_bunches(self) -> None:
        """Each image of A in a large bunch with the first two of B there: one of the two is not its
        own partner."""
        ours, theirs = np.flatnonzero(self._ours != _ALONE), np.flatnonzero(self._theirs != _ALONE)
        theirs = theirs[np.argsort(self._theirs[theirs], kind="stable")]
        labels = self._theirs[theirs]
        start = np.searchsorted(labels, self._ours[ours], side="left")
        end = np.searchsorted(labels, self._ours[ours], side="right")
        for step in range(2):
            there = start + step < end
            other = theirs[start[there] + step] + len(self._ours)
            self.take(np.stack([ours[there], other], axis=1))


def _groups(parts: Iterable[Pairs]) -> Groups:
    return tuple(tuple(group.tolist()) for group in groups(parts))
