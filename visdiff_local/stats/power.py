"""How small a difference the images at hand can show."""

from collections.abc import Callable

import numpy as np

from visdiff_local.stats import normal
from visdiff_local.stats.interval import hanley_mcneil_variance
from visdiff_local.stats.separation import Z


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
