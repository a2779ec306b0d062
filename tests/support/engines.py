"""An engine of benchmarks that is a function, and what it answers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from visdiff_local.bench.accuracy import Graded, Trial
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
)

OPTIONS = {"profile": "nano"}


def found(text: str, verdict: str = "confirmed", direction: str = "a") -> ScoredHypothesis:
    hypothesis = Hypothesis(text, direction, Provenance("caption", 0))  # type: ignore[arg-type]
    return ScoredHypothesis(hypothesis, 0.9, (0.8, 1.0), 0.0, 0.0, 1.0, 0.0, verdict)  # type: ignore[arg-type]


def result_of(
    config: RunConfig, differences: list[ScoredHypothesis], grades: Sequence[int | None] = ()
) -> RunResult:
    return RunResult(
        run=RunInfo(config.seed, config.profile, config.as_dict(), {}, {}),
        a=SetSummary("a", 1, 1, 1),
        b=SetSummary("b", 1, 1, 1),
        summary=Summary("differences found", 0.0, 0.6),
        differences=tuple(differences),
        evaluation=Evaluation(
            0.0, 0.0, tuple(Grade(i, g, (0.0, 0.0, 1.0)) for i, g in enumerate(grades, start=1))
        ),
    )


class FakeHandle:
    fingerprint = "weights"


class FakePool:
    def handle(self, role: str) -> FakeHandle:
        return FakeHandle()


class FakeEngine:
    """An engine that computes the result of a configuration by a function."""

    def __init__(self, answer: Callable[[RunConfig], RunResult]) -> None:
        self.answer, self.ran = answer, 0

    def run(self, config: RunConfig) -> RunResult:
        self.ran += 1
        return self.answer(config)

    def pool(self, config: RunConfig) -> Any:
        return FakePool()


def trial(pair: str, seed: int, grades: list[int | None], **fields: Any) -> Trial:
    ranked = tuple(Graded(f"h{i}", 0.9, "confirmed", g, g) for i, g in enumerate(grades))
    given_fields = {"split": "easy", "proposer": "caption", "ranker": "clip", "purity": 1.0}
    return Trial(pair=pair, seed=seed, ranked=ranked, **{**given_fields, **fields})


def oracle(config: RunConfig) -> RunResult:
    """Answers with the truth on easy pairs, with nonsense before it on the others."""
    pair = json.loads((Path(config.a).parent / "pair.json").read_text(encoding="utf-8"))
    assert (Path(config.a) / "0000.png").exists()
    assert config.truth_a == pair["truth_a"]
    assert config.one_way
    nonsense = [] if pair["difficulty"] == "easy" else [found("zebras")]
    return result_of(config, [*nonsense, found(pair["truth_a"])], [2, 2])
