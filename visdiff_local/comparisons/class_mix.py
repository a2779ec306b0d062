"""What only the mix of classes explains: cats are failed more often, whatever the image shows.

Two models' predictions, and one model's failures, are compared within class. A text that tells the
sets apart without classes and does not within them is a matter of the class mix, no cause. Of a
text that names a class itself this is asked of the labels, which know it for sure, and of all
images: no label had a say in which texts are tested.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.comparisons.plan import Part, Plan
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.table import BoolArray, Labels
from visdiff_local.comparisons.testing import Tested, in_part
from visdiff_local.protocols import FloatArray

MOST_CLASSES = 20
"""Of more classes none is put forward as a text of its own."""


def of_classes(plan: Plan) -> dict[str, str]:
    """A text for each class, so that a class that is failed more often is named, and the class's
    label; of very many classes those within which they are compared. Empty where the plan is no
    comparison within class, or labels are no words."""
    return {text: label for text, (label, _) in _classes(plan).items()}


def _classes(plan: Plan) -> dict[str, tuple[str, Labels]]:
    if plan.right is None:
        return {}
    for column in (plan.group, plan.parts[0].strata):
        if column is None:
            continue
        names = sorted({label for label in column if label is not None})
        if len(names) > MOST_CLASSES:
            continue
        words = {name: name.replace("_", " ").strip() for name in names}
        return {
            f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}": (name, column)
            for name, word in words.items()
            if word.replace(" ", "").replace("-", "").isalpha()
        }
    return {}


def held_fixed(texts: Sequence[str], plan: Plan) -> BoolArray:
    """(M,) texts that name a class within which everything is compared: there they are true of all
    images or of none, and what their scores differ by is something else."""
    strata = plan.parts[0].strata
    known = _classes(plan)
    return np.array([text in known and known[text][1] is strata for text in texts], np.bool_)


def class_mix(
    texts: Sequence[str],
    part: Part,
    within: npt.NDArray[np.float64],
    scores: FloatArray,
    study: Study,
) -> dict[int, tuple[float, bool]]:
    """Rows that tell the sets apart without classes alone: AUROC without them, and whether it
    leans to A.

    Args:
        within: p (M,) within classes.
    """
    plan, config = study.plan, study.config
    if plan.right is None or part.strata is None or not len(scores):
        return {}
    rng = np.random.default_rng([config.seed, 4])
    free = replace(part, strata=None)
    plain = in_part(free, scores, study, rng)
    alone = _tells(plain, config.alpha, config.floor) & (within > config.alpha)
    found = {
        row: (float(plain.area[row]), bool(plain.leans_to_a[row]))
        for row in np.flatnonzero(alone).tolist()
    }
    named = {row for row, text in enumerate(texts) if text in _classes(plan)}
    by_scores = {row: figures for row, figures in found.items() if row not in named}
    return by_scores | _of_labels(texts, free, study, rng)


def _of_labels(
    texts: Sequence[str],
    free: Part,
    study: Study,
    rng: np.random.Generator,
) -> dict[int, tuple[float, bool]]:
    """Texts that name a class which one of the sets has more of."""
    classes = _classes(study.plan)
    rows = [row for row, text in enumerate(texts) if text in classes]
    if not rows:
        return {}
    known = [classes[texts[row]] for row in rows]
    is_of = np.array([[one == label for one in column] for label, column in known], np.float32)
    on_all = replace(study, explore=np.zeros_like(study.explore))
    plain = in_part(free, is_of, on_all, rng)
    return {
        rows[at]: (float(plain.area[at]), bool(plain.leans_to_a[at]))
        for at in np.flatnonzero(_tells(plain, study.config.alpha, 0.5)).tolist()
    }


def _tells(plain: Tested, alpha: float, floor: float) -> BoolArray:
    sure: BoolArray = (stats.benjamini_hochberg(plain.p_value) <= alpha) & (plain.ci[:, 0] > floor)
    return sure
