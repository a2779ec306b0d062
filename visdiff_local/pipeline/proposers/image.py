"""A vision-language model looks at the images of both sets at once."""

from collections.abc import Sequence
from itertools import chain

from visdiff_local import prompts
from visdiff_local.pipeline.proposers.base import Asking, Proposals, collect, turns
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
) -> Proposals:
    """A vision-language model looks at all images of a round at once.

    Args:
        grid: as one picture of ten columns, A on top, as in the paper; else as many pictures.
    """
    results = Proposals()
    for direction, number, sample in turns(samples, asking.directions):
        shown = _grid_sample(sample) if grid else sample
        prompt = prompts.render(
            "image_propose" if grid else "image_propose_multi",
            asking.family,
            n=asking.concepts,
            goal=asking.goal,
            rows=len(shown.a) // GRID_COLUMNS,
            n_a=len(shown.a),
            n_b=len(shown.b),
        )
        replies = proposer.describe([shown.a + shown.b], prompt, seed=asking.seed, grid=grid)
        provenance = Provenance("image", number)
        results += collect((reply, direction, provenance) for reply in replies)
    return results


def _grid_sample(sample: Sample) -> Sample:
    """Both sides cut, or repeated, to the same number of full grid rows."""
    rows = max(1, min(len(sample.a), len(sample.b)) // GRID_COLUMNS)
    return Sample(_fill(sample.a, rows * GRID_COLUMNS), _fill(sample.b, rows * GRID_COLUMNS))


def _fill(images: tuple[ImageRef, ...], wanted: int) -> tuple[ImageRef, ...]:
    repeats = -(-wanted // len(images))
    return tuple(chain.from_iterable([images] * repeats))[:wanted]
