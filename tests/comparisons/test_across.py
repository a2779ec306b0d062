"""What is said of all classes together must hold without the few that changed in their own way."""

from pathlib import Path

import numpy as np
import pytest

from visdiff_local.comparisons.across import of_few_classes
from visdiff_local.comparisons.plan import Part, Plan
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.table import Table
from visdiff_local.comparisons.testing import in_part, with_q
from visdiff_local.config import RunConfig
from visdiff_local.images import ImageSet
from visdiff_local.types import ImageRef, Verdict

CLASSES, EACH = 8, 40
N = CLASSES * EACH
CLASS = np.repeat(np.arange(CLASSES), EACH)
IS_B = np.arange(N) % 2 == 1
NAMES = [f"class {number}" for number in CLASS]


def narrow(
    shifts: np.ndarray, unsupported: int | None = None
) -> tuple[dict[int, int | None], list[list[Verdict]]]:
    """Of texts whose scores rise in B by ``shifts`` (M, classes), in standard deviations; one
    is supported by no class."""
    noise = np.random.default_rng(0).normal(size=(len(shifts), N))
    scores = (noise + shifts[:, CLASS] * IS_B).astype(np.float32)
    refs = tuple(ImageRef(f"{i:064x}", Path(f"{i}.png")) for i in range(N))
    table = Table((ImageSet("all", refs),), {}, ())
    parts = [
        Part(f"class {k}", ~IS_B & (k == CLASS), IS_B & (k == CLASS), ("v1", "v2"))
        for k in range(CLASSES)
    ]
    whole = Part("within class", ~IS_B, IS_B, ("v1", "v2"), list(NAMES))
    plan = Plan("each", (*parts, whole), list(NAMES))
    nobody, explore = [None] * N, np.zeros(N, np.bool_)
    config = RunConfig(a="x", b="x")
    rng = np.random.default_rng(1)
    study = Study(table, plan, nobody, explore, config)
    tested = with_q([in_part(part, scores, study, rng) for part in plan.parts], config.alpha)
    verdicts: list[list[Verdict]] = [
        [
            "confirmed" if q <= config.alpha and low > config.floor else "rejected"
            for q, low in zip(one.q_value, one.ci[:, 0], strict=True)
        ]
        for one in tested
    ]
    for each in verdicts[:-1] if unsupported is not None else ():
        each[unsupported] = "unsupported"
    return of_few_classes(verdicts, tested, scores, study), verdicts


def only(classes: int, shift: float) -> np.ndarray:
    return np.where(np.arange(CLASSES) < classes, shift, 0.0)


def test_what_two_classes_add_to_the_mean_is_not_said_of_all() -> None:
    found, verdicts = narrow(np.stack([only(2, 9.0), only(0, 0.0)]))
    assert verdicts[-1][0] == "confirmed", "the mean alone would say so"
    assert found == {0: None}, "it is found in those classes themselves"


def test_what_follows_from_changes_of_single_classes_names_one_of_them() -> None:
    own = np.stack([np.where(np.arange(CLASSES) == k, 9.0, 0.0) for k in range(3)])
    found, verdicts = narrow(np.stack([*own, only(3, 1.5)]), unsupported=3)
    assert verdicts[-1][3] == "confirmed", "the mean alone would say so"
    assert found[3] in (0, 1, 2)


@pytest.mark.parametrize("shift", [0.6, 3.0])
def test_what_holds_everywhere_stands_whether_single_classes_show_it_or_not(shift: float) -> None:
    found, verdicts = narrow(np.stack([only(CLASSES, shift), only(1, 9.0)]))
    assert verdicts[-1][0] == "confirmed"
    assert 0 not in found


def test_what_most_classes_show_holds_across_them() -> None:
    found, verdicts = narrow(np.stack([only(5, 6.0), only(3, 6.0)]))
    assert [row[0] for row in verdicts[:5]] == ["confirmed"] * 5
    assert found == {1: None}
