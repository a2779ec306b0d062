"""What belongs together: the clusters, strata and pairs of a run's images, from their columns.

Near-duplicates, and the same bytes in both sets, are clusters whether or not one was asked for: two
shots of one burst are not two witnesses.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local import stats
from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError
from visdiff_local.images import FOLDER, ImageSet
from visdiff_local.images.near import Forest
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.types import ImageRef

Labels = Mapping[str, str]
"""By image id; an image that has none is not there."""

_BETWEEN = " · "
"""Stands between the values of several columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """The labels of A's images and of B's: an image in both sets may have one in each."""

    a: Labels
    b: Labels

    def of(self, images: Images) -> list[str | None]:
        """(N,) the label of each image."""
        return [
            (self.a if is_a else self.b).get(ref.id)
            for ref, is_a in zip(images.refs, images.is_a.tolist(), strict=True)
        ]


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


def candidates(a: ImageSet, b: ImageSet, images: Images) -> dict[str, list[str | None]]:
    """Every column of both sets that could group the images: it repeats its values, and does not
    merely say which set an image is from. By name, a label an image of ``images``."""
    shared = [known.name for known in a.covariates.known if known.name in b.covariates.columns]
    found = {}
    for name in shared:
        labels = _column(a, b, name).of(images)
        if _groups_something(labels, images):
            found[name] = labels
    return found


def _groups_something(labels: Sequence[str | None], images: Images) -> bool:
    sides: dict[str, list[int]] = {}
    for label, is_a in zip(labels, images.is_a.tolist(), strict=True):
        if label is not None:
            sides.setdefault(label, [0, 0])[int(is_a)] += 1
    repeated = any(sum(count) > 1 for count in sides.values())
    per_side = (
        min(sum(count[side] > 0 for count in sides.values()) for side in (0, 1)) if sides else 0
    )
    return repeated and per_side > 1


def _default_cluster(a: ImageSet, b: ImageSet) -> str | None:
    """What both sources say belongs together by its nature: a patient, a video."""
    return a.default_cluster if a.default_cluster == b.default_cluster else None


def _column(a: ImageSet, b: ImageSet, names: str) -> Column:
    return Column(*(labels_of(side, names) for side in (a, b)))


def labels_of(side: ImageSet, names: str) -> Labels:
    """The labels of one column, or of several with commas between: images that lack one of them
    have none."""
    parts = [name.strip() for name in names.split(",") if name.strip()]
    if len(parts) == 1 or names in side.columns:
        return side.covariates.labels(names if names in side.columns else parts[0])
    columns = [side.covariates.labels(part) for part in parts]
    return {
        id_: _BETWEEN.join(column[id_] for column in columns)
        for id_ in columns[0]
        if all(id_ in column for column in columns[1:])
    }


def _clusters(
    a: ImageSet, b: ImageSet, named: str | None, near: Iterable[Sequence[str]]
) -> Column | None:
    forest = Forest[tuple[str, str]]()
    groups = list(near)
    for first, *others in groups:
        for other in others:
            forest.join(("id", first), ("id", other))
    ids_a, ids_b = ({ref.id for ref in side.images} for side in (a, b))
    both = ids_a & ids_b
    if named is None and not groups and not both:
        return None
    touched = both.union(*groups)
    if named is None:
        labels = {id_: _name(forest.root(("id", id_))) for id_ in touched}
        return Column(labels, labels)
    column = _column(a, b, named)
    for side in (column.a, column.b):
        for id_, label in side.items():
            if id_ in touched:
                forest.join(("label", label), ("id", id_))

    def roots(side: Labels, ids: Iterable[str]) -> dict[str, str]:
        found = {}
        for id_ in ids:
            if id_ in touched:
                found[id_] = _name(forest.root(("id", id_)))
            elif id_ in side:
                found[id_] = _name(forest.root(("label", side[id_])))
        return found

    return Column(roots(column.a, ids_a), roots(column.b, ids_b))


def _name(node: tuple[str, str]) -> str:
    kind, value = node
    return value if kind == "label" else f"near {value[:12]}"


def largest(labels: Sequence[str | None]) -> int:
    """Images of the largest group."""
    known = [label for label in labels if label is not None]
    return int(np.unique(known, return_counts=True)[1].max()) if known else 0


def command(name: str) -> str:
    """What to type so that images with the same value there count as one."""
    return f"--cluster-by {name if name != FOLDER else FOLDER}"
