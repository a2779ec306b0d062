"""What a reader wants to see of a difference: the images that show it, those against it, and the
distribution of its scores."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.protocols import FloatArray
from visdiff_local.types import Direction, Evidence, Example, Histogram

SHOWN = 6
"""Images a group."""
BINS = 24

Order = npt.NDArray[np.intp]


def evidence(
    scores: FloatArray, images: Images, direction: Direction, *, shown: int = SHOWN
) -> Evidence:
    """The images for and against one hypothesis.

    Of its own set those that show it best, of the other those that show it least. Against it: in
    turns, the image of the other set that shows it most and the one of its own that shows it least.

    Args:
        scores: float32 (N,), of the hypothesis itself (not negated for direction "b").
    """
    if images.design.paired:
        return _of_pairs(scores, images, direction, shown)
    own = images.is_a if direction == "a" else ~images.is_a
    mine, others = np.flatnonzero(own), np.flatnonzero(~own)
    for_own, for_other = _highest(scores, mine, shown), _lowest(scores, others, shown)
    against = _in_turns(_highest(scores, others, shown), _lowest(scores, mine, shown), shown)
    sides = (for_own, for_other) if direction == "a" else (for_other, for_own)
    return Evidence(*(_examples(order, scores, images) for order in (*sides, against)))


def _of_pairs(scores: FloatArray, images: Images, direction: Direction, shown: int) -> Evidence:
    """Whole pairs: in which the own image beats its partner by most; against it, by least. Of an
    id with several images on a side, the first."""
    design = images.design
    own = images.is_a if direction == "a" else ~images.is_a
    ids = design.pair
    firsts = [_first_of(ids, np.flatnonzero(side & (ids >= 0))) for side in (own, ~own)]
    both = np.array(sorted(firsts[0].keys() & firsts[1].keys()), dtype=np.intp)
    mine, others = (np.array([first[i] for i in both], dtype=np.intp) for first in firsts)
    gap = scores[mine] - scores[others]
    order = np.argsort(-gap, kind="stable")
    best, worst = order[:shown], order[::-1][: shown // 2]

    def pictured(members: Order, places: Order) -> list[Example]:
        return [
            replace(Example.of(images.refs[i], float(scores[i])), pair=number)
            for number, i in zip(both[places].tolist(), members[places].tolist(), strict=True)
        ]

    sides = pictured(mine, best), pictured(others, best)
    for_a, for_b = sides if direction == "a" else sides[::-1]
    turns = zip(pictured(others, worst), pictured(mine, worst), strict=True)
    return Evidence(tuple(for_a), tuple(for_b), tuple(each for turn in turns for each in turn))


def _first_of(ids: Order, members: Order) -> dict[int, int]:
    """The first of ``members`` of each id."""
    values, places = np.unique(ids[members], return_index=True)
    return dict(zip(values.tolist(), members[places].tolist(), strict=True))


def histogram(scores: FloatArray, images: Images, *, bins: int = BINS) -> Histogram:
    """Counts of both sets' scores (N,) over shared bins; one bin where all scores are equal."""
    low, high = float(scores.min()), float(scores.max())
    same = low == high
    edges = np.array([low - 0.5, high + 0.5]) if same else np.linspace(low, high, bins + 1)
    counts = [np.histogram(scores[side], edges)[0] for side in (images.is_a, ~images.is_a)]
    return Histogram(
        tuple(float(edge) for edge in edges), *(tuple(int(n) for n in side) for side in counts)
    )


def _lowest(scores: FloatArray, members: Order, count: int) -> Order:
    """The members with the lowest scores, lowest first; of equal ones the first."""
    values = scores[members]
    if count < len(values):
        bound = np.partition(values, count - 1)[count - 1]
        members = members[values <= bound]
    return members[np.argsort(scores[members], kind="stable")][:count]


def _highest(scores: FloatArray, members: Order, count: int) -> Order:
    """The members with the highest scores, highest first; of equal ones the last."""
    return _lowest(-scores, members[::-1], count)


def _in_turns(first: Order, second: Order, shown: int) -> list[int]:
    """``shown`` of both together, alternating while both last."""
    turns = [int(x) for pair in zip(first, second, strict=False) for x in pair]
    return turns[:shown]


def _examples(order: Iterable[int], scores: FloatArray, images: Images) -> tuple[Example, ...]:
    return tuple(Example.of(images.refs[i], float(scores[i])) for i in order)
