"""Refinement: the language model sees how its hypotheses did, and on which images they failed.

The scores are those of the explore half, so that the final test stays honest.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from visdiff_local import prompts
from visdiff_local.pipeline.proposers.base import Asking, Proposals, brief, collect
from visdiff_local.pipeline.rankers.scores import Images, IntArray, oriented
from visdiff_local.protocols import FloatArray, TextModel
from visdiff_local.stats import auroc
from visdiff_local.types import Caption, Direction, Hypothesis, Provenance

TRIED_SHOWN = 15
"""Hypotheses, best first, that the model is shown with their scores."""
BEST = 3
"""Failures are counted over so many of the best hypotheses."""
FAILURES_SHOWN = 20
"""Captions a set of images that the best hypotheses got wrong."""


def refine(
    hypotheses: Sequence[Hypothesis],
    values: FloatArray,
    explore: Images,
    captions: Mapping[str, Caption],
    llm: TextModel,
    asking: Asking,
    *,
    number: int,
) -> Proposals:
    """One more round of hypotheses in each direction that has any to improve.

    Args:
        values: float32 (M, N) scores on the explore half, no NaN.
        number: of this round, counted on from the proposer's.
    """
    areas = auroc(oriented(values, hypotheses), explore.is_a) if hypotheses else np.empty(0)
    asked: list[tuple[str, Direction]] = []
    for direction in asking.directions:
        rows = [i for i, h in enumerate(hypotheses) if h.direction == direction]
        rows.sort(key=lambda row: -areas[row])
        if not rows:
            continue
        own = explore.is_a if direction == "a" else ~explore.is_a
        missed, false = failures(values[rows[:BEST]], own)
        prompt = prompts.render(
            "refine",
            asking.family,
            tried=[
                {"text": hypotheses[i].text, "auroc": float(areas[i])} for i in rows[:TRIED_SHOWN]
            ],
            captions_a=_captions_of(missed, explore, captions),
            captions_b=_captions_of(false, explore, captions),
            n=asking.concepts,
            goal=asking.goal,
        )
        asked.append((prompt, direction))
    if not asked:
        return Proposals()
    replies = llm.complete(
        [prompt for prompt, _ in asked], seed=asking.seed + number, temperature=asking.temperature
    )
    return collect(
        (reply, direction, Provenance("caption", number))
        for reply, (_, direction) in zip(replies, asked, strict=True)
    )


def failures(values: FloatArray, own: np.typing.NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """The images that the hypotheses got wrong, worst first: missed ones and false ones.

    Missed: of the hypotheses' own set, but scored below the middle of both sets' means by most of
    them. False: of the other set, but scored above it.

    Args:
        values: float32 (k, N) scores of hypotheses of one direction.
        own: bool (N,), the images of that direction's set.
    """
    middle = (values[:, own].mean(axis=1) + values[:, ~own].mean(axis=1)) / 2
    spread = np.maximum(values.std(axis=1), 1e-9)
    margin = ((values - middle[:, None]) / spread[:, None]).mean(axis=0)
    order = np.argsort(margin, kind="stable")
    missed = order[own[order] & (margin[order] < 0)]
    false = order[::-1][~own[order[::-1]] & (margin[order[::-1]] > 0)]
    return missed, false


def _captions_of(
    positions: IntArray, explore: Images, captions: Mapping[str, Caption]
) -> list[str]:
    ids = (explore.refs[int(i)].id for i in positions)
    return [brief(captions[i].text) for i in ids if i in captions][:FAILURES_SHOWN]
