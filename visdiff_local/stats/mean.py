"""The mean of one group's scores, and how sure it is where images belong together."""

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.design import Codes, codes
from visdiff_local.stats.student import t_quantile

_UPPER = 0.975


def mean_interval(
    values: npt.ArrayLike, clusters: Codes | None = None
) -> tuple[float, float, float]:
    """The mean of scores (n,) and the ends of its 95 % interval; NaN scores are left out.

    What images of a cluster differ from the mean by is added up before it is squared (Liang &
    Zeger 1986, of a mean), so that a cluster is one witness; Student's t with one degree of freedom
    fewer than there are clusters. With one image a cluster it is the usual interval of a mean. The
    ends are NaN where there are fewer than two clusters, for then nothing tells how sure it is.

    Args:
        clusters: a value an image (n,), or None for an image that belongs to no other.
    """
    scores = np.asarray(values, np.float64)
    known = ~np.isnan(scores)
    scores = scores[known]
    if not len(scores):
        return (np.nan,) * 3
    mean = float(scores.mean())
    groups = np.full(len(known), -1) if clusters is None else codes(clusters)
    groups = groups[known]
    alone = groups < 0
    groups[alone] = groups.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    sums = np.bincount(groups, weights=scores - mean)[np.unique(groups)]
    count = len(sums)
    if count < 2:
        return mean, np.nan, np.nan
    error = float(np.sqrt((sums**2).sum() * count / (count - 1))) / len(scores)
    reach = error * float(t_quantile(_UPPER, np.array([count - 1.0]))[0])
    return mean, mean - reach, mean + reach
