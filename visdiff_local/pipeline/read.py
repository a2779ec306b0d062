"""The two sets of a run: read, measured, and checked for near-duplicates."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from visdiff_local.config import RunConfig
from visdiff_local.images import (
    Chosen,
    Facts,
    ImageSet,
    read_sets,
    shared_ids,
)
from visdiff_local.measure import ATTRIBUTES, Measurement, measure, near_duplicates
from visdiff_local.pipeline import grouping
from visdiff_local.pipeline.grouping import Grouping
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.store.ready_made import opened
from visdiff_local.types import ImageRef

FEW = 20
"""Below this many images a set is warned of."""
MEASURE_VERSION = "3:" + ",".join(ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class Sets:
    """Both sets with content ids, the facts of each image by id, and groups of near-duplicates."""

    a: ImageSet
    b: ImageSet
    facts: dict[str, Facts]
    near: tuple[tuple[str, ...], ...] = ()

    window: Chosen | None = None
    """Through which deep pixels are seen, in both sets; None where all have 8 bits."""
    grouping: Grouping = field(default_factory=Grouping)
    """Which of them belong together: clusters, strata, pairs."""

    @property
    def everything(self) -> Images:
        return self.grouping.images(self.a.images, self.b.images)

    def measurements(self, images: Sequence[ImageRef]) -> list[Measurement]:
        """What was measured on each of these images."""
        facts = [self.facts[ref.id] for ref in images]
        return [Measurement(fact.values, fact.phash, fact.format) for fact in facts]

    @property
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
    facts = {**one.facts, **other.facts}
    sets = Sets(_said(one.images, roles), _said(other.images, roles), facts, window=one.window)
    near = _near(sets)
    return replace(sets, near=near, grouping=grouping.of_sets(sets.a, sets.b, near, config))


def _said(source: ImageSet, roles: RunModels) -> ImageSet:
    """With the captions of the import, where one is used and has them."""
    if roles.imported is None:
        return source
    texts = roles.imported.captions([ref.id for ref in source.images])
    images = (replace(ref, caption=texts.get(ref.id, ref.caption)) for ref in source.images)
    return replace(source, images=tuple(images))


def _near(sets: Sets) -> tuple[tuple[str, ...], ...]:
    """Groups of ids of near-duplicates, within the sets and across them."""
    refs = tuple({ref.id: ref for ref in (*sets.a.images, *sets.b.images)}.values())
    groups = near_duplicates(sets.measurements(refs))
    return tuple(tuple(refs[place].id for place in group) for group in groups)
