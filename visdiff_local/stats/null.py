"""How large the largest AUROC of many hypotheses gets when the labels mean nothing."""

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.ties import BoolArray, FloatArray

PERMUTE_UP_TO = 20_000
"""Above this many images, the Gaussian limit stands in for permutation."""

GAUSSIAN_DRAWS = 10_000

Ranks = npt.NDArray[np.float32]
"""float32 (M, N): 2 · mid-rank − (N + 1), see :func:`ties.each_block`."""

# Sums of such ranks are exact in float32 up to N ≈ 5,700. Beyond, this much is given away to
# rounding: 1/4000 of the null's standard deviation at N = 20,000, on the cautious side.
_SLACK = 1e-6

_PERMUTATIONS_AT_ONCE = 256


def permutation_p(
    largest: float, ranks: Ranks, is_a: BoolArray, permutations: int, rng: np.random.Generator
) -> float:
    """Chance of a largest AUROC of ``largest`` or more under permuted labels, (1 + k) / (1 + n)."""
    n_a = int(is_a.sum())
    unit = 2.0 * n_a * (len(is_a) - n_a)
    reached = 0
    for start in range(0, permutations, _PERMUTATIONS_AT_ONCE):
        count = min(_PERMUTATIONS_AT_ONCE, permutations - start)
        labels = random_labels(len(is_a), n_a, count, rng)
        sums = ranks @ labels.astype(np.float32).T
        reached += int((0.5 + sums.max(axis=0) / unit >= largest - _SLACK).sum())
    return (1 + reached) / (1 + permutations)


def random_labels(n: int, chosen: int, count: int, rng: np.random.Generator) -> BoolArray:
    """Bool (count, n): rows are independent, uniform among all subsets of ``chosen`` images.

    Independent coin flips, then random images flipped back until the number is right: uniform by
    symmetry, and several times faster than shuffling each row.
    """
    # Rounded so that the flips back are mostly of the labels that are in the majority.
    threshold = 256 * chosen // n if 2 * chosen <= n else -(-256 * chosen // n)
    # Whole words are drawn five times faster than bytes.
    words = rng.integers(1 << 64, size=-(-count * n // 8), dtype=np.uint64)
    labels = words.view(np.uint8)[: count * n].reshape(count, n) < threshold
    for row in labels:
        while surplus := int(np.count_nonzero(row)) - chosen:
            drawn = rng.integers(n, size=2 * abs(surplus) + 8)
            flipped = drawn[row[drawn] == (surplus > 0)][: abs(surplus)]
            row[flipped] = surplus < 0  # once where one was drawn twice: hence the loop
    return labels


def null_covariance(ranks: Ranks, n_a: int) -> FloatArray:
    """Covariance of the AUROCs under permuted labels: (M, M), that of sampling without replacement.

    Its correlation is the rank correlation (Spearman's, with mid-ranks) of the score vectors.
    """
    n = ranks.shape[1]
    products = (ranks @ ranks.T).astype(np.float64)
    covariance: FloatArray = products / (4.0 * n_a * (n - n_a) * n * (n - 1.0))
    return covariance


def gaussian_p(largest: float, covariance: FloatArray, rng: np.random.Generator) -> float:
    """As :func:`permutation_p`, with the AUROCs multivariate normal, which large sets come to.

    Resolution 1 / (1 + :data:`GAUSSIAN_DRAWS`).
    """
    spread, axes = np.linalg.eigh(covariance)
    root = axes * np.sqrt(np.maximum(spread, 0.0))  # equal hypotheses make it singular
    draws = rng.standard_normal((GAUSSIAN_DRAWS, len(covariance))) @ root.T
    reached = int((0.5 + draws.max(axis=1) >= largest).sum())
    return (1 + reached) / (1 + GAUSSIAN_DRAWS)
