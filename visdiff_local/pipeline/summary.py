"""What a result says of each set: its size, a preview, and images that are the same."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from visdiff_local.images import ImageSet
from visdiff_local.images.listing import ranks
from visdiff_local.pipeline.read import Sets
from visdiff_local.pipeline.split import Fold
from visdiff_local.types import Duplicates, Example, ImageRef, SetSummary

PREVIEW = 24
"""Images a set that the report shows at a glance."""


def of_set(source: ImageSet, of_a: bool, folds: Sequence[Fold]) -> SetSummary:
    """One side of ``sets``: under cross-fitting the counts are of the first fold."""
    halves = (folds[0].explore, folds[0].validate)
    explore, validate = (int((half.is_a == of_a).sum()) for half in halves)
    step = max(1, len(source.images) / PREVIEW)
    places = sorted({int(step * i) for i in range(min(PREVIEW, len(source.images)))})
    preview = tuple(Example.of(source.images[i], 0.0) for i in places)
    return SetSummary(
        source.name,
        len(source.images),
        explore,
        validate,
        source.skipped,
        preview,
        source.ignored,
        source.left_out,
    )


def duplicates(sets: Sets) -> tuple[Duplicates, ...]:
    """Images in both sets, and groups of images that are nearly the same.

    Equal files within one set are not here: the later ones are among the set's skipped.
    """
    wanted = tuple(set(sets.shared).union(*sets.near))
    where: dict[str, list[str]] = defaultdict(list)
    in_a, in_b = (_named(side.images, wanted, where) for side in (sets.a, sets.b))
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


def _named(
    images: Sequence[ImageRef], wanted: Sequence[str], where: dict[str, list[str]]
) -> set[str]:
    """The ids among those wanted that these images have; their names are added to ``where``."""
    asked, there = ranks(wanted, images)
    found = set()
    for index in np.flatnonzero(np.isin(there, asked)).tolist():
        ref = images[index]
        where[ref.id].append(ref.name)
        found.add(ref.id)
    return found
