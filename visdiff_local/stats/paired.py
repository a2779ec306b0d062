"""Paired images (``--paired-by``): the same scene, product or patient once in A and once in B."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.multiplicity import benjamini_hochberg
from visdiff_local.stats.normal import upper_tail
from visdiff_local.stats.prevalence import wilson
from visdiff_local.stats.separation import Alternative
from visdiff_local.stats.ties import FloatArray, refuse_nan
from visdiff_local.stats.two_sample import TestStatistics

EXACT_PAIRS = 50
"""Up to this many pairs the signed-rank p is exact."""

_FLIPS_AT_ONCE = 256


def compare_paired(
    scores_a: npt.ArrayLike,
    scores_b: npt.ArrayLike,
    *,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> TestStatistics:
    """As :func:`compare`, within pairs.

    ``auroc`` is here the chance that in a pair the image of A scores higher, ties counting half,
    with Wilson's interval; ``p_value`` is Wilcoxon's signed-rank test, one-sided, zeros kept in the
    ranking (Pratt 1959); ``p_global`` takes the largest standardised signed-rank sum against its
    distribution when the two images of a pair trade places at random.

    Args:
        scores_a: float (M, n), column j paired with column j of ``scores_b``. Rows of direction b
            are negated by the caller.

    Raises:
        ValueError: a score is NaN (rows are named), there is no pair, or the shapes differ.
    """
    signed = _signed_ranks(scores_a, scores_b)
    pairs = signed.shape[1]
    wins = (signed > 0).sum(axis=1) + 0.5 * (signed == 0).sum(axis=1)
    p = _signed_rank_p(signed)
    return TestStatistics(
        auroc=wins / pairs,
        ci=wilson(wins, pairs),
        p_value=p,
        q_value=benjamini_hochberg(p),
        p_global=_sign_flip_p(signed, permutations, rng) if len(p) else 1.0,
    )


def wilcoxon_p(
    scores_a: npt.ArrayLike, scores_b: npt.ArrayLike, *, alternative: Alternative = "greater"
) -> FloatArray:
    """Wilcoxon's signed-rank p (M,), as in :func:`compare_paired`. Two-sided: twice the smaller.

    Raises:
        ValueError: as :func:`compare_paired`.
    """
    signed = _signed_ranks(scores_a, scores_b)
    p = _signed_rank_p(signed)
    if alternative == "greater":
        return p
    twice: FloatArray = 2 * np.minimum(p, _signed_rank_p(-signed))
    return np.minimum(1.0, twice)


def _signed_rank_p(signed: FloatArray) -> FloatArray:
    """One-sided p (M,) of signed ranks (M, n): exact up to 50 pairs, ties included, else normal."""
    sizes = np.abs(signed)
    positive = np.where(signed > 0, sizes, 0.0).sum(axis=1)
    if signed.shape[1] <= EXACT_PAIRS:
        tails = [
            _rank_sum_chances(tuple(np.sort(2 * row[row > 0]).astype(int).tolist()))[
                round(2 * float(at)) :
            ].sum()
            for row, at in zip(sizes, positive, strict=True)
        ]
        return np.minimum(np.array(tails, np.float64), 1.0)
    sd = np.sqrt((sizes**2).sum(axis=1)) / 2
    z = (positive - sizes.sum(axis=1) / 2 - 0.5) / np.where(sd > 0, sd, 1.0)
    return np.where(sd > 0, upper_tail(z), 1.0)


def _signed_ranks(scores_a: npt.ArrayLike, scores_b: npt.ArrayLike) -> FloatArray:
    """Mid-ranks of |a − b| with its sign: (M, n); zeros take part in ranking and count 0."""
    a = np.atleast_2d(np.asarray(scores_a)).astype(np.float64)
    b = np.atleast_2d(np.asarray(scores_b)).astype(np.float64)
    if a.shape != b.shape or a.shape[1] == 0:
        raise ValueError(f"paired scores need one shape and a pair at least: {a.shape}, {b.shape}")
    refuse_nan(a)
    refuse_nan(b)
    if a.size == 0:
        return a
    with np.errstate(invalid="ignore"):  # equal infinities
        differences = np.where(a == b, 0.0, a - b)
    from scipy.stats import rankdata  # half a second, which only paired runs pay

    ranks: FloatArray = rankdata(np.abs(differences), axis=1) * np.sign(differences)
    return ranks


@lru_cache(maxsize=256)
def _rank_sum_chances(doubled_ranks: tuple[int, ...]) -> FloatArray:
    """Chance of each doubled sum 0, 1, … of the ranks whose sign comes out positive by a coin."""
    chances = np.zeros(sum(doubled_ranks) + 1)
    chances[0] = 1.0
    for rank in doubled_ranks:
        chances[rank:] = (chances[rank:] + chances[: len(chances) - rank]) / 2
        chances[:rank] /= 2
    return chances


def _sign_flip_p(signed: FloatArray, permutations: int, rng: np.random.Generator) -> float:
    norms = np.sqrt((signed**2).sum(axis=1, keepdims=True))
    unit = signed / np.where(norms > 0, norms, 1.0)
    largest = unit.sum(axis=1).max() - 1e-9  # the flipped sums round otherwise than this one
    reached = 0
    for start in range(0, permutations, _FLIPS_AT_ONCE):
        count = min(_FLIPS_AT_ONCE, permutations - start)
        signs = rng.integers(0, 2, (unit.shape[1], count), np.int8) * 2.0 - 1.0
        reached += int(((unit @ signs).max(axis=0) >= largest).sum())
    return (1 + reached) / (1 + permutations)
