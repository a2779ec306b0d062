"""The two sets of a run: read, measured, and checked for near-duplicates."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from visdiff_local.config import RunConfig
from visdiff_local.images import (
    Chosen,
    FactColumns,
    ImageSet,
    read_sets,
    shared_ids,
)
from visdiff_local.images.facts import joined
from visdiff_local.images.listing import ids_of, ranks, with_captions
from visdiff_local.measure import ATTRIBUTES, Measurements, measure, near_duplicates
from visdiff_local.pipeline import grouping
from visdiff_local.pipeline.grouping import Grouping
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.store.ready_made import opened

FEW = 20
"""Below this many images a set is warned of."""
MEASURE_VERSION = "3:" + ",".join(ATTRIBUTES)


@dataclass(frozen=True)
class Sets:
    """Both sets with content ids, what was measured, and groups of near-duplicates."""

    a: ImageSet
    b: ImageSet
    facts: FactColumns = field(default_factory=lambda: FactColumns.of(()))
    """Of A's images, then of B's, in their order."""
    near: tuple[tuple[str, ...], ...] = ()

    window: Chosen | None = None
    """Through which deep pixels are seen, in both sets; None where all have 8 bits."""
    grouping: Grouping = field(default_factory=Grouping)
    """Which of them belong together: clusters, strata, pairs."""

    @cached_property
    def everything(self) -> Images:
        """A's images, then B's."""
        return self.grouping.images(self.a.images, self.b.images)

    @property
    def measurements(self) -> Measurements:
        """What was measured on A's images, then on B's."""
        return Measurements.of_facts(self.facts)

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """Ids of images that are in both sets, byte by byte."""
        return shared_ids(self.a, self.b)


def both(a: ImageSet, b: ImageSet, config: RunConfig, roles: RunModels) -> Sets:
    """Reads what the store does not know yet.

    Raises:
        InputError: a set is empty, or lacks the column that an option names.
    """
    roles.imported = None if config.imported is None else opened(roles.store, config.imported)
    if config.paired_by is not None:
        a, b = a.requiring(config.paired_by), b.requiring(config.paired_by)
    with roles.stage("read", len(a.images) + len(b.images)):
        one, other = read_sets(
            [a, b],
            measure=measure,
            version=MEASURE_VERSION,
            memory=roles.store.files,
            verify=config.verify,
            progress=roles.progress.advance,
            window=config.window,
        )
    roles.window = None if one.window is None else one.window.window
    facts = joined([one.facts, other.facts])
    sets = Sets(_said(one.images, roles), _said(other.images, roles), facts, window=one.window)
    near = _near(sets)
    return replace(sets, near=near, grouping=grouping.of_sets(sets.a, sets.b, near, config))


def _said(source: ImageSet, roles: RunModels) -> ImageSet:
    """With the captions of the import, where one is used and has them."""
    if roles.imported is None:
        return source
    ids, own = ids_of(source.images), source.listing.captions
    texts = roles.imported.captions(ids)
    told = [None] * len(ids) if own is None else own.to_pylist()
    captions = [texts.get(id_, caption) for id_, caption in zip(ids, told, strict=True)]
    return replace(source, images=with_captions(source.listing, captions))


def _near(sets: Sets) -> tuple[tuple[str, ...], ...]:
    """Groups of ids of near-duplicates, within the sets and across them."""
    a = len(sets.a.images)
    rank = np.concatenate(ranks(sets.a.images, sets.b.images))
    first = np.sort(np.unique(rank, return_index=True)[1])  # what is in both sets counts once
    measured = sets.measurements
    groups = near_duplicates(measured if len(first) == len(rank) else measured.take(first))
    at = (first[list(group)].tolist() for group in groups)
    return tuple(
        tuple((sets.a.images[i] if i < a else sets.b.images[i - a]).id for i in group)
        for group in at
    )
