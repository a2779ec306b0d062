"""How small a difference the images at hand can show."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visdiff_local.stats import normal
from visdiff_local.stats.design import Design
from visdiff_local.stats.grouping import design_effect
from visdiff_local.stats.interval import LEVEL, hanley_mcneil_variance, logit, wilson
from visdiff_local.stats.stratified import layers, weight
from visdiff_local.stats.student import t_quantile
from visdiff_local.stats.ties import FloatArray

_UNKNOWN_ICC = 0.3
"""Taken for the intra-class correlation where there are clusters and nothing was measured yet."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What is asked of a difference."""

    alpha: float
    """Of one test: the run's, shared by the hypotheses."""
    power: float
    floor: float | None


def min_detectable_auroc(
    n_a: int,
    n_b: int,
    *,
    alpha: float,
    power: float = 0.8,
    hypotheses: int = 1,
    floor: float | None = None,
) -> float:
    """:func:`min_detectable` of independent images: ``n_a`` and ``n_b`` of them."""
    _at_least_one(n_a, n_b, hypotheses)
    target = _Target(alpha / hypotheses, power, floor)
    sizes = np.array([[n_a, n_b]], np.float64)
    return _least_area(target, sizes, 1.0, _freedom(sizes))


def min_detectable(
    design: Design,
    *,
    alpha: float,
    power: float = 0.8,
    hypotheses: int = 1,
    floor: float | None = None,
    icc: float | None = None,
) -> float:
    """The smallest AUROC that this design detects with the given power; at most 1.

    One-sided tests, ``hypotheses`` of which share ``alpha`` (Bonferroni, which is what
    Benjamini–Hochberg asks of a single true difference). The variance under the alternative is
    Hanley & McNeil's (1982), of every stratum with its van Elteren weight, and with clusters times
    the design effect of their sizes and ``icc``; Student's t with (fewer clusters − 1) degrees of
    freedom. 1.0 also where not even that is enough. Of pairs, see :func:`_least_share`.

    Args:
        floor: the 95% interval must clear this too, as a confirmed difference's does.
        icc: the intra-class correlation that was measured (``TestStatistics.icc``).
    """
    _at_least_one(design.n_a, design.n_b, hypotheses)
    target = _Target(alpha / hypotheses, power, floor)
    if design.paired:
        units = len(np.unique(design.unit[design.kept]))
        return _least_share(target, min(units, design.n_pairs))
    sizes = np.array([[int(x.is_a.sum()), int((~x.is_a).sum())] for x in layers(design)], float)
    if not design.clustered:
        return _least_area(target, sizes, 1.0, _freedom(sizes))
    alike = _UNKNOWN_ICC if icc is None else max(0.0, icc)
    effects = [
        float(
            design_effect(alike, np.unique(design.unit[side & design.kept], return_counts=True)[1])
        )
        for side in (design.is_a, ~design.is_a)
    ]
    share_a = design.n_b / (design.n_a + design.n_b)  # what A's images have in the variance
    effect = share_a * effects[0] + (1 - share_a) * effects[1]
    df = max(1.0, min(design.clusters_a, design.clusters_b) - 1.0)
    return _least_area(target, sizes, effect, df)


def _at_least_one(n_a: int, n_b: int, hypotheses: int) -> None:
    if min(n_a, n_b) < 1 or hypotheses < 1:
        raise ValueError("both sets need an image, and there must be a hypothesis")


def _freedom(sizes: FloatArray) -> float:
    """Degrees of freedom of independent images in strata of these sizes (S, 2): Satterthwaite's,
    an image of A and one of B spreading alike."""
    weights = weight(sizes[:, 0], sizes[:, 1])[:, None] ** 2
    over = weights / sizes
    return float(over.sum() ** 2 / (over**2 / np.maximum(sizes - 1, 1)).sum())


def _least_area(target: _Target, sizes: FloatArray, effect: float, df: float) -> float:
    """Of strata with these sizes (S, 2)."""
    weights = weight(sizes[:, 0], sizes[:, 1])
    weights = weights / weights.sum()
    n_a, n_b = sizes.T
    null = effect * float((weights**2 * (n_a + n_b + 1) / (12 * n_a * n_b)).sum())
    freedom = np.array(df)
    reach = float(t_quantile(1 - target.alpha, freedom))
    reach_floor = float(t_quantile(0.5 + LEVEL / 2, freedom))
    z = normal.quantile(target.power)
    # Of independent images the largest of several errors counts, each with noise of its own; that
    # this makes up for it was measured, from 8 v 300 to 40 v 300, with 1 and with 30 hypotheses.
    largest = 1 + 0.5 * normal.quantile(1 - target.alpha) / df if effect == 1.0 else 1.0

    def sd(area: float) -> float:
        parts = [
            w**2 * float(hanley_mcneil_variance(np.asarray(area), a, b))
            for w, a, b in zip(weights, n_a, n_b, strict=True)
        ]
        return float(np.sqrt(effect * sum(parts)))

    def margin(area: float) -> float:
        """How far the observed AUROC, at its unlucky end, lies above what is asked for."""
        error = sd(area)
        # The error is estimated too, so that T spreads more than a normal (Johnson & Welch 1940).
        unlucky = z * error * np.sqrt(1 + reach**2 / (2 * df))
        wanted = 0.5 + max(normal.quantile(1 - target.alpha) * np.sqrt(null), reach * error)
        spare = area - 0.5 - (unlucky + wanted - 0.5) * largest
        if target.floor is None:
            return float(spare)
        unlucky = z * error * np.sqrt(1 + reach_floor**2 / (2 * df))
        low = float(np.clip(area - unlucky, 1e-6, 1 - 1e-6))
        slope = max(low * (1 - low), 1e-6)
        short = float(logit(np.asarray(low)) - logit(np.asarray(target.floor)))
        return float(min(spare, short * slope - reach_floor * error))

    return _least(margin)


def _least_share(target: _Target, pairs: int) -> float:
    """Of pairs, the share in which A's side scores higher, if their differences are normal.

    Wilcoxon's signed-rank test: Noether 1987, "Sample size determination for some common
    nonparametric tests"; and Wilson's interval, of the share itself, must clear the floor.
    """
    z = normal.quantile(target.power)
    reach = normal.quantile(1 - target.alpha)

    def margin(share: float) -> float:
        shift = normal.quantile(min(share, 1 - 1e-12))
        both = normal.normal_cdf(np.sqrt(2) * shift)  # two differences add up to more than nothing
        # Under the alternative the sum spreads less: exactly 0 where all differences are positive.
        spread = np.sqrt(max(0.0, 4 * (1 - both) * both))
        spare = np.sqrt(3 * pairs) * (both - 0.5) - reach - z * spread
        if target.floor is None:
            return float(spare)
        low = max(0.0, share - z * np.sqrt(share * (1 - share) / pairs))
        return float(min(spare, wilson(low * pairs, pairs)[0] - target.floor))

    return _least(margin)


def _least(margin: Callable[[float], float]) -> float:
    if margin(1.0) <= 0:
        return 1.0
    return _root(margin, 0.5, 1.0) if margin(0.5) < 0 else 0.5


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function crosses zero, by bisection down to the last bit."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return high
