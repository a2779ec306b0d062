"""Two sets, many hypotheses: one test, whatever the design (:class:`design.Design`).

The statistic of a hypothesis is T = (AUROC − ½) / standard error, and its null is what relabelled
units make of T (:mod:`null`). Dividing by a standard error keeps the test honest where the sets
differ in spread only and the AUROC is exactly ½ (Janssen 1997; Chung & Romano 2013); taking the
largest of several standard errors keeps it honest where one of them breaks down.

1. The AUROC, within strata and with their weights: :mod:`stratified`.
2. Its standard error and interval: DeLong's, summed over clusters: :mod:`clustered`,
   :mod:`interval`.
3. p of one hypothesis: where units are few or an answer is rare, the share of relabellings that
   reach T; otherwise the larger of two tails, the null's normal one and Student's, whose degrees of
   freedom are Satterthwaite's (Brunner & Munzel 2000).
4. p of all together: the share of relabellings whose largest T reaches the largest observed.
"""

import numpy as np
import numpy.typing as npt

from visdiff_local.stats import normal, paired
from visdiff_local.stats.design import Design
from visdiff_local.stats.interval import logit_interval
from visdiff_local.stats.measured import FEW, Measured, measure
from visdiff_local.stats.multiplicity import benjamini_hochberg
from visdiff_local.stats.null import smallest_p
from visdiff_local.stats.rare import two_valued_p
from visdiff_local.stats.separation import larger_tail
from visdiff_local.stats.shrinkage import shrunken
from visdiff_local.stats.statistics import TestStatistics
from visdiff_local.stats.stratified import Relabelled
from visdiff_local.stats.ties import BoolArray, FloatArray, checked

COUNTED = 10
"""On fewer relabellings than this that reach T, its share is too rough; the tails stand in."""

_NOTHING = 1e-12
"""A standard error up to this is rounding: the score is constant."""

_MOST_WORK = 1e10
"""Hypotheses × units × relabellings, where more are taken than were asked for."""


def test(
    scores: npt.ArrayLike,
    design: Design,
    *,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> TestStatistics:
    """AUROC, intervals, p, q for every hypothesis, and the p of all together.

    A high score must mean "more true of A": **the caller negates the rows of hypotheses whose
    direction is b**, and then AUROC > 0.5 always means that the hypothesis holds. p_global covers
    both directions because both are among the rows.

    Args:
        scores: float16, float32 or float64 (M, N); ties are exact.
        design: of the N images.
        permutations: relabellings; above :data:`null.PERMUTE_UP_TO` units of a numerous design,
            p_global is that of the smallest p under a Gaussian copula.

    Raises:
        ValueError: a score is NaN (rows are named), or the shapes do not fit.
    """
    matrix, _ = checked(scores, design.is_a)
    if not len(matrix):
        return TestStatistics.empty(design)
    if design.paired:
        return paired.test(matrix, design, permutations=permutations, rng=rng)
    found = measure(matrix, design)
    p, p_global = _p_values(found, permutations, rng)
    ci = logit_interval(found.area, found.se, found.df, found.units)
    return TestStatistics(
        auroc=found.area,
        ci=ci,
        p_value=p,
        q_value=benjamini_hochberg(p),
        p_global=p_global,
        auroc_plain=found.plain,
        auroc_shrunk=shrunken(found.area, ci),
        se=found.se,
        df=found.df,
        correlation=found.correlation,
        icc=found.icc,
        attainable_p=found.relabelling.attainable_p,
        design=design,
    )


def compare(
    scores: npt.ArrayLike,
    is_a: npt.ArrayLike,
    *,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> TestStatistics:
    """:func:`test` of independent images; ``is_a`` bool (N,)."""
    return test(scores, Design(np.asarray(is_a)), permutations=permutations, rng=rng)


def _p_values(
    found: Measured, permutations: int, rng: np.random.Generator
) -> tuple[FloatArray, float]:
    """p of every hypothesis (M,) and of all together."""
    tails = larger_tail(found.area, found.null_variance, found.se, found.df, found.continuity)
    if not found.strata:  # too many units to relabel
        p = np.where(found.rare, two_valued_p(found.binary, tails), tails)
        return p, smallest_p(p, found.correlation, rng)
    counted = found.rare | (min(found.units) < FEW)
    relabelled = Relabelled(found.strata, counted)
    t = _studentised(found, relabelled, counted, tails)
    if counted.any():
        work = len(t) * len(found.relabelling.block) * permutations
        permutations = int(permutations * min(10.0, max(1.0, _MOST_WORK / work)))
    share, reached, p_global = _shares(found, relabelled, counted, t, permutations, rng)
    exact = found.relabelling.exhaustive(permutations)
    rough = (reached < COUNTED) & (not exact)
    p = np.where(rough, np.clip(tails, found.relabelling.attainable_p, share), share)
    p = np.where(found.rare, p, np.maximum(p, tails))
    p = np.where(counted, two_valued_p(found.binary, p), tails)
    return np.where(_varies(found), p, 1.0), p_global


def _studentised(
    found: Measured, relabelled: Relabelled, counted: BoolArray, tails: FloatArray
) -> FloatArray:
    """T (M,) by the largest standard error of each hypothesis; raises ``tails`` where spreads are
    plainly unequal."""
    error = np.sqrt(found.null_variance)
    own = relabelled(found.relabelling.observed)[1][:, 0]
    error[counted] = np.maximum(error[counted], np.sqrt(own))
    # A larger error is the safer one only where there is something to be sure of.
    error = np.where(found.area > 0.5, np.maximum(error, found.se), error)
    t = np.where(_varies(found), (found.area - 0.5) / np.maximum(error, _NOTHING), 0.0)
    if found.spread is not None:
        wide = found.spread.plain & ~found.rare
        tails[wide] = np.maximum(tails[wide], found.spread.tail(found.area)[wide])
        t[wide] = np.minimum(t[wide], [normal.quantile_upper(p) for p in tails[wide].tolist()])
    return t


def _varies(found: Measured) -> BoolArray:
    """(M,) relabelling changes the AUROC: scores differ, and units can be relabelled."""
    return np.asarray(np.sqrt(found.null_variance) > _NOTHING)


def _shares(
    found: Measured,
    relabelled: Relabelled,
    counted: BoolArray,
    t: FloatArray,
    permutations: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, float]:
    """Share of relabellings that reach T (M,), how many do, and the share whose largest T does."""
    null_sd = np.sqrt(found.null_variance)[:, None]
    reached, by_largest, total = np.zeros(len(t)), 0, 0
    slack = 1e-9 if found.strata[0].inside.dtype == np.float64 else 2e-5
    for labels in found.relabelling.draws(permutations, rng):
        effects, variance = relabelled(labels)
        errors = np.repeat(null_sd, labels.count, axis=1)
        errors[counted] = np.maximum(errors[counted], np.sqrt(variance))
        drawn = np.where(errors > _NOTHING, effects / np.maximum(errors, _NOTHING), 0.0)
        reached += (drawn >= t[:, None] - slack).sum(axis=1)
        by_largest += int((drawn.max(axis=0) >= t.max() - slack).sum())
        total += labels.count
    own = 0 if found.relabelling.exhaustive(permutations) else 1  # the one observed, if not drawn
    return (own + reached) / (own + total), reached, (own + by_largest) / (own + total)
