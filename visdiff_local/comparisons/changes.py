"""Where along an order a text changes: tested with the trends, placed as far as the data say."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.table import Labels
from visdiff_local.comparisons.testing import Tested
from visdiff_local.protocols import FloatArray
from visdiff_local.types.comparison import Change, Shape

MOST_GROUPS = 24
"""Of more groups neighbours are put together, so that each has about as many images."""
DEALINGS = 500
"""Permutations for each place that a step may have."""
MOST = 30
"""Changes that are placed, the surest first."""


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """All texts, tested for a change anywhere; ``firsts``, ``lasts``: the ends of each group that
    a cut can lie between, by name."""

    found: stats.ChangeStatistics
    at: npt.NDArray[np.int64]
    """The images that were tested, (n,) of (N,)."""
    order: npt.NDArray[np.float64]
    """(n,) the group of each."""
    firsts: tuple[str, ...]
    lasts: tuple[str, ...]

    def tested(self) -> Tested:
        """As a family of tests beside the trends."""
        m = len(self.found.p_value)
        none = np.full(m, 0.5)
        return Tested(
            none, np.tile([0.0, 1.0], (m, 1)), self.found.p_value, self.found.p_global,
            self.found.rises,
        )  # fmt: skip


def along(
    scores: FloatArray,
    study: Study,
    rng: np.random.Generator,
) -> Changes | None:
    """None where the order is a number an image and no order of groups, or there is no text."""
    plan = study.plan
    if plan.kind != "trend" or plan.order is None or not len(scores):
        return None
    at = np.flatnonzero(study.validate & ~np.isnan(plan.order))
    coarse, firsts, lasts = _together(plan.order[at], plan.values)
    if len(firsts) < 2:
        return None
    found = stats.change(
        scores[:, at],
        coarse,
        **_design(study, at),
        permutations=study.config.permutations,
        rng=rng,
    )
    return Changes(found, at, coarse, firsts, lasts)


def placed(
    changes: Changes | None,
    q: npt.NDArray[np.float64] | None,
    scores: FloatArray,
    study: Study,
) -> dict[int, Change]:
    """Of the texts whose q (M,) is small enough, where they change."""
    if changes is None or q is None:
        return {}
    surest = np.argsort(q, kind="stable")[:MOST].tolist()
    rows = [row for row in surest if q[row] <= study.config.alpha]
    return {row: _placed(changes, row, float(q[row]), scores, study) for row in rows}


def _placed(
    changes: Changes,
    row: int,
    q: float,
    scores: FloatArray,
    study: Study,
) -> Change:
    config = study.config
    kept = stats.cuts_kept(
        scores[row, changes.at],
        changes.order,
        level=1 - config.alpha,
        **_design(study, changes.at),
        permutations=min(DEALINGS, config.permutations),
        rng=np.random.default_rng([config.seed, 5, row]),
    )
    cut = int(changes.found.cut[row])
    some = np.flatnonzero(kept).tolist()
    figures = float(changes.found.p_value[row]), q, bool(changes.found.rises[row])
    ends = changes.lasts[cut], changes.firsts[cut + 1]
    if not some:
        return Change(*figures, *ends, "no step")
    shape: Shape = "anywhere" if kept.all() and len(kept) > 1 else "step"
    return Change(*figures, *ends, shape, changes.lasts[some[0]], changes.firsts[some[-1] + 1])


def _design(study: Study, at: npt.NDArray[np.int64]) -> dict[str, Labels | None]:
    grouped, strata = [study.clusters[i] for i in at], study.plan.strata
    return {
        "clusters": grouped if any(label is not None for label in grouped) else None,
        "strata": None if strata is None else [strata[i] for i in at],
    }


def _together(
    order: npt.NDArray[np.float64], values: tuple[str, ...]
) -> tuple[npt.NDArray[np.float64], tuple[str, ...], tuple[str, ...]]:
    """Groups (n,) from 0, of neighbouring values where there are many; the names of the first and
    the last value of each."""
    there, place = np.unique(order, return_inverse=True)
    if len(there) > MOST_GROUPS:
        middle = np.cumsum(np.bincount(place)) - np.bincount(place) / 2
        bins = (middle / len(order) * MOST_GROUPS).astype(np.int64)
    else:
        bins = np.arange(len(there))
    bins = np.unique(bins, return_inverse=True)[1]
    names = [values[int(value)] for value in there]
    firsts = [names[int(np.flatnonzero(bins == one)[0])] for one in range(bins.max() + 1)]
    lasts = [names[int(np.flatnonzero(bins == one)[-1])] for one in range(bins.max() + 1)]
    return bins[place].astype(np.float64), tuple(firsts), tuple(lasts)
