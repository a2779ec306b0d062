"""Scores → what can be claimed: the two sets of statistical rules, and the order of the list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.protocols import FloatArray
from visdiff_local.stages.evidence import evidence, histogram
from visdiff_local.stages.rank import Images, Scores, oriented
from visdiff_local.types import Hypothesis, ScoredHypothesis, Standing, Summary

POWER = 0.8


@dataclass(frozen=True, slots=True)
class Rules:
    """``trusted``: DESIGN, "Statistics". ``paper``: Welch's t-test as a filter, nothing else."""

    kind: Literal["trusted", "paper"] = "trusted"
    alpha: float = 0.05
    floor: float = stats.EFFECT_FLOOR
    permutations: int = 1000
    paired: bool = False
    """``images`` are pairs: its A and its B in the same order, as many of each."""


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Hypotheses in their own order with the statistics of their oriented scores."""

    hypotheses: tuple[Hypothesis, ...]
    images: Images
    scores: Scores
    comparison: stats.Comparison
    standing: tuple[Standing, ...]


def test(
    hypotheses: Sequence[Hypothesis],
    scores: Scores,
    images: Images,
    rules: Rules,
    rng: np.random.Generator,
) -> Tested:
    """AUROC, interval, p, q and standing of every hypothesis on ``images``."""
    facing = oriented(scores.values, hypotheses)
    if rules.paired:
        comparison = stats.compare_paired(
            facing[:, images.is_a],
            facing[:, ~images.is_a],
            permutations=rules.permutations,
            rng=rng,
        )
    else:
        comparison = stats.compare(facing, images.is_a, permutations=rules.permutations, rng=rng)
    if rules.kind == "paper":
        comparison, standing = _paper(comparison, facing, images, rules.alpha)
    else:
        standing = stats.standing(comparison, rules.alpha, rules.floor)
    return Tested(tuple(hypotheses), images, scores, comparison, tuple(standing))


def scored(tested: Tested, row: int) -> ScoredHypothesis:
    """One hypothesis with all its numbers and its evidence."""
    hypothesis, found = tested.hypotheses[row], tested.comparison
    values, is_a = tested.scores.values[row], tested.images.is_a
    return ScoredHypothesis(
        hypothesis=hypothesis,
        auroc=float(found.auroc[row]),
        auroc_ci=(float(found.ci[row, 0]), float(found.ci[row, 1])),
        p_value=float(found.p_value[row]),
        q_value=float(found.q_value[row]),
        mean_a=float(values[is_a].mean(dtype=np.float64)),
        mean_b=float(values[~is_a].mean(dtype=np.float64)),
        verdict=tested.standing[row],
        unparsed=int(tested.scores.unparsed[row]),
        evidence=evidence(values, tested.images, hypothesis.direction),
        histogram=histogram(values, tested.images),
    )


def order(tested: Tested) -> list[int]:
    """Rows, best first: those that reached the last stage of a cascade, then by AUROC."""
    stage, area = tested.scores.stage, tested.comparison.auroc
    return sorted(range(len(area)), key=lambda row: (-stage[row], -area[row], row))


def summary(tested: Sequence[Tested], rules: Rules) -> Summary:
    """The run's answer; under cross-fitting over both halves (Bonferroni for p_global)."""
    some = [each for each in tested if each.hypotheses]
    if not some:
        return Summary("no difference found", None, None)
    found = any("confirmed" in each.standing for each in some)
    return Summary(
        "differences found" if found else "no difference found",
        min(1.0, len(some) * min(each.comparison.p_global for each in some)),
        max(_min_detectable(each, rules) for each in some),
    )


def prevalences(
    values: FloatArray, images: Images, thresholds: npt.ArrayLike
) -> tuple[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]], ...]:
    """For A and for B: the share (M,) of images that reach the threshold (M,), and its ci (M, 2)."""
    return tuple(
        stats.prevalence(values[:, side], thresholds) for side in (images.is_a, ~images.is_a)
    )


def _paper(
    comparison: stats.Comparison, facing: FloatArray, images: Images, alpha: float
) -> tuple[stats.Comparison, list[Standing]]:
    """Two-sided Welch, significant on its own; a hypothesis that points the other way is no find."""
    p = stats.welch_p(facing, images.is_a)
    kept = (p < alpha) & (comparison.auroc > 0.5)
    tested = stats.Comparison(
        auroc=comparison.auroc,
        ci=comparison.ci,
        p_value=p,
        q_value=stats.benjamini_hochberg(p),
        p_global=comparison.p_global,
    )
    return tested, ["confirmed" if keep else "rejected" for keep in kept]


def _min_detectable(tested: Tested, rules: Rules) -> float:
    n_a = int(tested.images.is_a.sum())
    return stats.min_detectable_auroc(
        n_a,
        len(tested.images.refs) - n_a,
        alpha=rules.alpha,
        power=POWER,
        hypotheses=len(tested.hypotheses),
        floor=rules.floor,
    )
