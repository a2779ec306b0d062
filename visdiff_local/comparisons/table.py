"""All images of a comparison: read once, with the columns of their table, and halved once."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError
from visdiff_local.images import Facts, ImageSet
from visdiff_local.images.near import Forest
from visdiff_local.images.reading import read_sets
from visdiff_local.measure import Measurement, measure, near_duplicates
from visdiff_local.pipeline.grouping import Column, Grouping
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.read import MEASURE_VERSION, Sets
from visdiff_local.types import ImageRef

BoolArray = npt.NDArray[np.bool_]
Labels = list[str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """N images with content ids. ``sides``: the one table, or the rows of A, then those of B."""

    sides: tuple[ImageSet, ...]
    facts: dict[str, Facts]
    near: tuple[tuple[str, ...], ...]

    @property
    def refs(self) -> tuple[ImageRef, ...]:
        return tuple(ref for side in self.sides for ref in side.images)

    @property
    def side(self) -> npt.NDArray[np.int64]:
        """(N,) 0 for the first side, 1 for the second."""
        return np.repeat(np.arange(len(self.sides)), [len(side.images) for side in self.sides])

    def labels(self, column: str) -> Labels:
        """(N,) the values of a column as text.

        Raises:
            InputError: there is no such column; the message lists those there are.
        """
        known = [side.covariates.labels(column) for side in self.sides]
        return [
            labels.get(ref.id)
            for side, labels in zip(self.sides, known, strict=True)
            for ref in side.images
        ]

    def numbers(self, column: str) -> npt.NDArray[np.float64]:
        """(N,) the values of a column as numbers, NaN where there is none.

        Raises:
            InputError: a value is no number.
        """
        found = []
        for label in self.labels(column):
            try:
                found.append(np.nan if label is None else float(label))
            except ValueError as error:
                raise InputError(
                    f"the column {column!r} holds {label!r}, which is no number"
                ) from error
        return np.array(found)

    def clusters(self, config: RunConfig) -> Labels:
        """(N,) what each image belongs to with others: a column's value, or near-duplicates."""
        given = (
            [None] * len(self.refs) if config.cluster_by is None else self.labels(config.cluster_by)
        )
        forest = Forest[tuple[str, str]]()
        for first, *others in self.near:
            for other in others:
                forest.join(("id", first), ("id", other))
        touched = {id_ for group in self.near for id_ in group}
        found: Labels = []
        for ref, label in zip(self.refs, given, strict=True):
            if label is not None and ref.id in touched:
                forest.join(("label", label), ("id", ref.id))
        for ref, label in zip(self.refs, given, strict=True):
            if label is None and ref.id not in touched:
                found.append(None)
                continue
            kind, name = forest.root(("label", label) if label is not None else ("id", ref.id))
            found.append(f"{kind} {name}")
        return found

    def sets(
        self,
        a: BoolArray,
        b: BoolArray,
        names: tuple[str, str],
        clusters: Labels,
        strata: Labels | None,
    ) -> Sets:
        """Two of its parts as the sets of an ordinary run."""
        refs = self.refs
        chosen = [tuple(refs[i] for i in np.flatnonzero(mask)) for mask in (a, b)]
        grouping = Grouping(
            clusters=_column(refs, clusters),
            strata=None if strata is None else _column(refs, strata),
        )
        first, second = (ImageSet(name, some) for name, some in zip(names, chosen, strict=True))
        return Sets(first, second, self.facts, grouping=grouping)


def read(sides: Sequence[ImageSet], config: RunConfig, roles: RunModels) -> Table:
    """Reads what the store does not know yet."""
    with roles.stage("read", sum(len(side.images) for side in sides)):
        found = read_sets(
            list(sides),
            measure=measure,
            version=MEASURE_VERSION,
            memory=roles.store.files,
            verify=config.verify,
            progress=roles.progress.advance,
            window=config.window,
        )
    facts = {id_: fact for one in found for id_, fact in one.facts.items()}
    refs = tuple({ref.id: ref for one in found for ref in one.images.images}.values())
    seen = [facts[ref.id] for ref in refs]
    groups = near_duplicates([Measurement(f.values, f.phash, f.format) for f in seen])
    near = tuple(tuple(refs[place].id for place in group) for group in groups)
    return Table(tuple(one.images for one in found), facts, near)


def halve(clusters: Labels, kinds: Sequence[Hashable], rng: np.random.Generator) -> BoolArray:
    """(N,) the explore half: whole clusters, every kind of image evenly."""
    units: dict[Hashable, list[int]] = {}
    for place, label in enumerate(clusters):
        units.setdefault(place if label is None else label, []).append(place)
    by_kind: dict[Hashable, list[list[int]]] = {}
    for places in units.values():
        by_kind.setdefault(frozenset(kinds[i] for i in places), []).append(places)
    explore = np.zeros(len(clusters), np.bool_)
    for members in by_kind.values():
        lack = sum(map(len, members)) / 2 + (rng.random() - 0.5)
        for at in rng.permutation(len(members)):
            if len(members[at]) / 2 <= lack:
                explore[members[at]] = True
                lack -= len(members[at])
    return explore


def _column(refs: Sequence[ImageRef], labels: Labels) -> Column | None:
    known = {ref.id: label for ref, label in zip(refs, labels, strict=True) if label is not None}
    return Column(known, known) if known else None
