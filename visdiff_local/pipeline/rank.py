"""What the hypotheses are worth: scores on the validate half, statistics, order, grades."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from visdiff_local.config import P_YES_RANKERS, RunConfig
from visdiff_local.pipeline import support, verdicts
from visdiff_local.pipeline.judge import Question, judge
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.propose import captions, clip, explored
from visdiff_local.pipeline.proposers import dedupe
from visdiff_local.pipeline.rankers import cascade
from visdiff_local.pipeline.rankers import scores as rank
from visdiff_local.pipeline.rankers.caption_qa import caption_qa
from visdiff_local.pipeline.rankers.scores import ScoreFunction, Scores
from visdiff_local.pipeline.rankers.vqa import vqa
from visdiff_local.pipeline.split import Fold
from visdiff_local.pipeline.support import YES
from visdiff_local.types import (
    Caption,
    Direction,
    Evaluation,
    Grade,
    Hypothesis,
    ScoredHypothesis,
)


def rules(config: RunConfig) -> verdicts.Rules:
    """The statistics that this configuration asks for."""
    return verdicts.Rules(
        config.stats,
        config.alpha,
        config.floor,
        config.permutations,
    )


def scores(
    tested: Sequence[Hypothesis],
    fold: Fold,
    config: RunConfig,
    roles: RunModels,
    rng: np.random.Generator,
) -> Scores:
    """How true each hypothesis is of each image of the validate half."""
    if not tested:
        return Scores.single(np.empty((0, len(fold.validate.refs)), dtype=np.float32))
    said: Mapping[str, Caption] = {}
    if "caption-qa" in config.ranker_names:
        # A cascade looks at the explore half too, to choose whom the next ranker sees.
        also = fold.explore.refs if ">" in config.ranker else ()
        said = captions(tuple(dict.fromkeys((*fold.validate.refs, *also))), config, roles)
    with roles.stage("rank", len(fold.validate.refs)):
        functions = {name: _ranker(name, said, config, roles) for name in config.ranker_names}
        return cascade.score(
            tested,
            fold.validate,
            fold.explore,
            ranker=config.ranker,
            functions=functions,
            rng=rng,
            floor=config.floor,
        )


def supported(tested: verdicts.Tested, config: RunConfig, roles: RunModels) -> verdicts.Tested:
    """With the support of each hypothesis by its own best images, where the ranker can tell."""
    if not tested.hypotheses or config.stats == "paper":
        return tested
    names, values = config.ranker_names, tested.scores.values
    if config.ranker in P_YES_RANKERS:
        return replace(
            tested, support=support.by_answers(tested.hypotheses, values, tested.images), floor=YES
        )
    if "clip" not in names:
        return tested
    with roles.stage("rank"):
        found = support.by_concepts(
            tested.hypotheses,
            values,
            tested.images,
            embedder=roles.embedder,
            family=roles.family("embedder"),
        )
    return replace(tested, support=found, floor=support.FITS)


def ranked(
    folds: Sequence[Fold], settled: Sequence[verdicts.Tested], config: RunConfig, roles: RunModels
) -> tuple[ScoredHypothesis, ...]:
    """All hypotheses of the run, best first, with their numbers and evidence.

    A text that several folds tested, or of the user's both directions, is shown once, in its better
    version; the others have been counted in the q-values.
    """
    rows: list[tuple[int, ScoredHypothesis]] = []
    for fold, tested in zip(folds, settled, strict=True):
        stages = [int(tested.scores.stage[row]) for row in verdicts.order(tested)]
        rows += zip(stages, _described(fold, tested, config, roles), strict=True)
    rows.sort(key=lambda item: (-item[0], -item[1].auroc))
    best: dict[tuple[str, Direction | None], ScoredHypothesis] = {}
    for _, found in rows:
        direction = None if config.hypotheses else found.direction
        best.setdefault((found.text.casefold(), direction), found)
    return tuple(best.values())


def evaluation(
    differences: Sequence[ScoredHypothesis], config: RunConfig, roles: RunModels
) -> Evaluation | None:
    """The judge's grades of what is said of A, and of B too where its truth is known.

    Acc@k is the paper's: the best grade, halved, among the first k hypotheses that are said of A
    and not rejected. Hypotheses that the judge could not grade count 0 there.
    """
    if config.truth_a is None:
        return None
    truth_a, truth_b = config.truth_a, config.truth_b or ""
    graded = [
        (place, found)
        for place, found in enumerate(differences, start=1)
        if found.direction == "a" or truth_b
    ]
    questions = [
        Question(found.text, truth_a, truth_b)
        if found.direction == "a"
        else Question(found.text, truth_b, truth_a)
        for _, found in graded
    ]
    answers = []
    if questions:
        with roles.stage("judge", len(questions)):
            answers = judge(
                questions, roles.llm, family=roles.family("llm"), calibration=roles.calibration
            )
    grades = tuple(
        Grade(place, answer.grade, answer.probabilities or ())
        for (place, _), answer in zip(graded, answers, strict=True)
    )
    counting = [
        grade.grade or 0
        for grade, (_, found) in zip(grades, graded, strict=True)
        if found.direction == "a" and found.verdict != "rejected"
    ]
    at_1, at_5 = (max(counting[:k], default=0) / 2 for k in (1, 5))
    return Evaluation(at_1, at_5, grades)


def _described(
    fold: Fold, tested: verdicts.Tested, config: RunConfig, roles: RunModels
) -> list[ScoredHypothesis]:
    """The fold's hypotheses, best first."""
    order = verdicts.order(tested)
    found = [verdicts.scored(tested, row) for row in range(len(order))]
    if not found:
        return []
    if config.ranker in P_YES_RANKERS:  # of the others no score means that it is shown
        values = tested.scores.values
        found = [
            verdicts.with_prevalence(item, values[row], tested.images, YES)
            for row, item in enumerate(found)
        ]
    found = [found[row] for row in order]
    if config.hypotheses:
        return found
    values = explored(tested.hypotheses, fold.explore, roles)
    facing = rank.oriented(values, tested.hypotheses)[order]
    nothing = dedupe.redundant(facing, fold.explore.is_a)
    return [
        replace(item, redundant=bool(explained))
        for item, explained in zip(found, nothing, strict=True)
    ]


def _ranker(
    name: str, said: Mapping[str, Caption], config: RunConfig, roles: RunModels
) -> ScoreFunction:
    if name == "clip":
        return clip(roles)
    if name == "vqa":
        family = roles.family("vlm")
        return partial(vqa, model=roles.vlm, family=family, binary=config.binary)
    if name == "caption-qa":
        return partial(
            caption_qa,
            captions=said,
            llm=roles.llm,
            family=roles.family("llm"),
            binary=config.binary,
        )
    raise ValueError(f"no function scores for the ranker {name!r}")
