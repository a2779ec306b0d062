"""What only the mix of classes explains: cats are failed more often, whatever the image shows.

Two models' predictions, and one model's failures, are compared within class. A text that tells the
sets apart without classes and does not within them is a matter of the class mix, no cause.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.comparisons.plan import Part, Plan
from visdiff_local.comparisons.table import BoolArray, Labels, Table
from visdiff_local.comparisons.testing import in_part
from visdiff_local.config import RunConfig
from visdiff_local.protocols import FloatArray

MOST_CLASSES = 20
"""Of more classes none is put forward as a text of its own."""


def of_classes(plan: Plan) -> list[str]:
    """A text for each class, so that a class that is failed more often is named; [] where the plan
    is no comparison within class, or labels are no words."""
    if plan.right is None:
        return []
    names = sorted({label.replace("_", " ").strip() for label in plan.group if label is not None})
    if len(names) > MOST_CLASSES:
        return []
    words = [name for name in names if name.replace(" ", "").replace("-", "").isalpha()]
    return [f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}" for name in words]


def class_mix(
    plan: Plan,
    part: Part,
    within: npt.NDArray[np.float64],
    scores: FloatArray,
    table: Table,
    clusters: Labels,
    explore: BoolArray,
    config: RunConfig,
) -> dict[int, tuple[float, bool]]:
    """Rows that tell the sets apart without classes alone: AUROC without them, and whether it
    leans to A.

    Args:
        within: p (M,) within classes.
    """
    if plan.right is None or part.strata is None or not len(scores):
        return {}
    rng = np.random.default_rng([config.seed, 4])
    plain = in_part(replace(part, strata=None), scores, table, clusters, explore, config, rng)
    q = stats.benjamini_hochberg(plain.p_value)
    alone = (q <= config.alpha) & (plain.ci[:, 0] > config.floor) & (within > config.alpha)
    return {
        row: (float(plain.area[row]), bool(plain.leans_to_a[row]))
        for row in np.flatnonzero(alone).tolist()
    }
