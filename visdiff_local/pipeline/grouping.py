"""What belongs together: the clusters, strata and pairs of a run's images, from their columns.

Near-duplicates, and the same bytes in both sets, are clusters whether or not one was asked for: two
shots of one burst are not two witnesses.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError
from visdiff_local.images import ImageSet, shared_ids
from visdiff_local.images.covariates import Labels as Coded
from visdiff_local.images.listing import ranks, taken
from visdiff_local.images.near import Forest
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.stats.design import codes
from visdiff_local.types import ImageRef

Labels = Mapping[str, str]
"""By image id; an image that has none is not there."""
Texts = npt.NDArray[np.object_]
"""(N,) the label of each image as text, None where it has none."""

_BETWEEN = " · "
"""Stands between the values of several columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """The labels of A's images and of B's: an image in both sets may have one in each."""

    a: Labels
    b: Labels

    def of(self, images: Images) -> Texts:
        """(N,) the label of each image."""
        found = np.full(len(images.refs), None, object)
        for labels, side in ((self.a, images.is_a), (self.b, ~images.is_a)):
            mine = np.flatnonzero(side)
            known = labels if isinstance(labels, Coded) else Coded.of(labels)
            values = np.array([*known.texts, None], object)
            found[mine] = values[known.codes_of(taken(images.refs, mine))]
        return found


@dataclass(frozen=True, slots=True)
class Grouping:
    """How the images of A and B were sampled; None: no such column was named."""

    cluster_by: str | None = None
    clusters: Column | None = None
    """Of the column and of near-duplicates together."""
    within: str | None = None
    strata: Column | None = None
    paired_by: str | None = None
    pairs: Column | None = None

    def images(self, a: Sequence[ImageRef], b: Sequence[ImageRef]) -> Images:
        """Images of both sets with the design that they have.

        Raises:
            InputError: pairs or strata were asked for, and none lies in both sets.
        """
        plain = Images.of(a, b)
        columns = {
            "pairs": None if self.pairs is None else self.pairs.of(plain),
            "clusters": None if self.clusters is None else self.clusters.of(plain),
            "strata": None if self.strata is None else self.strata.of(plain),
        }
        if all(column is None for column in columns.values()):
            return plain
        try:
            return Images(plain.refs, plain.is_a, stats.Design(plain.is_a, **columns))
        except ValueError as error:
            raise InputError(self._nothing_in_common()) from error

    def _nothing_in_common(self) -> str:
        if self.paired_by is not None:
            return (
                f"--paired-by {self.paired_by}: no image of A has the same value there as one of B "
                "(it is a column of a table: visdiff-local run TABLE --a … --b … "
                "--paired-by COLUMN)"
            )
        return (
            f"--within {self.within}: no value there has images of A and images of B, so nothing "
            "can be compared within it; leave the option out, or name another column"
        )


def of_sets(a: ImageSet, b: ImageSet, near: Iterable[Sequence[str]], config: RunConfig) -> Grouping:
    """The grouping that ``config`` asks for.

    Raises:
        InputError: a set lacks a column that an option names; the message lists those there are.
    """
    named = config.cluster_by or _default_cluster(a, b)
    return Grouping(
        cluster_by=named,
        clusters=_clusters(a, b, named, near),
        within=config.within,
        strata=None if config.within is None else _column(a, b, config.within),
        paired_by=config.paired_by,
        pairs=None if config.paired_by is None else _column(a, b, config.paired_by),
    )


def candidates(a: ImageSet, b: ImageSet, images: Images) -> dict[str, Texts]:
    """Every column of both sets that could group the images: it repeats its values, and does not
    merely say which set an image is from. By name, a label an image of ``images``."""
    shared = [known.name for known in a.covariates.known if known.name in b.covariates.columns]
    found = {}
    for name in shared:
        labels = _column(a, b, name).of(images)
        if _groups_something(labels, images):
            found[name] = labels
    return found


