"""Intervals for benchmark tables: scores of pairs of sets, each run with several seeds."""

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.interval import LEVEL
from visdiff_local.stats.ties import FloatArray

_CELLS_AT_ONCE = 1 << 22


def paired_bootstrap(
    values_by_pair: npt.ArrayLike, rng: np.random.Generator, n: int = 10_000
) -> tuple[float, float, float]:
    """Mean of values (pairs, seeds) or (pairs,), and its 95% interval: (mean, low, high).

    Percentile bootstrap over pairs. A pair's seeds stay together: they share its images, and
    counting them one by one would pretend to more evidence than there is.

    Raises:
        ValueError: there is no pair, or a value is NaN.
    """
    means = _pair_means(values_by_pair)
    low, high = np.quantile(_resampled(means, rng, n), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(means.mean()), float(low), float(high)


def paired_bootstrap_difference(
    values: npt.ArrayLike, others: npt.ArrayLike, rng: np.random.Generator, n: int = 10_000
) -> tuple[float, float, float]:
    """Mean of ``values`` − ``others`` over the same pairs, and its 95% interval.

    Each (pairs, seeds) or (pairs,), row by row the same pairs; the numbers of seeds may differ.

    Raises:
        ValueError: the pairs differ in number, there is none, or a value is NaN.
    """
    ours, theirs = _pair_means(values), _pair_means(others)
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} pairs against {len(theirs)}: they must be the same pairs")
    return paired_bootstrap(ours - theirs, rng, n)


def _pair_means(values: npt.ArrayLike) -> FloatArray:
    table = np.asarray(values, np.float64)
    if table.size == 0 or np.isnan(table).any():
        raise ValueError("the bootstrap needs a value for every pair, and no NaN")
    means: FloatArray = table.reshape(len(table), -1).mean(axis=1)
    return means


def _resampled(means: FloatArray, rng: np.random.Generator, n: int) -> FloatArray:
    """Means of n resamples of the pairs: (n,)."""
    step = max(1, _CELLS_AT_ONCE // len(means))
    parts = []
    for start in range(0, n, step):
        drawn = rng.integers(0, len(means), (min(step, n - start), len(means)))
        parts.append(means[drawn].mean(axis=1))
    return np.concatenate(parts)
