"""What follows from a stronger text of the same part is no finding of its own.

In fog a road is all that can be seen, and "a road" fits such images better than others. So a text
that would be confirmed is tested once more with the scores of the stronger confirmed texts of its
part held fixed: what a least-squares line through them leaves of its own scores (on the validate
half, within strata) must still tell the sets apart. Where it does not, the text is ``redundant``.

Two texts that both tell the sets apart (nearly) without fail cannot be held against each other, and
both stand.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visdiff_local.comparisons.plan import Part, Plan
from visdiff_local.comparisons.table import BoolArray, Labels, Table
from visdiff_local.comparisons.testing import Tested, along_order, in_part
from visdiff_local.config import RunConfig
from visdiff_local.protocols import FloatArray

WITHOUT_FAIL = 0.97
"""AUROC from which a text follows from no other."""
MOST = 8
"""Stronger texts that are held fixed at once."""


def redundant(
    one: Tested,
    sure: BoolArray,
    scores: FloatArray,
    table: Table,
    plan: Plan,
    part: Part,
    clusters: Labels,
    explore: BoolArray,
    config: RunConfig,
) -> dict[int, int]:
    """Rows of ``sure`` (M,) that follow from a stronger one, each with the row of that one.

    Args:
        one: all texts in this part, or along the order of the plan.
        scores: (M, N), NaN on the explore half.
    """
    order = sorted(np.flatnonzero(sure).tolist(), key=lambda row: (-one.area[row], row))
    rng = np.random.default_rng([config.seed, 3])
    strata = plan.strata if plan.order is not None else part.strata
    if plan.order is not None:
        used = ~explore & ~np.isnan(plan.order)
    else:
        used = (part.a | part.b) & ~explore

    def test(values: FloatArray) -> Tested:
        if plan.order is not None:
            return along_order(plan, values, clusters, explore, config, rng)
        return in_part(part, values, table, clusters, explore, config, rng)

    held: list[int] = []
    found: dict[int, int] = {}
    for row in order:
        if held and one.area[row] < WITHOUT_FAIL:
            left = _left(scores[row], scores[held[:MOST]], used, strata)
            if not _holds(test(left[None]), one, row, config):
                found[row] = _nearest(scores, row, held, used)
                continue
        held.append(row)
    return found


def _holds(alone: Tested, one: Tested, row: int, config: RunConfig) -> bool:
    same_way = bool(alone.leans_to_a[0] == one.leans_to_a[row])
    return bool(same_way and alone.p_value[0] <= config.alpha and alone.ci[0, 0] > config.floor)


def _left(
    own: FloatArray, others: FloatArray, used: BoolArray, strata: Labels | None
) -> FloatArray:
    """Scores (N,) less what a line through others' (K, N) says of them; NaN where not used."""
    at = np.flatnonzero(used)
    columns = _centred(
        np.concatenate([own[None, at], others[:, at]]).astype(np.float64), at, strata
    )
    slopes = np.linalg.lstsq(columns[1:].T, columns[0], rcond=None)[0]
    left = np.full(len(own), np.nan, np.float32)
    left[at] = columns[0] - slopes @ columns[1:]
    return left


def _centred(
    rows: npt.NDArray[np.float64], at: npt.NDArray[np.int64], strata: Labels | None
) -> npt.NDArray[np.float64]:
    labels = ["" if strata is None else strata[i] or "" for i in at]
    for label in set(labels):
        mine = np.array([other == label for other in labels])
        rows[:, mine] -= rows[:, mine].mean(axis=1, keepdims=True)
    return rows


def _nearest(scores: FloatArray, row: int, held: Sequence[int], used: BoolArray) -> int:
    """Of those held fixed, the one whose scores go most with this row's."""
    own = scores[row, used]
    return max(
        held[:MOST], key=lambda other: abs(float(np.corrcoef(own, scores[other, used])[0, 1]))
    )
