"""Rankers by name, and the cascade: a cheap ranker keeps the best, a dear one checks them again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from visdiff_local.errors import UsageError
from visdiff_local.pipeline.rankers.ensemble import ensemble
from visdiff_local.pipeline.rankers.scores import (
    BoolArray,
    Images,
    IntArray,
    ScoreFunction,
    Scores,
    filled,
    oriented,
)
from visdiff_local.protocols import FloatArray
from visdiff_local.stats import EFFECT_FLOOR, auroc, compare
from visdiff_local.types import Hypothesis

KEEP = 10
"""Hypotheses of each direction that go on to the next stage of a cascade."""
FIRST_LOOK = 64
"""Images of each set after which the cascade first asks what is settled; doubled every time."""


def score(
    hypotheses: Sequence[Hypothesis],
    validate: Images,
    explore: Images,
    *,
    ranker: str,
    functions: Mapping[str, ScoreFunction],
    rng: np.random.Generator,
    keep: int = KEEP,
    floor: float = EFFECT_FLOOR,
) -> Scores:
    """Scores of all hypotheses on the validate half by the ranker of that name.

    Args:
        explore: what a cascade chooses its shortlist on, so that the choice has not seen the
            images that the statistics are computed from.
        ranker: ``clip``, ``clip+vqa`` (ensemble), ``clip>vqa`` (cascade), or a mixture; ``>``
            binds weaker.
        functions: the ranker functions by name.

    Raises:
        UsageError: a name that ``functions`` does not have.
    """
    stages = [stage_function(stage, functions) for stage in ranker.split(">")]
    texts = [hypothesis.text for hypothesis in hypotheses]
    first = stages[0](texts, validate.refs)
    # A later stage's probabilities go into the same matrix, and keep their precision.
    scores = Scores.single(first if len(stages) == 1 else first.astype(np.float32))
    if len(stages) == 1:
        return scores
    known = np.ones(first.shape, dtype=np.bool_) if scores.answered is None else scores.answered
    alive = list(range(len(hypotheses)))
    for earlier, later in pairwise(stages):
        chosen = [hypotheses[i] for i in alive]
        alive = [alive[row] for row in _shortlist(chosen, earlier, explore, keep)]
        chosen = [hypotheses[i] for i in alive]
        answers, asked = check(chosen, validate, later, floor=floor, rng=rng)
        unparsed = (np.isnan(answers) & asked).sum(axis=1)
        scores.values[alive] = filled(answers)
        scores.unparsed[alive] = unparsed
        scores.stage[alive] += 1
        known[alive] = ~np.isnan(answers)
    return replace(scores, answered=known)


def stage_function(stage: str, functions: Mapping[str, ScoreFunction]) -> ScoreFunction:
    """One ranker or an ensemble of several, such as ``clip+vqa``."""
    names = stage.split("+")
    unknown = [name for name in names if name not in functions]
    if unknown:
        known = ", ".join(functions)
        raise UsageError(f"no ranker is called {', '.join(unknown)}; choose from: {known}")
    members = [functions[name] for name in names]
    return members[0] if len(members) == 1 else ensemble(members)


def check(
    hypotheses: Sequence[Hypothesis],
    images: Images,
    function: ScoreFunction,
    *,
    floor: float = EFFECT_FLOOR,
    rng: np.random.Generator,
    first_look: int = FIRST_LOOK,
) -> tuple[FloatArray, BoolArray]:
    """Answers (M, N) of a dear ranker, asked in growing parts, and which were asked for.

    After each part a hypothesis whose 95% interval lies below ``floor`` altogether is settled: it
    will not be confirmed, and the rest of its images are not asked. Nothing is ever settled in a
    hypothesis's favour, so looking repeatedly cannot make a false one true; and the images not
    asked stay NaN, which counts against the hypothesis
    (:func:`~visdiff_local.pipeline.rankers.scores.filled`).
    """
    answers = np.full((len(hypotheses), len(images.refs)), np.nan, dtype=np.float32)
    asked = np.zeros(answers.shape, dtype=np.bool_)
    open_rows = list(range(len(hypotheses)))
    for part in _parts(images.is_a, first_look, rng):
        if not open_rows:
            break
        asking = [hypotheses[i] for i in open_rows]
        rows = (np.array(open_rows)[:, None], part)
        answers[rows] = function([h.text for h in asking], [images.refs[int(i)] for i in part])
        asked[rows] = True
        seen = np.flatnonzero(asked[open_rows[0]])
        facing = oriented(filled(answers[np.array(open_rows)[:, None], seen]), asking)
        upper = compare(facing, images.is_a[seen], permutations=1, rng=rng).ci[:, 1]
        open_rows = [row for row, bound in zip(open_rows, upper, strict=True) if bound >= floor]
    return answers, asked


def _parts(is_a: BoolArray, first: int, rng: np.random.Generator) -> list[IntArray]:
    """The images cut into parts of doubling size, each with both sets in their proportion."""
    place = np.empty(len(is_a))
    for side in (is_a, ~is_a):
        n = int(side.sum())
        place[side] = (rng.permutation(n) + 0.5) / max(n, 1)
    order = np.argsort(place, kind="stable")
    smaller = max(1, min(int(is_a.sum()), int((~is_a).sum())))
    cuts, share = [], first / smaller
    while share < 0.75:  # a last part that is a mere rest is not worth another look
        cuts.append(int(np.searchsorted(place[order], share)))
        share *= 2
    return [part for part in np.split(order, cuts) if len(part)]


def _shortlist(
    hypotheses: Sequence[Hypothesis],
    function: ScoreFunction,
    explore: Images,
    keep: int,
) -> list[int]:
    """The rows of the best ``keep`` of each direction, by AUROC on the explore half."""
    answers = filled(function([h.text for h in hypotheses], explore.refs))
    areas = auroc(oriented(answers, hypotheses), explore.is_a)
    kept: list[int] = []
    for direction in ("a", "b"):
        rows = [row for row, h in enumerate(hypotheses) if h.direction == direction]
        kept += sorted(rows, key=lambda row: (-areas[row], row))[:keep]
    return sorted(kept)
