"""Cross-fitting: each half is what the other's texts are tested on, and the two tests are one."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.interval import logit_interval
from visdiff_local.stats.multiplicity import benjamini_hochberg
from visdiff_local.stats.shrinkage import shrunken
from visdiff_local.stats.statistics import TestStatistics
from visdiff_local.stats.ties import FloatArray


def combine_folds(
    first: TestStatistics,
    second: TestStatistics,
    rows: npt.ArrayLike,
) -> TestStatistics:
    """Cross-fitting: the tests of two folds, whose images are each other's explore half, as one.

    A text that only one fold proposed keeps its held-out figures. Of one that both proposed, the
    AUROC is the mean of the two, and p twice the smaller (Bonferroni), which holds however the two
    depend on each other. A sum of the two z would be stronger and wrong: that the other fold
    proposed the text too is known from the very images that this fold tests it on. ``p_global`` is
    Bonferroni's over the folds.

    Args:
        rows: int (K, 2), the row of each text in the first and in the second fold; −1 where that
            fold did not propose it.

    Raises:
        ValueError: a text that is in neither fold.
    """
    at = np.asarray(rows, np.int64).reshape(-1, 2)
    there = at >= 0
    if not there.any(axis=1).all():
        raise ValueError("every text must have been tested in one fold at least")
    folds = (first, second)

    def of(name: str) -> FloatArray:
        """(K, 2), and what is missing is NaN."""
        table = np.full(at.shape, np.nan)
        for fold, each in enumerate(folds):
            values = getattr(each, name)
            table[there[:, fold], fold] = values[at[there[:, fold], fold]]
        return table

    tested = there.sum(axis=1)
    area = np.nansum(of("auroc"), axis=1) / tested
    variance = np.nansum(of("se") ** 2, axis=1) / tested**2
    df = np.nansum(of("se") ** 4 / of("df"), axis=1) / tested**4
    df = np.where(df > 0, variance**2 / np.where(df > 0, df, 1.0), np.inf)
    p = np.minimum(1.0, tested * np.nanmin(of("p_value"), axis=1, initial=1.0))
    ran = [fold for fold in folds if len(fold.auroc)]
    se = np.sqrt(variance)
    ci = _combined_interval(area, se, np.maximum(df, 1.0), folds, at)
    plain = [fold.auroc_plain is not None for fold in ran]
    return TestStatistics(
        auroc=area,
        ci=ci,
        p_value=p,
        q_value=benjamini_hochberg(p),
        p_global=min(1.0, len(ran) * min((f.p_global for f in ran), default=1.0)),
        auroc_plain=np.nansum(of("auroc_plain"), axis=1) / tested if all(plain) and ran else None,
        auroc_shrunk=shrunken(area, ci),
        se=se,
        df=np.maximum(df, 1.0),
        correlation=_combined_correlation(folds, at, se),
        icc=_mean_known([fold.icc for fold in ran]),
        attainable_p=max((fold.attainable_p for fold in ran), default=0.0),
        design=ran[0].design if ran else first.design,
    )


def _combined_interval(
    area: FloatArray,
    se: FloatArray,
    df: FloatArray,
    folds: tuple[TestStatistics, TestStatistics],
    at: npt.NDArray[np.int64],
) -> FloatArray:
    """The fold's own interval where there is one, that of the mean where there are two."""
    ci = np.empty((len(at), 2))
    both = (at >= 0).all(axis=1)
    for fold, each in enumerate(folds):
        alone = (at[:, fold] >= 0) & ~both
        ci[alone] = each.ci[at[alone, fold]]
    ci[both] = logit_interval(area[both], se[both], df[both], (2, 2))
    edge = both & ((area <= 0) | (area >= 1) | (se == 0))
    for row in np.flatnonzero(edge):  # the narrower fold's would claim too much, the wider is safe
        each_ci = np.stack([f.ci[at[row, k]] for k, f in enumerate(folds)])
        ci[row] = each_ci[:, 0].min(), each_ci[:, 1].max()
    return ci


def _combined_correlation(
    folds: tuple[TestStatistics, TestStatistics], at: npt.NDArray[np.int64], se: FloatArray
) -> FloatArray | None:
    """Of the errors of the means: the halves are independent of each other."""
    covariance = np.zeros((len(at), len(at)))
    share = 1 / (at >= 0).sum(axis=1)
    for fold, each in enumerate(folds):
        mine = np.flatnonzero(at[:, fold] >= 0)
        if not len(mine):
            continue
        if each.correlation is None or each.se is None:
            return None
        rows = at[mine, fold]
        error = each.se[rows] * share[mine]
        covariance[np.ix_(mine, mine)] += each.correlation[np.ix_(rows, rows)] * np.outer(
            error, error
        )
    scale = np.where(se > 0, se, 1.0)
    correlation: FloatArray = covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _mean_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