def _groups_something(labels: Texts, images: Images) -> bool:
    code = codes(labels)
    sides = [np.bincount(code[side & (code >= 0)]) for side in (images.is_a, ~images.is_a)]
    repeated = int(np.bincount(code[code >= 0]).max(initial=0)) > 1
    return repeated and min(int(np.count_nonzero(side)) for side in sides) > 1


def _default_cluster(a: ImageSet, b: ImageSet) -> str | None:
    """What both sources say belongs together by its nature: a patient, a video."""
    return a.default_cluster if a.default_cluster == b.default_cluster else None


def _column(a: ImageSet, b: ImageSet, names: str) -> Column:
    return Column(*(labels_of(side, names) for side in (a, b)))


def labels_of(side: ImageSet, names: str) -> Coded:
    """The labels of one column, or of several with commas between: images that lack one of them
    have none."""
    parts = [name.strip() for name in names.split(",") if name.strip()]
    if len(parts) == 1 or names in side.columns:
        return side.covariates.labels(names if names in side.columns else parts[0])
    columns = [side.covariates.labels(part) for part in parts]
    joint = np.stack([column.codes for column in columns], axis=1)
    distinct, code = np.unique(joint, axis=0, return_inverse=True)
    values = [
        _BETWEEN.join(c.texts[i] for c, i in zip(columns, row, strict=True))
        for row in distinct.tolist()
        if min(row) >= 0
    ]
    renamed = np.where((distinct >= 0).all(axis=1), 0, -1)
    renamed[renamed == 0] = np.arange(len(values))
    return Coded(side.images, renamed[code.reshape(-1)].astype(np.int32), tuple(values))


def _clusters(
    a: ImageSet, b: ImageSet, named: str | None, near: Iterable[Sequence[str]]
) -> Column | None:
    """Labels of a column; those that share a near-duplicate, or the same bytes, are one label."""
    forest = Forest[tuple[str, str]]()
    groups = list(near)
    for first, *others in groups:
        for other in others:
            forest.join(("id", first), ("id", other))
    both = shared_ids(a, b)
    if named is None and not groups and not both:
        return None
    touched = tuple(set(both).union(*groups))
    if named is None:
        labels = {id_: _name(forest.root(("id", id_))) for id_ in touched}
        return Column(labels, labels)
    sides = [(side, labels_of(side, named)) for side in (a, b)]
    at = [_places(touched, side.images) for side, _ in sides]
    for (_, coded), places in zip(sides, at, strict=True):
        for id_, place in zip(touched, places, strict=True):
            if place >= 0 and coded.codes[place] >= 0:
                forest.join(("label", coded.texts[coded.codes[place]]), ("id", id_))

    def rooted(side: ImageSet, labels: Coded, places: Sequence[int]) -> Coded:
        names: dict[str, int] = {}

        def number(node: tuple[str, str]) -> int:
            return names.setdefault(_name(forest.root(node)), len(names))

        renamed = [number(("label", value)) for value in labels.texts]
        code = np.array([*renamed, -1], np.int32)[labels.codes]
        for id_, place in zip(touched, places, strict=True):
            if place >= 0:
                code[place] = number(("id", id_))
        return Coded(side.images, code, tuple(names))

    return Column(*(rooted(side, labels, p) for (side, labels), p in zip(sides, at, strict=True)))


def _places(ids: Sequence[str], images: Sequence[ImageRef]) -> list[int]:
    """Where the image of each id is; -1 where it is not among them."""
    asked, there = ranks(ids, images)
    place = np.full(int(max(asked.max(initial=-1), there.max(initial=-1))) + 1, -1)
    place[there] = np.arange(len(there))
    return list(place[asked].tolist())


def _name(node: tuple[str, str]) -> str:
    kind, value = node
    return value if kind == "label" else f"near {value[:12]}"


def largest(labels: Sequence[str | None] | Texts) -> int:
    """Images of the largest group."""
    known = [label for label in labels if label is not None]
    return int(np.unique(known, return_counts=True)[1].max()) if known else 0
