"""What follows from a stronger text of the same part is no finding of its own.

In fog a road is all that can be seen, and "a road" fits such images better than others. So a text
that would be confirmed is tested once more with the scores of the stronger confirmed texts of its
part held fixed: among images (of the validate half) that show the same of them, what a
least-squares line through their scores leaves of its own must still tell the sets apart, or rise
with the order. Where it does not, the text is ``redundant``.

Two texts that both tell the sets apart (nearly) without fail cannot be held against each other, and
both stand.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.comparisons.accuracy import valley
from visdiff_local.comparisons.plan import Part
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.table import BoolArray, Labels
from visdiff_local.comparisons.testing import Tested
from visdiff_local.protocols import FloatArray

WITHOUT_FAIL = 0.97
"""AUROC from which a text follows from no other."""
MOST = 4
"""Stronger texts that are held fixed at once."""


def redundant(
    one: Tested,
    sure: BoolArray,
    scores: FloatArray,
    part: Part,
    study: Study,
) -> dict[int, int]:
    """Rows of ``sure`` (M,) that follow from a stronger one, each with the row of that one.

    Args:
        one: all texts in this part, or along the order of the plan.
        scores: (M, N), NaN on the explore half.
    """
    plan, config = study.plan, study.config
    order = sorted(np.flatnonzero(sure).tolist(), key=lambda row: (-one.area[row], row))
    rng = np.random.default_rng([config.seed, 3])
    strata = plan.strata if plan.order is not None else part.strata
    if plan.order is not None:
        used = study.validate & ~np.isnan(plan.order)
    else:
        used = (part.a | part.b) & study.validate

    at = np.flatnonzero(used)
    place = (part.a if plan.order is None else plan.order)[at]
    both_ways = plan.order is not None or not part.one_way
    grouped = [study.clusters[i] for i in at]

    def holds(row: int) -> bool:
        """Whether something is left of it, with what is held fixed."""
        others = scores[held[:MOST]]
        shown = _showing(others, used, strata)
        left = _left(scores[row], others, at, shown)
        p = stats.linear_trend_p(
            (left if one.leans_to_a[row] else -left)[None],
            place,
            clusters=grouped if any(label is not None for label in grouped) else None,
            strata=[shown[i] for i in at],
            permutations=config.permutations,
            rng=rng,
        )
        return bool(p[0] <= (config.alpha / 2 if both_ways else config.alpha))

    held: list[int] = []
    found: dict[int, int] = {}
    for row in order:
        if held and one.area[row] < WITHOUT_FAIL and not holds(row):
            found[row] = _nearest(scores, row, held, used)
        else:
            held.append(row)
    return found


def _showing(others: FloatArray, used: BoolArray, strata: Labels | None) -> Labels:
    """(N,) which of the others (K, N) an image shows, with its stratum: what is compared only
    with its like. None where not used, or without a stratum."""
    shows = np.array([row >= valley(row[used]) for row in others])
    found: Labels = []
    for at, here in enumerate(used):
        stratum = "" if strata is None else strata[at]
        marks = "".join("+" if yes else "-" for yes in shows[:, at])
        found.append(f"{stratum} {marks}" if here and stratum is not None else None)
    return found


def _left(
    own: FloatArray, others: FloatArray, at: npt.NDArray[np.intp], shown: Labels
) -> npt.NDArray[np.float64]:
    """Scores (N,) of the images ``at`` (n,), less what a line through others' (K, N) says of them,
    among images that show the same."""
    columns = np.concatenate([own[None, at], others[:, at]]).astype(np.float64)
    labels = np.array([shown[i] or "" for i in at])
    for label in set(labels.tolist()):
        mine = labels == label
        columns[:, mine] -= columns[:, mine].mean(axis=1, keepdims=True)
    slopes = np.linalg.lstsq(columns[1:].T, columns[0], rcond=None)[0]
    left: npt.NDArray[np.float64] = columns[0] - slopes @ columns[1:]
    return left


def _nearest(scores: FloatArray, row: int, held: Sequence[int], used: BoolArray) -> int:
    """Of those held fixed, the one whose scores go most with this row's."""
    own = scores[row, used]
    return max(
        held[:MOST], key=lambda other: abs(float(np.corrcoef(own, scores[other, used])[0, 1]))
    )
