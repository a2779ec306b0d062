"""How often a hypothesis holds in a set: a threshold chosen on one half, a share on the other."""

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.interval import wilson
from visdiff_local.stats.ties import FloatArray, checked, refuse_nan


def choose_threshold(scores: npt.ArrayLike, is_a: npt.ArrayLike) -> FloatArray:
    """The threshold (M,) that tells A from B best (Youden's J), from scores (M, N) of one half.

    "Holds" is ``score >= threshold``; the threshold lies midway between two neighbouring scores.
    Use it on the other half only: on this one the shares would be flattered.

    Raises:
        ValueError: as :func:`auroc`.
    """
    matrix, labels = checked(scores, is_a)
    n_a, n_b = int(labels.sum()), int((~labels).sum())
    order = np.argsort(matrix, axis=1)
    ordered = np.take_along_axis(matrix, order, axis=1).astype(np.float64)
    steps = np.where(labels[order], -1.0 / n_a, 1.0 / n_b)
    youden = np.cumsum(steps, axis=1) - steps  # with the cut just below each score
    youden[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = -np.inf
    rows, cut = np.arange(len(matrix)), np.argmax(youden, axis=1)
    above, below = ordered[rows, cut], ordered[rows, np.maximum(cut - 1, 0)]
    with np.errstate(invalid="ignore"):  # −inf + inf
        middle = below / 2 + above / 2
    threshold: FloatArray = np.where(middle > below, middle, above)
    return threshold


def prevalence(scores: npt.ArrayLike, threshold: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Share of a set's images (M, n) that reach the threshold (M,): shares (M,), 95% ci (M, 2).

    Raises:
        ValueError: a score is NaN, or there is no image.
    """
    matrix = np.atleast_2d(np.asarray(scores))
    if matrix.shape[1] == 0:
        raise ValueError("prevalence needs an image")
    refuse_nan(matrix)
    reached = (matrix >= np.asarray(threshold, np.float64).reshape(-1, 1)).sum(axis=1)
    return reached / matrix.shape[1], wilson(reached, matrix.shape[1])
