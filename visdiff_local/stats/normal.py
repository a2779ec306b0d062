"""The normal distribution, without scipy: a quarter of a second of every run would go into
importing ``scipy.special`` for these two functions."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def upper_tail(z: FloatArray) -> FloatArray:
    """P(Z ≥ z) of each element, accurate far out in the tail too."""
    tails = [0.5 * math.erfc(value / math.sqrt(2)) for value in z.ravel().tolist()]
    return np.array(tails, np.float64).reshape(z.shape)


def quantile(p: float) -> float:
    """z with P(Z ≤ z) = p, for p between 0 and 1, both excluded."""
    return NormalDist().inv_cdf(p)


def quantile_upper(p: float) -> float:
    """z with P(Z ≥ z) = p, accurate for tiny p too; infinite at 0 and 1."""
    if p <= 0 or p >= 1:
        return math.inf if p <= 0 else -math.inf
    return -NormalDist().inv_cdf(p) if p > 1e-300 else 38.0


def normal_cdf(z: float) -> float:
    """P(Z ≤ z), accurate far out in the lower tail."""
    return 0.5 * math.erfc(-z / math.sqrt(2))
