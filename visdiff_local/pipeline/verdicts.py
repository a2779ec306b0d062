"""Scores → what can be claimed: the two sets of statistical rules, and the order of the list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

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


def settle(folds: Sequence[Tested], rules: Rules) -> tuple[Tested, ...]:
    """q and the verdict of every hypothesis of the run, which may have been tested in folds.

    q is Benjamini–Hochberg's over all folds together, p_global Bonferroni's over them.
    """
    q = stats.benjamini_hochberg(
        np.concatenate([np.empty(0), *(fold.comparison.p_value for fold in folds)])
    )
    chances = [fold.comparison.p_global for fold in folds if fold.hypotheses]
    p_global = min(1.0, len(chances) * min(chances, default=1.0))
    settled, start = [], 0
    for fold in folds:
        end = start + len(fold.hypotheses)
        found = replace(fold.comparison, q_value=q[start:end], p_global=p_global)
        settled.append(_with_verdicts(replace(fold, comparison=found), rules))
        start = end
    return tuple(settled)


def p_values(folds: Sequence[Tested]) -> list[float]:
    """Of every hypothesis that was tested, fold after fold."""
    return [float(p) for fold in folds for p in fold.comparison.p_value]


def _with_verdicts(tested: Tested, rules: Rules) -> Tested:
    """Confirmed is only what also holds of images; by the paper's rules support is not asked."""
    standing = _standing(tested.comparison, rules)
    if tested.support is not None and rules.kind == "trusted":
        standing = [
            "unsupported" if verdict == "confirmed" and support < tested.floor else verdict
            for verdict, support in zip(standing, tested.support, strict=True)
        ]
    return replace(tested, standing=tuple(standing))


def scored(tested: Tested, row: int) -> ScoredHypothesis:
    """One hypothesis with all its numbers and its evidence."""
    hypothesis, found = tested.hypotheses[row], tested.comparison
    values, is_a = tested.scores.values[row].astype(np.float32), tested.images.is_a
    return ScoredHypothesis(
        hypothesis=hypothesis,
        auroc=float(found.auroc[row]),
        auroc_ci=(float(found.ci[row, 0]), float(found.ci[row, 1])),
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
    """The shares of A and of B whose score (N,) reaches the threshold, with their intervals."""
    shares = [
        stats.prevalence(values[None, side], threshold) for side in (images.is_a, ~images.is_a)
    ]
    (in_a, ci_a), (in_b, ci_b) = (
        (float(share[0]), (float(ci[0, 0]), float(ci[0, 1]))) for share, ci in shares
    )
    return replace(
        found, prevalence_a=in_a, prevalence_a_ci=ci_a, prevalence_b=in_b, prevalence_b_ci=ci_b
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
