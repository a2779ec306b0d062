"""Which images suggest hypotheses, and which test them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local import stats
from visdiff_local.config import RunConfig, share_of
from visdiff_local.errors import InputError
from visdiff_local.images import matching
from visdiff_local.images.listing import ranks, taken
from visdiff_local.pipeline.rankers.scores import BoolArray, Images
from visdiff_local.pipeline.read import Sets
from visdiff_local.types import ImageRef


@dataclass(frozen=True, slots=True)
class Fold:
    """Explore: hypotheses come from it. Validate: every number comes from it."""

    explore: Images
    validate: Images
    torn: tuple[str, ...] = ()
    """Sets ("A", "B") of one cluster alone, which had to be torn apart."""
    drawn_in: int = 0
    """Images that ``--propose-on`` does not name, and that belong together with one that it does:
    they test nothing."""


def folds(sets: Sets, config: RunConfig, rng: np.random.Generator) -> tuple[Fold, ...]:
    """One fold; two under ``--cross-fit``, which use the halves in turn.

    Clusters, and the images of one id of a pair, stay on one side, and strata are balanced. The
    user's own hypotheses have seen no image, and the paper splits nothing: both are tested on all.
    """
    whole = sets.everything
    if config.stats == "paper" or config.hypotheses:
        return (Fold(whole, sampled(whole, config)),)
    if config.propose_on is not None:
        return (_proposed_on(sets, whole, config, config.propose_on, rng),)
    first, second, torn = _halves(sets, whole, rng)
    fold = Fold(first, sampled(second, config), torn)
    if not config.cross_fit:
        return (fold,)
    return fold, Fold(second, sampled(first, config), torn)


def sampled(images: Images, config: RunConfig) -> Images:
    """At most ``--rank-sample`` images of each set; of pairs, as many pairs.

    Strata and clusters keep their shares: in their order every k-th image is taken, from a start
    that the seed draws. All of the images where they are not more.
    """
    most, design = config.rank_sample, images.design
    if most is None:
        return images
    rng = np.random.default_rng([config.seed, most])
    kept = np.flatnonzero(design.kept)
    group = design.pair[kept] if design.paired else np.arange(len(kept))
    chosen = np.zeros(len(images.refs), np.bool_)
    for side in (design.is_a, ~design.is_a) if not design.paired else (np.ones_like(design.is_a),):
        mine = side[kept]
        first = np.unique(group[mine], return_index=True)[1]  # one image stands for its pair
        stratum, cluster = design.stratum[kept][mine][first], design.cluster[kept][mine][first]
        shuffled = rng.permutation(int(cluster.max(initial=0)) + 1)[cluster]
        order = np.lexsort((rng.random(len(first)), shuffled, stratum))
        if len(first) > most:
            steps = (np.arange(most) + rng.random()) * (len(first) / most)
            order = order[steps.astype(np.int64)]
        wanted = np.isin(group, group[mine][first[order]]) & mine
        chosen[kept[wanted]] = True
    if chosen.sum() == len(kept):
        return images
    places = np.flatnonzero(chosen)
    part = None if images.sampled is None else images.sampled.subset(places)
    return Images(taken(images.refs, places), design.is_a[places], part)


def sides(images: Images) -> tuple[Sequence[ImageRef], Sequence[ImageRef]]:
    """The images of A, and those of B, in their order."""
    a, b = (np.flatnonzero(side) for side in (images.is_a, ~images.is_a))
    return taken(images.refs, a), taken(images.refs, b)


def _proposed_on(
    sets: Sets, whole: Images, config: RunConfig, rows: str, rng: np.random.Generator
) -> Fold:
    """Proposed on these, tested on all others; what belongs together stays together.

    Raises:
        InputError: a set has no image that proposes, or none that tests.
    """
    (rank,) = ranks(whole.refs)
    order = np.lexsort((~whole.is_a, rank))
    design = whole.design.subset(order)
    share = share_of(rows)
    if share is None:
        sides = matching([(s.columns, len(s.images)) for s in (sets.a, sets.b)], rows)
        named = np.array([*sides[0], *sides[1]], np.bool_)[order]
    else:
        named = design.halve(rng, share)
    touched = np.bincount(design.unit, named) > 0
    explore = touched[design.unit]
    for name, mask in (("to propose from", explore), ("to test on", ~explore)):
        for letter, side in (("A", design.is_a), ("B", ~design.is_a)):
            if not (mask & side & design.kept).any():
                raise InputError(
                    f"--propose-on {rows}: no image of {letter} is left {name}; name other rows, "
                    "or a share such as 30%"
                )
    refs = taken(whole.refs, order)

    def half(mask: BoolArray) -> Images:
        chosen = (np.flatnonzero(mask & side) for side in (design.is_a, ~design.is_a))
        return sets.grouping.images(*(taken(refs, side) for side in chosen))

    drawn_in = int((explore & ~named & design.kept).sum())
    return Fold(half(explore), sampled(half(~explore), config), drawn_in=drawn_in)


def _halves(
    sets: Sets, whole: Images, rng: np.random.Generator
) -> tuple[Images, Images, tuple[str, ...]]:
    """Explore and validate: a function of ids and ``rng`` alone, whatever the order of files."""
    (rank,) = ranks(whole.refs)
    order = np.lexsort((~whole.is_a, rank))
    seed = int(rng.integers(2**63))
    design = whole.design.subset(order)
    explore = design.halve(np.random.default_rng(seed))
    empty = _without_a_half(explore, design.is_a)
    if empty:  # one cluster cannot lie on both sides: its images do, and nothing is proved by them
        explore = stats.Design(design.is_a).halve(np.random.default_rng(seed))
    refs = taken(whole.refs, order)
    a, b = (np.flatnonzero(side) for side in (design.is_a, ~design.is_a))

    def half(mask: BoolArray) -> Images:
        """Of a set without an image in this half, all of them: nothing can be kept apart there."""
        chosen = [side[mask[side]] if mask[side].any() else side for side in (a, b)]
        return sets.grouping.images(*(taken(refs, side) for side in chosen))

    first, second = half(explore), half(~explore)
    torn = tuple(
        letter
        for letter, side in (("A", sets.a), ("B", sets.b))
        if letter in empty and len(side.images) > 1
    )
    return first, second, torn


def _without_a_half(explore: BoolArray, is_a: BoolArray) -> Sequence[str]:
    """The sets of which one half has no image."""
    return [
        letter
        for letter, side in (("A", is_a), ("B", ~is_a))
        if explore[side].all() or not explore[side].any()
    ]
