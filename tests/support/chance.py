"""What chance allows, for tests by simulation."""

import numpy as np
from scipy import stats as scipy_stats


def shift(area: float) -> float:
    """Standard deviations between two normal distributions that give this AUROC."""
    return float(np.sqrt(2) * scipy_stats.norm.ppf(area))


def binomial(hits: int, runs: int, rate: float) -> bool:
    """Not too many, for a rate that is at most this one."""
    return bool(hits <= scipy_stats.binom.ppf(0.9995, runs, rate))
