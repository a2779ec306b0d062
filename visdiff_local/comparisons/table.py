"""All images of a comparison: read once, with the columns of their table, and halved once."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from visdiff_local.config import RunConfig, share_of
from visdiff_local.errors import InputError
from visdiff_local.images import Chosen, FactColumns, ImageSet, matching
from visdiff_local.images.covariates import Labels as Coded
from visdiff_local.images.facts import joined
from visdiff_local.images.listing import ids_of, ranks, taken
from visdiff_local.images.listing import joined as all_of
from visdiff_local.images.near import Forest
from visdiff_local.images.reading import read_sets
from visdiff_local.measure import Measurements, measure, near_duplicates
from visdiff_local.pipeline.grouping import Column, Grouping, labels_of
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.read import MEASURE_VERSION, Sets
from visdiff_local.types import ImageRef

BoolArray = npt.NDArray[np.bool_]
Labels = list[str | None]


@dataclass(frozen=True, eq=False)
class Table:
    """N images with content ids. ``sides``: the one table, or the rows of A, then those of B."""

    sides: tuple[ImageSet, ...]
    facts: FactColumns
    """In the images' order."""
    near: tuple[tuple[str, ...], ...]
    window: Chosen | None = None
    """Through which deep pixels are seen, on all sides; None where all have 8 bits."""

    @cached_property
    def refs(self) -> Sequence[ImageRef]:
        return all_of([side.images for side in self.sides])

    @property
    def side(self) -> npt.NDArray[np.int64]:
        """(N,) 0 for the first side, 1 for the second."""
        return np.repeat(np.arange(len(self.sides)), [len(side.images) for side in self.sides])

    def labels(self, column: str) -> Labels:
        """(N,) the values of a column as text; of several, with commas between, all together.

        Raises:
            InputError: there is no such column; the message lists those there are.
        """
        known = [labels_of(side, column) for side in self.sides]
        return [
            None if code < 0 else labels.texts[code]
            for labels in known
            for code in labels.codes.tolist()
        ]

    def numbers(self, column: str) -> npt.NDArray[np.float64]:
        """(N,) the values of a column as numbers, NaN where there is none or one that is not
        finite.

        Raises:
            InputError: a value is no number; the message counts them.
        """
        labels = self.labels(column)
        found = [_number(label) for label in labels]
        wrong = [one for one, value in zip(labels, found, strict=True) if value is None]
        if wrong:
            others = "" if len(wrong) == 1 else f", and {len(wrong) - 1} more like it"
            raise InputError(
                f"the column {column!r} holds {wrong[0]!r}, which is no number{others}; leave "
                "such cells empty, or name another column"
            )
        values = np.array(found, np.float64)
        values[~np.isfinite(values)] = np.nan
        return values

    def clusters(self, config: RunConfig) -> Labels:
        """(N,) what each image belongs to with others: a column's value, or near-duplicates."""
        by_nature = {side.default_cluster for side in self.sides}
        named = config.cluster_by or (by_nature.pop() if len(by_nature) == 1 else None)
        given = [None] * len(self.refs) if named is None else self.labels(named)
        forest = Forest[tuple[str, str]]()
        for first, *others in self.near:
            for other in others:
                forest.join(("id", first), ("id", other))
        touched = {id_ for group in self.near for id_ in group}
        found: Labels = []
        ids = ids_of(self.refs)
        for id_, label in zip(ids, given, strict=True):
            if label is not None and id_ in touched:
                forest.join(("label", label), ("id", id_))
        for id_, label in zip(ids, given, strict=True):
            if label is None and id_ not in touched:
                found.append(None)
                continue
            kind, name = forest.root(("label", label) if label is not None else ("id", id_))
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
        chosen = [taken(self.refs, np.flatnonzero(mask)) for mask in (a, b)]
        grouping = Grouping(
            clusters=_column(self.refs, clusters, a | b),
            strata=None if strata is None else _column(self.refs, strata, a | b),
        )
        first, second = (ImageSet(name, some) for name, some in zip(names, chosen, strict=True))
        return Sets(first, second, grouping=grouping)


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
    facts = joined([one.facts for one in found])
    rank = np.concatenate(ranks(*(one.images.images for one in found)))
    first = np.sort(np.unique(rank, return_index=True)[1])  # what is in both sides counts once
    ids = [id_ for one in found for id_ in ids_of(one.images.images)]
    groups = near_duplicates(Measurements.of_facts(facts).take(first))
    near = tuple(tuple(ids[first[place]] for place in group) for group in groups)
    chosen = found[0].window
    roles.window = None if chosen is None else chosen.window
    return Table(tuple(one.images for one in found), facts, near, chosen)


def _number(label: str | None) -> float | None:
    """NaN where there is no value, None where it is no number."""
    try:
        return np.nan if label is None else float(label)
    except ValueError:
        return None


def explored(
    table: Table,
    clusters: Labels,
    kinds: Sequence[Hashable],
    config: RunConfig,
    rng: np.random.Generator,
) -> BoolArray:
    """(N,) the images that suggest texts: half of them, or what ``--propose-on`` says, with the
    whole of each cluster; none where the user's own texts are tested, which have seen no image.

    Raises:
        InputError: ``--propose-on`` leaves no image to one of both.
    """
    if config.hypotheses:
        return np.zeros(len(clusters), np.bool_)
    rows = config.propose_on
    share = 0.5 if rows is None else share_of(rows)
    if rows is None or share is not None:
        return halve(clusters, kinds, rng, share or 0.5)
    sides = matching([(side.columns, len(side.images)) for side in table.sides], rows)
    explore = np.array([here for side in sides for here in side], np.bool_)
    touched = {clusters[i] for i in np.flatnonzero(explore)} - {None}
    explore |= np.array([label in touched for label in clusters], np.bool_)
    if explore.all():
        raise InputError(f"--propose-on {rows}: these are all images, and none is left to test on")
    return explore


def halve(
    clusters: Labels, kinds: Sequence[Hashable], rng: np.random.Generator, share: float = 0.5
) -> BoolArray:
    """(N,) the explore half, or another share: whole clusters, every kind of image evenly."""
    units: dict[Hashable, list[int]] = {}
    for place, label in enumerate(clusters):
        units.setdefault(place if label is None else label, []).append(place)
    by_kind: dict[Hashable, list[list[int]]] = {}
    for places in units.values():
        by_kind.setdefault(frozenset(kinds[i] for i in places), []).append(places)
    explore = np.zeros(len(clusters), np.bool_)
    for members in by_kind.values():
        lack = sum(map(len, members)) * share + (rng.random() - 0.5)
        for at in rng.permutation(len(members)):
            if len(members[at]) / 2 <= lack:
                explore[members[at]] = True
                lack -= len(members[at])
    return explore


def _column(refs: Sequence[ImageRef], labels: Labels, chosen: BoolArray) -> Column | None:
    at = [index for index in np.flatnonzero(chosen).tolist() if labels[index] is not None]
    texts: dict[str, int] = {}
    codes = [texts.setdefault(str(labels[index]), len(texts)) for index in at]
    known = Coded(taken(refs, np.array(at, np.int64)), np.array(codes, np.int32), tuple(texts))
    return Column(known, known) if at else None
