"""Many hypotheses together: what each one's scores say, and what survives asking many questions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats import normal
from visdiff_local.stats.groups import FloatArray, checked, each_block
from visdiff_local.stats.null import PERMUTE_UP_TO, gaussian_p, null_covariance, permutation_p
from visdiff_local.stats.separation import Z, hanley_mcneil_variance, separation
from visdiff_local.types import Standing

EFFECT_FLOOR = 0.55
"""The AUROC that a confirmed difference's interval must clear."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Statistics of M hypotheses over the same images, each oriented to its own direction."""

    auroc: FloatArray
    """(M,) in [0, 1]; above 0.5 where the scores agree with the hypothesis."""
    ci: FloatArray
    """(M, 2) 95% interval of the AUROC."""
    p_value: FloatArray
    """(M,) one-sided."""
    q_value: FloatArray
    """(M,) Benjamini–Hochberg over these M."""
    p_global: float
    """Chance of so large a largest AUROC when there is no difference at all."""


def compare(
    scores: npt.ArrayLike,
    is_a: npt.ArrayLike,
    *,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> Comparison:
    """AUROC, 95% interval, p, q for every hypothesis and the global p of DESIGN, "Statistics".

    A high score must mean "more true of A": **the caller negates the rows of hypotheses whose
    direction is b**, and then AUROC > 0.5 always means that the hypothesis holds. p_global covers
    both directions because both are among the rows.

    Args:
        scores: float16, float32 or float64 (M, N); ties are exact.
        is_a: bool (N,).
        permutations: of the labels, for p_global; above :data:`PERMUTE_UP_TO` images its Gaussian
            limit is drawn from instead.

    Raises:
        ValueError: a score is NaN (rows are named), a set is empty, or the shapes do not fit.
    """
    matrix, labels = checked(scores, is_a)
    ranks = np.empty(matrix.shape, np.float32)
    parts = each_block(separation, matrix, labels, ranks)
    if not parts:
        return Comparison(np.zeros(0), np.zeros((0, 2)), np.zeros(0), np.zeros(0), 1.0)
    area, ci, p = (np.concatenate(column) for column in zip(*parts, strict=True))
    largest = float(area.max())
    if len(labels) > PERMUTE_UP_TO:
        p_global = gaussian_p(largest, null_covariance(ranks, int(labels.sum())), rng)
    else:
        p_global = permutation_p(largest, ranks, labels, permutations, rng)
    return Comparison(area, ci, p, benjamini_hochberg(p), p_global)


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """The smallest false-discovery rate at which each p (M,) is rejected (step-up): (M,)."""
    p = np.asarray(p_values, np.float64)
    # scipy.stats has this too, and half a second of every run would go into importing it.
    falling = np.argsort(p)[::-1]
    rates = p[falling] * len(p) / np.arange(len(p), 0, -1)
    q = np.empty_like(p)
    q[falling] = np.minimum.accumulate(rates)
    return q


def standing(comparison: Comparison, alpha: float, floor: float = EFFECT_FLOOR) -> list[Standing]:
    """Confirmed, suggestive or rejected, for each hypothesis; DESIGN, "Statistics".

    Args:
        alpha: bounds q and p_global of a confirmed difference, and p of a suggestive one.
        floor: AUROC that the interval's lower bound must exceed to be confirmed.
    """
    confirmed = (
        (comparison.q_value <= alpha)
        & (comparison.p_global <= alpha)
        & (comparison.ci[:, 0] > floor)
    )
    suggestive = comparison.p_value <= alpha
    return [
        "confirmed" if sure else "suggestive" if maybe else "rejected"
        for sure, maybe in zip(confirmed, suggestive, strict=True)
    ]


def min_detectable_auroc(
    n_a: int,
    n_b: int,
    *,
    alpha: float,
    power: float = 0.8,
    hypotheses: int = 1,
    floor: float | None = None,
) -> float:
    """The smallest AUROC that these set sizes detect with the given power; at most 1.

    One-sided Mann–Whitney test in its normal approximation, the variance under the alternative by
    Hanley & McNeil 1982. ``hypotheses`` tests share ``alpha`` (Bonferroni, which is what
    Benjamini–Hochberg asks of a single true difference). 1.0 also where not even that is enough.

    Args:
        floor: the interval must clear this too, as a confirmed difference's does.
    """
    if min(n_a, n_b) < 1 or hypotheses < 1:
        raise ValueError("both sets need an image, and there must be a hypothesis")
    null_sd = np.sqrt((n_a + n_b + 1) / (12.0 * n_a * n_b))
    least = 0.5 - normal.quantile(alpha / hypotheses) * null_sd
    z_power = normal.quantile(power)

    def margin(area: float) -> float:
        """How far the observed AUROC, at its unlucky end, lies above what is asked for."""
        sd = np.sqrt(hanley_mcneil_variance(np.asarray(area), n_a, n_b))
        wanted = least if floor is None else max(least, floor + Z * sd)
        return float(area - z_power * sd - wanted)

    if margin(1.0) <= 0:
        return 1.0
    return _root(margin, 0.5, 1.0) if margin(0.5) < 0 else 0.5


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function crosses zero, by bisection down to the last bit."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return high
