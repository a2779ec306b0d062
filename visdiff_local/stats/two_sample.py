"""Many hypotheses together: what each one's scores say, and what survives asking many questions."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.multiplicity import benjamini_hochberg
from visdiff_local.stats.null import PERMUTE_UP_TO, gaussian_p, null_covariance, permutation_p
from visdiff_local.stats.separation import separation
from visdiff_local.stats.ties import FloatArray, checked, each_block


@dataclass(frozen=True, slots=True, eq=False)
class TestStatistics:
    """Statistics of M hypotheses over the same images, each oriented to its own direction."""

    __test__: ClassVar[bool] = False  # no class of tests, whatever pytest makes of the name

    auroc: FloatArray
    """(M,) in [0, 1]; above 0.5 where the scores agree with the hypothesis."""
    ci: FloatArray
    """(M, 2) 95% interval of the AUROC."""
    p_value: FloatArray
    """(M,) one-sided."""
    q_value: FloatArray
    """(M,) Benjamini–Hochberg over these M."""
    p_global: float
    """Chance of so large a largest AUROC when there is no difference at all."""


def compare(
    scores: npt.ArrayLike,
    is_a: npt.ArrayLike,
    *,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> TestStatistics:
    """AUROC, 95% interval, p, q for every hypothesis and the global p of DESIGN, "Statistics".

    A high score must mean "more true of A": **the caller negates the rows of hypotheses whose
    direction is b**, and then AUROC > 0.5 always means that the hypothesis holds. p_global covers
    both directions because both are among the rows.

    Args:
        scores: float16, float32 or float64 (M, N); ties are exact.
        is_a: bool (N,).
        permutations: of the labels, for p_global; above :data:`PERMUTE_UP_TO` images its Gaussian
            limit is drawn from instead.

    Raises:
        ValueError: a score is NaN (rows are named), a set is empty, or the shapes do not fit.
    """
    matrix, labels = checked(scores, is_a)
    ranks = np.empty(matrix.shape, np.float32)
    parts = each_block(separation, matrix, labels, ranks)
    if not parts:
        return TestStatistics(np.zeros(0), np.zeros((0, 2)), np.zeros(0), np.zeros(0), 1.0)
    area, ci, p = (np.concatenate(column) for column in zip(*parts, strict=True))
    largest = float(area.max())
    if len(labels) > PERMUTE_UP_TO:
        p_global = gaussian_p(largest, null_covariance(ranks, int(labels.sum())), rng)
    else:
        p_global = permutation_p(largest, ranks, labels, permutations, rng)
    return TestStatistics(area, ci, p, benjamini_hochberg(p), p_global)
