"""Scores → what can be claimed: the two sets of statistical rules, and the order of the list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.pipeline.evidence import evidence, histogram
from visdiff_local.pipeline.rankers.scores import Images, Scores, oriented
from visdiff_local.protocols import FloatArray
from visdiff_local.types import Hypothesis, ScoredHypothesis, Verdict

_COUNTED_AT_ONCE = 131_072
"""Images whose scores are turned to face A together."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``trusted``: `visdiff-local docs statistics`. ``paper``: Welch's t-test, no more."""

    kind: Literal["trusted", "paper"] = "trusted"
    alpha: float = 0.05
    floor: float = stats.EFFECT_FLOOR
    permutations: int = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Hypotheses in their own order with the statistics of their oriented scores."""

    hypotheses: tuple[Hypothesis, ...]
    images: Images
    scores: Scores
    comparison: stats.TestStatistics
    standing: tuple[Verdict, ...] = ()
    support: Sequence[float] | None = None
    """(M,) how far each text's best images show it; None where nothing could tell."""
    floor: float = 0.0
    """Support that a confirmed text must have."""
    shown: FloatArray | npt.NDArray[np.float64] | None = None
    """(M, 2) intervals that own up to how the hypotheses were chosen."""


def compare(
    hypotheses: Sequence[Hypothesis],
    scores: Scores,
    images: Images,
    rules: Rules,
    rng: np.random.Generator,
) -> Tested:
    """AUROC, interval and p of every hypothesis on ``images``; :func:`settle` comes next."""
    design = images.design
    if scores.values.dtype == np.float16 and rules.kind == "trusted" and design.plain:
        found = _counted(hypotheses, scores, images, rng)
        return Tested(tuple(hypotheses), images, scores, found)
    facing = oriented(scores.values, hypotheses)
    found = stats.test(facing, design, permutations=rules.permutations, rng=rng)
    if rules.kind == "paper":
        found = replace(found, p_value=stats.welch_p(facing, images.is_a))
    return Tested(tuple(hypotheses), images, scores, found)


def settle(folds: Sequence[Tested], rules: Rules, rng: np.random.Generator) -> tuple[Tested, ...]:
    """q, the verdict and the interval to show of every hypothesis of the run.

    Under cross-fitting a text that both folds tested has the mean of its figures in both, and one
    p: see :func:`visdiff_local.stats.combine_folds`.
    """
    if len(folds) < 2:
        return tuple(_judged(fold, fold.comparison, rules, rng) for fold in folds)
    first, second = folds
    rows: dict[tuple[str, str], list[int]] = {}
    for number, fold in enumerate(folds):
        for row, hypothesis in enumerate(fold.hypotheses):
            key = hypothesis.text.casefold(), hypothesis.direction
            rows.setdefault(key, [-1, -1])[number] = row
    at = np.array(list(rows.values()), np.int64).reshape(-1, 2)
    found = stats.combine_folds(first.comparison, second.comparison, at)
    settled = []
    for number, fold in enumerate(folds):
        of_row = {int(row): k for k, row in enumerate(at[:, number]) if row >= 0}
        places = np.array([of_row[row] for row in range(len(fold.hypotheses))], np.int64)
        settled.append(_judged(fold, found, rules, rng, places))
    return tuple(settled)


def _judged(
    tested: Tested,
    found: stats.TestStatistics,
    rules: Rules,
    rng: np.random.Generator,
    places: npt.NDArray[np.int64] | None = None,
) -> Tested:
    """With what is found of all the run's hypotheses, of which these are at ``places``.

    Confirmed is only what also holds of images; by the paper's rules support is not asked, and
    intervals are as they come.
    """
    here = np.arange(len(tested.hypotheses)) if places is None else places
    verdicts = np.array(_standing(found, rules), dtype=object)
    shown = found.ci
    if rules.kind == "trusted" and found.se is not None and len(found.auroc):
        shown = stats.shown_intervals(found, verdicts == "confirmed", rng)
    standing = verdicts[here].tolist()
    if tested.support is not None and rules.kind == "trusted":
        standing = [
            "unsupported" if verdict == "confirmed" and support < tested.floor else verdict
            for verdict, support in zip(standing, tested.support, strict=True)
        ]
    return replace(tested, comparison=found.at(here), standing=tuple(standing), shown=shown[here])


def p_values(folds: Sequence[Tested]) -> list[float]:
    """Of every hypothesis that was tested, fold after fold."""
    return [float(p) for fold in folds for p in fold.comparison.p_value]


def scored(tested: Tested, row: int) -> ScoredHypothesis:
    """One hypothesis with all its numbers and its evidence."""
    hypothesis, found = tested.hypotheses[row], tested.comparison
    values, is_a = tested.scores.values[row].astype(np.float32), tested.images.is_a
    low, high = (found.ci if tested.shown is None else tested.shown)[row]
    return ScoredHypothesis(
        hypothesis=hypothesis,
        auroc=float(found.auroc[row]),
        auroc_ci=(float(low), float(high)),
        p_value=float(found.p_value[row]),
        q_value=float(found.q_value[row]),
        mean_a=float(values[is_a].mean(dtype=np.float64)),
        mean_b=float(values[~is_a].mean(dtype=np.float64)),
        verdict=tested.standing[row],
        auroc_plain=None if found.auroc_plain is None else float(found.auroc_plain[row]),
        auroc_shrunk=None if found.auroc_shrunk is None else float(found.auroc_shrunk[row]),
        support=None if tested.support is None else float(tested.support[row]),
        unparsed=int(tested.scores.unparsed[row]),
        evidence=evidence(values, tested.images, hypothesis.direction),
        histogram=histogram(values, tested.images),
    )


def order(tested: Tested) -> list[int]:
    """Rows, best first: those that reached the last stage of a cascade, then by AUROC."""
    stage, area = tested.scores.stage, tested.comparison.auroc
    return sorted(range(len(area)), key=lambda row: (-stage[row], -area[row], row))


def with_prevalence(
    found: ScoredHypothesis, values: FloatArray, images: Images, threshold: float
) -> ScoredHypothesis:
    """The shares of A and of B whose P(yes) (N,) reaches the threshold, with intervals that know
    of clusters; within strata, as they would be if both sets had the same mix."""
    a, b = stats.standardised_shares(values >= threshold, images.design)
    return replace(
        found,
        prevalence_a=a.value,
        prevalence_a_ci=(a.low, a.high),
        prevalence_b=b.value,
        prevalence_b_ci=(b.low, b.high),
    )


def _counted(
    hypotheses: Sequence[Hypothesis], scores: Scores, images: Images, rng: np.random.Generator
) -> stats.TestStatistics:
    """As :func:`visdiff_local.stats.compare`, for half-precision scores of very many images."""
    counts = stats.ScoreCounts(images.is_a, len(hypotheses), rng=rng)
    for start in range(0, len(images.refs), _COUNTED_AT_ONCE):
        part = scores.values[:, start : start + _COUNTED_AT_ONCE]
        counts.add(oriented(part, hypotheses).astype(np.float16, copy=False))
    return counts.compare(rng=rng)


def _standing(found: stats.TestStatistics, rules: Rules) -> list[Verdict]:
    """The paper keeps what is significant on its own; what points the other way is no find."""
    if rules.kind == "trusted":
        return stats.standing(found, rules.alpha, rules.floor)
    kept = (found.p_value < rules.alpha) & (found.auroc > 0.5)
    return ["confirmed" if keep else "rejected" for keep in kept]
