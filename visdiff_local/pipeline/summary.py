"""What a result says of each set: its size, a preview, and images that are the same."""

from collections import defaultdict
from collections.abc import Sequence

from visdiff_local.images import ImageSet
from visdiff_local.pipeline.read import Sets
from visdiff_local.pipeline.split import Fold
from visdiff_local.types import Duplicates, Example, SetSummary

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
    where: dict[str, list[str]] = defaultdict(list)
    in_a = {ref.id for ref in sets.a.images}
    in_b = {ref.id for ref in sets.b.images}
    for ref in (*sets.a.images, *sets.b.images):
        where[ref.id].append(ref.name)
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
