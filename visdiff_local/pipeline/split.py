"""Which images suggest hypotheses, and which test them."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError
from visdiff_local.images import split
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.pipeline.read import Sets
from visdiff_local.types import ImageRef


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


def folds(sets: Sets, config: RunConfig, rng: np.random.Generator) -> tuple[Fold, ...]:
    """One fold; two under ``--cross-fit``, which use the halves in turn.

    The user's own hypotheses have seen no image, and the paper splits nothing: both are tested on
    all images, and the halves serve for thresholds only.
    """
    together = () if sets.pairs is None else sets.pairs.groups
    half_a, half_b = split(sets.a.images, sets.b.images, rng=rng, near=sets.near, together=together)
    first = Images.of(half_a.explore, half_b.explore, sets.pairs)
    second = Images.of(half_a.validate, half_b.validate, sets.pairs)
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


def tested(images: Images, config: RunConfig) -> Images:
    """The images that statistics are computed on; with ``--paired-by`` those that have a partner,
    in the same order on both sides."""
    if config.paired_by is None:
        return images
    pairs = paired(images)
    if not pairs:
        raise InputError(
            f"--paired-by {config.paired_by}: no image of A has the same value there as one of B "
            "(it is a column of a table: visdiff-local run TABLE --a … --b … --paired-by COLUMN)"
        )
    return Images.of([ref for ref, _ in pairs], [ref for _, ref in pairs])


def paired(images: Images) -> list[tuple[ImageRef, ImageRef]]:
    """Images of A with their partners in B, each in one pair at most, in A's order."""
    a: list[tuple[str, ImageRef]] = []
    b: dict[str, list[ImageRef]] = defaultdict(list)
    for ref, is_a, label in zip(images.refs, images.is_a.tolist(), images.pairs, strict=True):
        if label is not None and is_a:
            a.append((label, ref))
        elif label is not None:
            b[label].append(ref)
    return [(ref, b[label].pop(0)) for label, ref in a if b[label]]
