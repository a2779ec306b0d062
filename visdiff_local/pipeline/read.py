"""The two sets of a run: read, measured, checked for duplicates, and cut into folds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError
from visdiff_local.images import (
    Facts,
    ImageSet,
    read_set,
    shared_ids,
    shown,
    split,
)
from visdiff_local.measure import ATTRIBUTES, Measurement, measure, near_duplicates
from visdiff_local.pipeline.models import Roles
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.types import Duplicates, Example, ImageRef, SetSummary

FEW = 20
"""Below this many images a set is warned of."""
GLANCE = 24
"""Images a set that the report shows at a glance."""
MEASURE_VERSION = "1:" + ",".join(ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class Fold:
    """Explore: hypotheses come from it. Validate: every number comes from it.

    ``calibrate`` is what score thresholds are chosen on, and ``counted`` what they are then used
    on; the two share no image.
    """

    explore: Images
    validate: Images
    calibrate: Images
    counted: Images


@dataclass(frozen=True, slots=True)
class Sets:
    """Both sets with content ids, the facts of each image by id, and groups of near-duplicates."""

    a: ImageSet
    b: ImageSet
    facts: dict[str, Facts]
    near: tuple[tuple[str, ...], ...] = ()

    @property
    def everything(self) -> Images:
        return Images.of(self.a.images, self.b.images)

    def measurements(self, images: Sequence[ImageRef]) -> list[Measurement]:
        """What was measured on each of these images."""
        facts = [self.facts[ref.id] for ref in images]
        return [Measurement(fact.values, fact.phash, fact.format) for fact in facts]

    @property
    def shared(self) -> tuple[str, ...]:
        """Ids of images that are in both sets, byte by byte."""
        return shared_ids(self.a, self.b)


def read(a: ImageSet, b: ImageSet, config: RunConfig, roles: Roles) -> Sets:
    """Reads what the store does not know yet; raises :class:`InputError` when a set is empty."""
    with roles.stage("read", len(a.images) + len(b.images)):
        one, other = (
            read_set(
                source,
                measure=measure,
                version=MEASURE_VERSION,
                memory=roles.store.files,
                verify=config.verify,
                progress=roles.progress.advance,
            )
            for source in (a, b)
        )
    facts = {**one.facts, **other.facts}
    sets = Sets(one.images, other.images, facts)
    return replace(sets, near=_near(sets))


def folds(sets: Sets, config: RunConfig, rng: np.random.Generator) -> tuple[Fold, ...]:
    """One fold; two under ``--cross-fit``, which use the halves in turn.

    The user's own hypotheses have seen no image, and the paper splits nothing: both are tested on
    all images, and the halves serve for thresholds only.
    """
    half_a, half_b = split(sets.a.images, sets.b.images, rng=rng, near=sets.near)
    first = Images.of(half_a.explore, half_b.explore)
    second = Images.of(half_a.validate, half_b.validate)
    if config.stats == "paper" or config.hypotheses:
        whole = sets.everything
        return (Fold(whole, tested(whole, config), first, second),)
    fold = Fold(first, tested(second, config), first, second)
    if config.cross_fit:
        return fold, Fold(second, tested(first, config), second, first)
    return (fold,)


def sides(images: Images) -> tuple[tuple[ImageRef, ...], tuple[ImageRef, ...]]:
    """The images of A, and those of B, in their order."""
    labelled = tuple(zip(images.refs, images.is_a, strict=True))
    return (
        tuple(ref for ref, is_a in labelled if is_a),
        tuple(ref for ref, is_a in labelled if not is_a),
    )


def summary(source: ImageSet, of_a: bool, folds: Sequence[Fold]) -> SetSummary:
    """One side of ``sets``: under cross-fitting the counts are of the first fold."""
    halves = (folds[0].explore, folds[0].validate)
    explore, validate = (int((half.is_a == of_a).sum()) for half in halves)
    step = max(1, len(source.images) / GLANCE)
    places = sorted({int(step * i) for i in range(min(GLANCE, len(source.images)))})
    glance = tuple(Example(source.images[i].id, shown(source.images[i].path), 0.0) for i in places)
    return SetSummary(source.name, len(source.images), explore, validate, source.skipped, glance)


def duplicates(sets: Sets) -> tuple[Duplicates, ...]:
    """Images in both sets, and groups of images that are nearly the same.

    Equal files within one set are not here: the later ones are among the set's skipped.
    """
    where: dict[str, list[str]] = defaultdict(list)
    in_a = {ref.id for ref in sets.a.images}
    in_b = {ref.id for ref in sets.b.images}
    for ref in (*sets.a.images, *sets.b.images):
        where[ref.id].append(shown(ref.path))
    exact = tuple(Duplicates(tuple(where[i]), exact=True, across=True) for i in sets.shared)
    near = tuple(
        Duplicates(
            tuple(path for identity in group for path in where[identity]),
            exact=False,
            across=not (in_a.isdisjoint(group) or in_b.isdisjoint(group)),
        )
        for group in sets.near
    )
    return exact + near


def _near(sets: Sets) -> tuple[tuple[str, ...], ...]:
    """Groups of ids of near-duplicates, within the sets and across them."""
    refs = tuple({ref.id: ref for ref in (*sets.a.images, *sets.b.images)}.values())
    groups = near_duplicates(sets.measurements(refs))
    return tuple(tuple(refs[place].id for place in group) for group in groups)


def tested(images: Images, config: RunConfig) -> Images:
    """The images that statistics are computed on; with ``--paired-by`` those that have a partner,
    in the same order on both sides."""
    if config.paired_by is None:
        return images
    a, b = sides(images)
    partners: dict[str | None, list[ImageRef]] = defaultdict(list)
    for ref in b:
        partners[ref.pair].append(ref)
    pairs = [(ref, partners[ref.pair].pop(0)) for ref in a if partners[ref.pair]]
    if not pairs:
        raise InputError(
            f"--paired-by {config.paired_by}: no image of A has the same value there as one of B "
            "(it is a column of a table: visdiff-local run TABLE --a … --b … --paired-by COLUMN)"
        )
    return Images.of([ref for ref, _ in pairs], [ref for _, ref in pairs])
