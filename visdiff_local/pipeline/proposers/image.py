"""A vision-language model looks at the images of both sets at once."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from visdiff_local import prompts
from visdiff_local.pipeline.proposers.base import Asking, Proposals, collect, union
from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.prompts.replies import hypotheses as parsed
from visdiff_local.protocols import ImageProposer
from visdiff_local.types import ImageRef, Provenance

GRID_COLUMNS = 10


def from_images(
    samples: Sequence[Sample],
    proposer: ImageProposer,
    asking: Asking,
    *,
    grid: bool = True,
    most: int = 0,
) -> Proposals:
    """A vision-language model looks at all images of a round at once, or at some after the other.

    Args:
        grid: as one picture of ten columns, A on top, as in the paper; else as many pictures.
        most: pictures that the model takes in one prompt, 0 for as many as there are. It is shown a
            round's images in parts then, and what most parts find is proposed, less what they
            find the other way round.
    """
    results = Proposals()
    for number, sample in enumerate(samples):
        found = {
            direction: _found(
                sample if direction == "a" else sample.swapped(), proposer, asking, grid, most
            )
            for direction in asking.directions
        }
        times = {direction: _times(replies) for direction, replies in found.items()}
        for direction, replies in found.items():
            source = Provenance("image", number)
            said = collect([(reply, direction, source) for reply in replies])
            if len(replies) > 1:
                other = times.get("b" if direction == "a" else "a", Counter())
                said = _agreed(said, times[direction], other, asking.concepts)
            results += said
    return Proposals(union(results.hypotheses), results.unparsed)


def _found(
    sample: Sample, proposer: ImageProposer, asking: Asking, grid: bool, most: int
) -> Sequence[str]:
    """What the model says of each part of one sample, A's images first."""
    parts = (_grid_sample(sample),) if grid else _parts(sample, most)
    shown = parts[0]  # all parts are alike in size
    prompt = prompts.render(
        "image_propose" if grid else "image_propose_multi",
        asking.family,
        n=asking.concepts,
        goal=asking.goal,
        rows=len(shown.a) // GRID_COLUMNS,
        n_a=len(shown.a),
        n_b=len(shown.b),
    )
    return proposer.describe(
        [part.a + part.b for part in parts], prompt, seed=asking.seed, grid=grid
    )


def _times(replies: Sequence[str]) -> Counter[str]:
    """In how many replies each text is, up to case."""
    return Counter(text for one in replies for text in {said.casefold() for said in parsed(one)})


def _agreed(said: Proposals, own: Counter[str], other: Counter[str], count: int) -> Proposals:
    """The hypotheses that most parts have, at most ``count``; among equals, what was said first.

    What a model says of the same images the other way round, too, may be a habit of the model: it
    counts for that much less, and is left out where it is said more often there.
    """
    gaps = {one: own[one.text.casefold()] - other[one.text.casefold()] for one in said.hypotheses}
    ranked = sorted(said.hypotheses, key=lambda one: (-gaps[one], -own[one.text.casefold()]))
    return Proposals(tuple(one for one in ranked if gaps[one] >= 0)[:count], said.unparsed)


def _parts(sample: Sample, most: int) -> tuple[Sample, ...]:
    """Samples of at most ``most`` images, half of each side; what fills no part is left out."""
    if not most or len(sample.a) + len(sample.b) <= most:
        return (sample,)
    size_a, size_b = min(len(sample.a), most // 2), min(len(sample.b), most // 2)
    count = min(len(sample.a) // size_a, len(sample.b) // size_b)
    return tuple(
        Sample(
            sample.a[i * size_a : (i + 1) * size_a],
            sample.b[i * size_b : (i + 1) * size_b],
        )
        for i in range(count)
    )


def _grid_sample(sample: Sample) -> Sample:
    """Both sides cut, or repeated, to the same number of full grid rows."""
    rows = max(1, min(len(sample.a), len(sample.b)) // GRID_COLUMNS)
    return Sample(_fill(sample.a, rows * GRID_COLUMNS), _fill(sample.b, rows * GRID_COLUMNS))


def _fill(images: tuple[ImageRef, ...], wanted: int) -> tuple[ImageRef, ...]:
    repeats = -(-wanted // len(images))
    return tuple(chain.from_iterable([images] * repeats))[:wanted]
