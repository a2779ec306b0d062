"""What survives asking many questions at once."""

import numpy as np
import numpy.typing as npt

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
