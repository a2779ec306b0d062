"""The paper's own statistics, for ``--stats paper`` (Dunlap et al. 2024, section 4.2)."""

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.separation import Alternative
from visdiff_local.stats.ties import FloatArray, checked


def welch_p(
    scores: npt.ArrayLike,
    is_a: npt.ArrayLike,
    *,
    alternative: Alternative = "two-sided",
) -> FloatArray:
    """Welch's t-test of every row of scores (M, N), A against B: p (M,).

    1 where the test does not exist: one image in a set, or all scores equal. 0 where each set is
    constant and the two constants differ.

    Raises:
        ValueError: as :func:`auroc`.
    """
    matrix, labels = checked(scores, is_a)
    a, b = matrix[:, labels].astype(np.float64), matrix[:, ~labels].astype(np.float64)
    if min(a.shape[1], b.shape[1]) < 2:
        return np.ones(len(matrix))
    from scipy.stats import ttest_ind_from_stats  # half a second, which only this rule pays

    with np.errstate(invalid="ignore", divide="ignore"):  # constant sets: t is NaN or infinite
        p = ttest_ind_from_stats(
            *(a.mean(axis=1), a.std(axis=1, ddof=1), a.shape[1]),
            *(b.mean(axis=1), b.std(axis=1, ddof=1), b.shape[1]),
            equal_var=False,
            alternative=alternative,
        ).pvalue
    return np.where(np.isnan(p), _p_of_constants(a[:, 0] - b[:, 0], alternative), p)


def _p_of_constants(difference: FloatArray, alternative: Alternative) -> FloatArray:
    apart = difference > 0 if alternative == "greater" else difference != 0
    return np.where(apart, 0.0, 1.0)
