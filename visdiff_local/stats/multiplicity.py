"""What survives asking many questions at once: q, and intervals of those chosen for being large."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.interval import LEVEL, expit, logit, logit_interval, wilson
from visdiff_local.stats.normal import normal_cdf, quantile
from visdiff_local.stats.null import largest_normal
from visdiff_local.stats.statistics import TestStatistics
from visdiff_local.stats.ties import FloatArray


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """The smallest false-discovery rate at which each p (M,) is rejected (step-up): (M,)."""
    p = np.asarray(p_values, np.float64)
    # scipy.stats has this too, and half a second of every run would go into importing it.
    falling = np.argsort(p)[::-1]
    rates = p[falling] * len(p) / np.arange(len(p), 0, -1)
    q = np.empty_like(p)
    q[falling] = np.minimum.accumulate(rates)
    return q


def across_families(
    families: Sequence[npt.ArrayLike], alpha: float, family_p: npt.ArrayLike | None = None
) -> list[FloatArray]:
    """q within each of several families of hypotheses, for families that were selected first.

    Benjamini & Bogomolov 2014 ("Selective inference on multiple families of hypotheses"): of F
    families, R are selected by Benjamini–Hochberg at ``alpha`` on one p each, and within those a q
    counts F / R times; then the expected mean false-discovery rate of the selected is below
    ``alpha``. q of a family that is not selected is 1.

    Args:
        families: p (M,) of each.
        family_p: of each family; None: Simes' (1986), which is the family's least q.
    """
    ps = [np.asarray(p, np.float64) for p in families]
    own = [benjamini_hochberg(p) for p in ps]
    if family_p is None:
        family_p = [float(q.min(initial=1.0)) for q in own]
    selected = benjamini_hochberg(family_p) <= alpha
    factor = len(ps) / max(1, int(selected.sum()))
    return [
        np.minimum(1.0, q * factor) if chosen else np.ones_like(q)
        for q, chosen in zip(own, selected, strict=True)
    ]


def shown_intervals(
    found: TestStatistics,
    confirmed: npt.ArrayLike,
    rng: np.random.Generator,
    first: int | None = None,
) -> FloatArray:
    """Intervals (M, 2) to show, which own up to how the hypotheses were chosen.

    The one ranked first: :func:`interval_of_the_first`. Other confirmed ones: level 1 − R·α / M, R
    of M being confirmed (false coverage rate: Benjamini & Yekutieli 2005). The rest as they are.

    Args:
        confirmed: bool (M,).
        first: the row ranked first, if it is first for its AUROC; None: the largest AUROC.
    """
    chosen = np.asarray(confirmed, np.bool_)
    shown = found.ci.copy()
    if not len(chosen):
        return shown
    if chosen.any():
        level = 1 - (1 - LEVEL) * chosen.sum() / len(chosen)
        shown[chosen] = interval_at(found, level)[chosen]
    best = int(np.argmax(found.auroc)) if first is None else first
    shown[best] = interval_of_the_first(found, rng, best)
    return shown


def interval_at(found: TestStatistics, level: float) -> FloatArray:
    """Intervals (M, 2) of another level than 95%, made as ``found.ci`` was."""
    assert found.se is not None
    assert found.df is not None
    design = found.design
    if design is not None and design.paired:
        spread = found.auroc * (1 - found.auroc)
        known = found.se > 0
        n = np.where(known, spread / np.where(known, found.se, 1.0) ** 2, design.n_pairs)
        return wilson(found.auroc * n, n, level)
    units = (2, 2) if design is None else (design.clusters_a, design.clusters_b)
    return logit_interval(found.auroc, found.se, found.df, units, level)


def simultaneous_intervals(
    found: TestStatistics, rng: np.random.Generator, level: float = LEVEL
) -> FloatArray:
    """Intervals (M, 2) that cover all M truths together with this probability: the quantile of the
    largest of M correlated normals (max-T: Hothorn, Bretz & Westfall 2008)."""
    assert found.correlation is not None
    reach = np.quantile(largest_normal(found.correlation, rng, absolute=True), level)
    return interval_at(found, 2 * float(normal_cdf(float(reach))) - 1)


_HYBRID = 0.1
"""The part of 1 − level that goes into keeping the interval of the first near its estimate."""


def interval_of_the_first(
    found: TestStatistics, rng: np.random.Generator, best: int | None = None, level: float = LEVEL
) -> FloatArray:
    """Interval (2,) of the largest AUROC of M, given that it came out largest.

    Andrews, Kitagawa & McCloskey 2024, "Inference on winners", hybrid: on the logit scale the
    estimates are normal with the correlation of their errors; given that this one is the largest,
    and what of the others is independent of it, its own estimate is a truncated normal; and the
    truth is held to lie within a simultaneous interval of a much higher level, which keeps the
    result short where two estimates are close. Covers ``level`` whatever the truths are; the usual
    interval of the best of forty covers 75 to 79 of 100.

    That collapses to a point where two estimates tie, as AUROCs of few images do. Where it is
    shorter than the usual interval, it is widened by the simultaneous one of ``level``; and where
    the sets are apart altogether, which is no normal estimate, Bonferroni's takes its place.
    """
    best = int(np.argmax(found.auroc)) if best is None else best
    if len(found.auroc) == 1 or found.correlation is None:
        return np.asarray(found.ci[best])
    beta = (1 - level) * _HYBRID
    value, error = _on_logits(found)
    if not (error[best] > 0 and 0 < found.auroc[best] < 1):
        return np.asarray(interval_at(found, 1 - (1 - level) / len(found.auroc))[best])
    draws = largest_normal(found.correlation, rng, absolute=True)
    largest, together = np.quantile(draws, (1 - beta, level))
    slope = found.correlation[best] * error / error[best]
    rest = value - slope * value[best]
    slack = 1 - slope
    slack[best] = 0.0
    below, above = slack > 1e-9, slack < -1e-9
    low = float((rest[below] / slack[below]).max(initial=-np.inf))
    high = float((rest[above] / slack[above]).min(initial=np.inf))
    low, high = min(low, value[best]), max(high, value[best])
    sd, tail = float(error[best]), ((1 - level) - beta) / (1 - beta) / 2
    reach = float(largest) * sd

    def share(truth: float) -> float:
        """P(an estimate below this one), given what is known and this truth."""
        ends = max(low, truth - reach), min(high, truth + reach)
        at = [(min(max(x, ends[0]), ends[1]) - truth) / sd for x in (*ends, value[best])]
        # Above the mean upper tails are taken, which alone differ far out.
        floor, top, here = (-normal_cdf(-x) if at[0] > 0 else normal_cdf(x) for x in at)
        return (here - floor) / (top - floor) if top > floor else float(at[2] >= at[1])

    bounds = []
    for wanted in (1 - tail, tail):  # the share falls as the truth rises
        outer = [float(value[best]) - reach, float(value[best]) + reach]
        for _ in range(60):
            middle = sum(outer) / 2
            outer[0 if share(middle) > wanted else 1] = middle
        bounds.append(sum(outer) / 2)
    given = expit(np.array(bounds))
    low, high = found.ci[best]
    if given[1] - given[0] < high - low:
        around = expit(value[best] + sd * float(together) * np.array([-1.0, 1.0]))
        given = np.array([min(given[0], around[0]), max(given[1], around[1])])
    return np.asarray(given)


def _on_logits(found: TestStatistics) -> tuple[FloatArray, FloatArray]:
    """Logit (M,) of each AUROC, and its error: what makes the normal interval as long as ``ci``."""
    low, high = logit(np.clip(found.ci, 1e-9, 1 - 1e-9)).T
    error = (high - low) / (2 * quantile(0.5 + LEVEL / 2))
    return logit(np.clip(found.auroc, 1e-9, 1 - 1e-9)), error
