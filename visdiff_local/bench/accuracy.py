"""Acc@k as the paper has it, with intervals: trials → rows.

Acc@k of a run is the best grade among its first k hypotheses, over 2. The list that counts holds
what is said to be more true of A and is not rejected by the statistics (the paper: not filtered out
by the t-test). A run with an empty list scores 0. Acc@k of a row is the mean over pairs and seeds,
its 95% interval a bootstrap over pairs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np

from visdiff_local.bench import ceilings
from visdiff_local.errors import InputError
from visdiff_local.stats import paired_bootstrap, paired_bootstrap_difference
from visdiff_local.types import RunResult, ScoredHypothesis

Grader = Literal["exact", "judge"]
GRADERS: tuple[Grader, ...] = ("exact", "judge")
TOP = (1, 5)
BEST_GRADE = 2
KEPT = 10
"""Hypotheses of a run that a trial keeps, with their grades."""

CAUSES = ("proposer", "ranker", "sample")
"""What a miss can be blamed on."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Graded:
    """One ranked hypothesis with its grades; None: not graded, or the judge gave no answer."""

    text: str
    auroc: float
    verdict: str
    exact: int | None = None
    judge: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of one run on one pair."""

    split: str
    pair: str
    seed: int
    proposer: str
    ranker: str
    purity: float
    ranked: tuple[Graded, ...]
    """The list that counts, best first, at most :data:`KEPT`."""
    judged: bool = True
    """Whether the judge was asked at all."""
    exactly: bool = True
    """Whether exact grades are known."""
    seconds: float = 0.0
    proposed: Mapping[str, bool] = field(default_factory=dict)
    """By grader: whether anything that was proposed has the best grade, wherever it ended up."""
    oracle: tuple[float, ...] | None = None
    """Acc@k, for each k of :data:`TOP`, that a ranker which knows the scenes would have reached
    with these images (:mod:`visdiff_local.bench.ceilings`); None where the scenes are unknown."""

    def score(self, grader: Grader, k: int) -> float:
        """Acc@k of this run: 0, ½ or 1."""
        grades = [getattr(item, grader) for item in self.ranked[:k]]
        return max((grade for grade in grades if grade is not None), default=0) / 2

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        ranked = tuple(Graded(**item) for item in fields["ranked"])
        oracle = None if fields["oracle"] is None else tuple(fields["oracle"])
        return cls(**{**fields, "ranked": ranked, "oracle": oracle})


def counting(result: RunResult) -> list[tuple[int, ScoredHypothesis]]:
    """The list that counts, with each hypothesis's place (from 0) among all differences."""
    return [
        (place, found)
        for place, found in enumerate(result.differences)
        if found.hypothesis.direction == "a" and found.verdict != "rejected"
    ]


def graded(result: RunResult, exact: Callable[[str], int] | None = None) -> tuple[Graded, ...]:
    """The list that counts with its grades: the judge's from the run, the exact ones computed."""
    by_judge: dict[int, int | None] = {}
    if result.evaluation is not None:
        by_judge = {grade.rank - 1: grade.grade for grade in result.evaluation.grades}
    return tuple(
        Graded(
            text=found.hypothesis.text,
            auroc=found.auroc,
            verdict=found.verdict,
            exact=None if exact is None else exact(found.hypothesis.text),
            judge=by_judge.get(place),
        )
        for place, found in counting(result)[:KEPT]
    )


def proposed(result: RunResult, exact: Callable[[str], int] | None = None) -> dict[str, bool]:
    """By grader that was asked: whether the truth was among all that was proposed for A."""
    found: dict[str, bool] = {}
    if exact is not None:
        found["exact"] = any(exact(text) == BEST_GRADE for text in ceilings.proposed(result))
    if result.evaluation is not None:
        found["judge"] = any(
            grade.grade == BEST_GRADE and result.differences[grade.rank - 1].direction == "a"
            for grade in result.evaluation.grades
        )
    return found


def rows(trials: Iterable[Trial], rng: np.random.Generator) -> list[Row]:
    """One flat row a combination and grader, in the order in which the trials came."""
    groups: dict[tuple[str, str, str, float], list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[trial.split, trial.proposer, trial.ranker, trial.purity].append(trial)
    return [
        _row(members, grader, rng)
        for members in groups.values()
        for grader in GRADERS
        if _has(members, grader)
    ]


def table(trials: Sequence[Trial], grader: Grader, k: int) -> dict[str, list[float]]:
    """Acc@k by pair: one value a seed, seeds in order.

    Raises:
        InputError: a pair was run with fewer seeds than another.
    """
    by_pair: dict[str, list[float]] = defaultdict(list)
    for trial in sorted(trials, key=lambda trial: trial.seed):
        by_pair[f"{trial.split}/{trial.pair}"].append(trial.score(grader, k))
    if len({len(values) for values in by_pair.values()}) > 1:
        raise InputError("the pairs were not all run with the same seeds; finish the runs first")
    return dict(sorted(by_pair.items()))


def difference(
    trials: Sequence[Trial],
    others: Sequence[Trial],
    grader: Grader,
    k: int,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Mean of Acc@k of ``trials`` − ``others`` over the pairs both have, with its 95% interval."""
    ours, theirs = table(trials, grader, k), table(others, grader, k)
    common = [pair for pair in ours if pair in theirs]
    if not common:
        raise InputError("the two combinations were not run on the same pairs")
    return paired_bootstrap_difference(
        [ours[pair] for pair in common], [theirs[pair] for pair in common], rng
    )


def _has(members: Sequence[Trial], grader: Grader) -> bool:
    return all(trial.exactly if grader == "exact" else trial.judged for trial in members)


def _row(members: Sequence[Trial], grader: Grader, rng: np.random.Generator) -> Row:
    first = members[0]
    row: Row = {
        "split": first.split,
        "proposer": first.proposer,
        "ranker": first.ranker,
        "purity": first.purity,
        "pairs": len({trial.pair for trial in members}),
        "seeds": len({trial.seed for trial in members}),
        "grader": grader,
    }
    for k in TOP:
        values = list(table(members, grader, k).values())
        mean, low, high = paired_bootstrap(values, rng)
        row[f"acc@{k}"], row[f"acc@{k}_ci"] = mean, [low, high]
    told = [trial.proposed[grader] for trial in members if grader in trial.proposed]
    row["proposed"] = float(np.mean(told)) if told else None
    if grader == "exact" and all(trial.oracle is not None for trial in members):
        row |= _blamed(members)
    if grader == "judge":
        shown = [item for trial in members for item in trial.ranked[: max(TOP)]]
        row["unparsed"] = sum(item.judge is None for item in shown)
    return row


def _blamed(members: Sequence[Trial]) -> Row:
    """The oracle's Acc@k, and the shares of runs whose first hypothesis is not the truth, by cause.

    A miss is the sample's where the oracle, too, gets it right less than half of the time; else the
    proposer's (with its captioner) where the truth was never proposed; else the ranker's.
    """
    ceilings_of = np.array([trial.oracle for trial in members], dtype=np.float64)
    row: Row = {f"oracle@{k}": float(ceilings_of[:, i].mean()) for i, k in enumerate(TOP)}
    causes = [
        None
        if trial.score("exact", 1) == 1.0
        else "sample"
        if ceilings_of[number, 0] < 0.5
        else "ranker"
        if trial.proposed["exact"]
        else "proposer"
        for number, trial in enumerate(members)
    ]
    return row | {f"missed_by_{who}": causes.count(who) / len(causes) for who in CAUSES}
