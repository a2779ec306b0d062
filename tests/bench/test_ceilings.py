"""How good a list could be: what was proposed, what an oracle finds, and who is to blame."""

import json
from pathlib import Path

import numpy as np
import pytest

from visdiff_local.bench import accuracy, ceilings, tables
from visdiff_local.bench.accuracy import Graded, Trial
from visdiff_local.bench.drawn import Plan, drawn_pairs
from visdiff_local.bench.engine import program_version, world_version
from visdiff_local.config import RunConfig
from visdiff_local.types import (
    Evaluation,
    Grade,
    Hypothesis,
    Provenance,
    RunInfo,
    RunResult,
    ScoredHypothesis,
    SetSummary,
    Summary,
    Verdict,
)


def found(
    text: str,
    direction: str = "a",
    verdict: Verdict = "confirmed",
    similar: tuple[str, ...] = (),
) -> ScoredHypothesis:
    hypothesis = Hypothesis(text, direction, Provenance("caption", 0), similar)  # type: ignore[arg-type]
    return ScoredHypothesis(hypothesis, 0.9, (0.8, 1.0), 0.0, 0.0, 1.0, 0.0, verdict)


def result_of(*differences: ScoredHypothesis, grades: tuple[int, ...] = ()) -> RunResult:
    config = RunConfig.checked(a="a", b="b")
    judged = tuple(Grade(rank, grade) for rank, grade in enumerate(grades, start=1))
    return RunResult(
        run=RunInfo(0, "nano", config.as_dict(), {}, {}),
        a=SetSummary("a", 100, 50, 50),
        b=SetSummary("b", 100, 50, 50),
        summary=Summary("differences found", 0.0, 0.6),
        differences=differences,
        evaluation=Evaluation(0.0, 0.0, judged) if judged else None,
    )


def test_what_was_rejected_merged_or_ranked_last_was_proposed_all_the_same() -> None:
    rest = [found(f"thing {i}") for i in range(30)]
    result = result_of(
        *rest, found("snow", similar=("a dog",)), found("rain", "b"), found("fog", "a", "rejected")
    )
    grades = {"a dog": 2, "fog": 1, "rain": 2}
    assert accuracy.proposed(result, lambda text: grades.get(text, 0)) == {"exact": True}
    del grades["a dog"]
    assert accuracy.proposed(result, lambda text: grades.get(text, 0)) == {"exact": False}


def test_the_judges_best_grade_counts_for_a_only() -> None:
    result = result_of(found("x", "b"), found("y", "a", "rejected"), grades=(2, 1))
    assert accuracy.proposed(result) == {"judge": False}
    result = result_of(found("x", "b"), found("y", "a", "rejected"), grades=(0, 2))
    assert accuracy.proposed(result) == {"judge": True}


def test_an_oracle_is_always_right_on_pure_sets_and_guesses_on_mixed_ones() -> None:
    """At purity 0 the sets are one: the truth is as often below a coin's toss as above it."""
    texts = ("in rain", "in fog", "a hat", "zebras", "three objects", "facing left", "at night")
    rng = np.random.default_rng(0)
    for pair in drawn_pairs(Plan(pairs=3, seed=5)):
        assert ceilings.oracle(texts, pair, (50, 50), (1, 5), rng)[1] == 1.0
    mixed = drawn_pairs(Plan(pairs=12, seed=5, purity=0.0, splits=("hard",)))
    reached = [ceilings.oracle(texts, pair, (50, 50), (1,), rng)[1] for pair in mixed]
    assert np.mean(reached) < 0.6


def test_more_images_raise_the_oracle() -> None:
    texts = ("in rain", "in fog", "a hat", "three objects", "facing left", "red objects", "dots")
    means = []
    for images in (40, 400):
        plan = Plan(pairs=10, seed=3, purity=0.3, images=images, splits=("hard",))
        rng = np.random.default_rng(1)
        half = (images // 2, images // 2)
        means.append(
            np.mean([ceilings.oracle(texts, p, half, (1,), rng)[1] for p in drawn_pairs(plan)])
        )
    assert means[0] + 0.05 < means[1]


def trial(pair: str, first: int, *, proposed: bool, oracle: float) -> Trial:
    return Trial(
        "easy", pair, 0, "caption", "clip", 1.0,
        (Graded("x", 0.9, "confirmed", first),),
        judged=False, proposed={"exact": proposed}, oracle=(oracle, 1.0),
    )  # fmt: skip


def test_every_miss_has_one_cause() -> None:
    trials = [
        trial("right", 2, proposed=True, oracle=1.0),
        trial("never said", 1, proposed=False, oracle=1.0),
        trial("ranked below", 0, proposed=True, oracle=1.0),
        trial("too few images", 0, proposed=True, oracle=0.2),
    ]
    (row,) = accuracy.rows(trials, np.random.default_rng(0))
    assert (row["proposed"], row["oracle@1"], row["oracle@5"]) == (0.75, pytest.approx(0.8), 1.0)
    causes = {who: row[f"missed_by_{who}"] for who in accuracy.CAUSES}
    assert causes == {"proposer": 0.25, "ranker": 0.25, "sample": 0.25}
    _, body = tables.accuracy_grid([row])
    assert body[0][-1].endswith("proposed .75  oracle .80")
    assert Trial.from_dict(json.loads(json.dumps(trials[0].as_dict()))) == trials[0]


def test_pictures_and_results_go_with_the_code_that_made_them() -> None:
    """A folder that was moved must not leave a digest of nothing behind."""
    from visdiff_local.bench import engine

    nothing = engine._digest(Path(__file__).parent / "no such folder", ("*.py",), ())
    assert world_version() != nothing
    assert program_version() != nothing
    parts = {path.name for path in Path(engine._package_file).parent.iterdir()}
    assert set(engine._NOT_RESULTS) <= parts
