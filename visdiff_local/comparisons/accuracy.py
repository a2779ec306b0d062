"""A model's accuracy with and without a text: Table 5 of the paper, with intervals."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.comparisons.table import BoolArray
from visdiff_local.protocols import FloatArray
from visdiff_local.types.comparison import Accuracy


def accuracies(
    scores: FloatArray, right: Mapping[str, BoolArray] | None, used: BoolArray
) -> tuple[Accuracy, ...]:
    """Of every model on images whose score (N,) is above the valley between the two heaps of
    scores (:func:`valley`), and on the others. Empty where no model is compared.

    Args:
        right: (N,) by model.
        used: (N,) images that have a score.
    """
    if right is None:
        return ()
    known = used & ~np.isnan(scores)
    shows = scores >= valley(scores[known])
    found = []
    for model, is_right in right.items():
        parts = []
        for mask in (known & shows, known & ~shows):
            n, hits = int(mask.sum()), int(is_right[mask].sum())
            low, high = stats.wilson(hits, n) if n else (0.0, 1.0)
            parts.append((hits / n if n else float("nan"), (float(low), float(high)), n))
        (with_, with_ci, n_with), (without, without_ci, n_without) = parts
        found.append(Accuracy(model, with_, with_ci, without, without_ci, n_with, n_without))
    return tuple(found)


def valley(values: npt.NDArray[np.floating]) -> float:
    """The threshold that parts scores into two heaps best, by their own spread alone, so that no
    label has a say in it: Otsu 1979, "A threshold selection method from gray-level histograms"."""
    ordered = np.sort(values.astype(np.float64))
    n = len(ordered)
    if n < 2 or ordered[0] == ordered[-1]:
        return float(ordered[0]) if n else 0.0
    below = np.arange(1, n)
    total = np.cumsum(ordered)
    means = total[:-1] / below, (total[-1] - total[:-1]) / (n - below)
    between = below * (n - below) * (means[0] - means[1]) ** 2
    between[ordered[1:] == ordered[:-1]] = -1.0
    cut = int(np.argmax(between))
    return float((ordered[cut] + ordered[cut + 1]) / 2)
