"""What is measured, not guessed: attributes of pixels and files that may explain a difference."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np

from visdiff_local.config import RunConfig
from visdiff_local.images import decoded
from visdiff_local.images.listing import ranks, taken
from visdiff_local.measure import (
    Overlay,
    compare_measured,
    duplicate_report,
    find_overlays,
    thumbnail,
    warnings,
)
from visdiff_local.measure.attributes import THUMBNAIL
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.rankers.scores import Images, IntArray
from visdiff_local.pipeline.read import Sets
from visdiff_local.store import keys
from visdiff_local.store.asking import through_window
from visdiff_local.system import foreign
from visdiff_local.types import ImageRef, MeasuredDifference, ScoredHypothesis

OVERLAY_IMAGES = 300
"""Images a set that are looked at for logos and bands: one on every tenth is met thirty times."""


def measured(sets: Sets, config: RunConfig) -> tuple[MeasuredDifference, ...]:
    """Every attribute that varies, over all images of both sets, with their design."""
    images = sets.everything
    return compare_measured(
        sets.measurements,
        images.design,
        alpha=config.alpha,
        rng=np.random.default_rng([config.seed, 2]),
    )


def about(
    sets: Sets,
    differences: Sequence[ScoredHypothesis],
    attributes: Sequence[MeasuredDifference],
    config: RunConfig,
    roles: RunModels,
) -> Iterator[str]:
    """Warnings: what separates the sets better than the best hypothesis, and is no content."""
    images, paired = sets.everything, config.paired_by is not None
    sides = [np.flatnonzero(side) for side in (images.is_a, ~images.is_a)]
    a, b = (sets.measurements.take(side) for side in (_aligned(images) if paired else sides))
    yield from warnings(
        attributes,
        duplicate_report(a, b, paired=paired),
        _overlays(sets, config, roles),
        best_auroc=max((found.auroc for found in differences), default=0.5),
        alpha=config.alpha,
    )


def _aligned(images: Images) -> list[IntArray]:
    """The index of one image a side of every id of a pair, in the same order."""
    pair = images.design.pair
    sides = [np.flatnonzero(mask & (pair >= 0)) for mask in (images.is_a, ~images.is_a)]
    return [side[np.unique(pair[side], return_index=True)[1]] for side in sides]


def _overlays(sets: Sets, config: RunConfig, roles: RunModels) -> tuple[Overlay, ...]:
    """What is repeated at one place; remembered for these images, which are not read again."""
    rng = np.random.default_rng(config.seed)
    a, b = (_some(side.images, rng) for side in (sets.a, sets.b))
    names = ",".join(ref.id for ref in a) + "|" + ",".join(ref.id for ref in b)
    model = through_window(f"overlays-{THUMBNAIL}", roles.window)
    key = keys.key("overlays", model=model, prompt=names)
    known = roles.store.records.get_many("overlays", [key])
    if key not in known:
        with roles.stage("overlays", len(a) + len(b)):
            found = find_overlays(_thumbnails(a, roles), _thumbnails(b, roles), rng=rng)
        known = {key: json.dumps([asdict(overlay) for overlay in found])}
        roles.store.records.put_many("overlays", known)
    return foreign.typed(tuple[Overlay, ...], foreign.json_value(str(known[key])))


def _some(images: Sequence[ImageRef], rng: np.random.Generator) -> list[ImageRef]:
    (rank,) = ranks(images)
    chosen = np.sort(rng.permutation(len(images))[:OVERLAY_IMAGES])
    return list(taken(images, np.argsort(rank)[chosen]))


def _thumbnails(refs: Sequence[ImageRef], roles: RunModels) -> np.typing.NDArray[np.uint8]:
    small = []
    for _, image in decoded(refs, size_hint=2 * THUMBNAIL):
        small.append(thumbnail(image))
        roles.progress.advance(1)
    return np.stack(small)
