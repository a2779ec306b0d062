"""Estimates drawn together: the largest of many is large by luck too, and less so when shrunken."""

import numpy as np

from visdiff_local.stats.interval import expit, logit
from visdiff_local.stats.normal import quantile
from visdiff_local.stats.ties import FloatArray

FEWEST = 4
"""Of fewer hypotheses nothing is shrunken: the others say too little."""


def shrunken(area: FloatArray, ci: FloatArray) -> FloatArray:
    """AUROCs (M,) as an empirical Bayes estimate sees them: (M,).

    Each true logit is taken for a draw from one normal distribution, whose mean and spread are
    estimated from all M (DerSimonian & Laird's moments), and each estimate moves towards the mean
    by the share of its variance that is noise (Morris 1983).

    Args:
        ci: (M, 2) 95% intervals, whose length on the logit scale gives each one's noise.
    """
    if len(area) < FEWEST:
        return area.copy()
    low, high = np.clip(ci, 1e-9, 1 - 1e-9).T
    noise = ((logit(high) - logit(low)) / (2 * quantile(0.975))) ** 2
    noise = np.maximum(noise, 1e-12)
    value = np.clip(logit(np.clip(area, 1e-9, 1 - 1e-9)), logit(low), logit(high))
    weight = 1 / noise
    centre = (weight * value).sum() / weight.sum()
    spare = (weight * (value - centre) ** 2).sum() - (len(value) - 1)
    spread = max(0.0, spare / (weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (noise + spread)
    centre = (weight * value).sum() / weight.sum()
    kept = 1 - (len(value) - 3) / (len(value) - 1) * noise / (noise + spread)
    drawn: FloatArray = expit(centre + kept * (value - centre))
    return drawn
