"""A vision-language model looks at the images of both sets at once."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from visdiff_local import prompts
from visdiff_local.pipeline.proposers.base import Asking, Proposals, collect, turns, union
from visdiff_local.pipeline.proposers.sampling import Sample
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
            round's images in parts then, and what most parts find is proposed.
    """
    results = Proposals()
    for direction, number, sample in turns(samples, asking.directions):
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
        groups = [part.a + part.b for part in parts]
        replies = proposer.describe(groups, prompt, seed=asking.seed, grid=grid)
        provenance = Provenance("image", number)
        found = [collect([(reply, direction, provenance)]) for reply in replies]
        results += _agreed(found, asking.concepts) if len(found) > 1 else found[0]
    return Proposals(union(results.hypotheses), results.unparsed)


def _agreed(found: Sequence[Proposals], count: int) -> Proposals:
    """The hypotheses that most parts have, at most ``count``; among equals, what was said first."""
    every = [one for part in found for one in part.hypotheses]
    times = Counter(one.text.casefold() for one in every)
    ranked = sorted(union(every), key=lambda one: -times[one.text.casefold()])
    return Proposals(tuple(ranked[:count]), tuple(chain.from_iterable(p.unparsed for p in found)))


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
