"""A text that only follows from a stronger one is told apart from one that adds something."""

from pathlib import Path

import numpy as np
import pytest

from visdiff_local.comparisons.plan import Part, Plan
from visdiff_local.comparisons.redundancy import redundant
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.table import Table
from visdiff_local.comparisons.testing import in_part
from visdiff_local.config import RunConfig
from visdiff_local.images import ImageSet
from visdiff_local.types import ImageRef

N = 200


def follows(scores: np.ndarray) -> dict[int, int]:
    is_a = np.arange(N) < N // 2
    refs = tuple(ImageRef(f"{i:064x}", Path(f"{i}.png")) for i in range(N))
    table = Table((ImageSet("all", refs),), {}, ())
    part = Part("part", is_a, ~is_a, ("a", "b"))
    plan = Plan("groups", (part,), ["a" if here else "b" for here in is_a])
    nobody, explore = [None] * N, np.zeros(N, np.bool_)
    config = RunConfig(a="x", b="x")
    values = scores.astype(np.float32)
    study = Study(table, plan, nobody, explore, config)
    one = in_part(part, values, study, np.random.default_rng(0))
    sure = (one.p_value < 0.01) & (one.ci[:, 0] > config.floor)
    assert sure.all(), "each would be confirmed alone"
    return redundant(one, sure, values, part, study)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_what_is_a_noisy_copy_of_a_stronger_text_follows_from_it(
    rng: np.random.Generator,
) -> None:
    strong = rng.normal(0, 1, N) + 2.0 * (np.arange(N) < N // 2)
    copy = strong + rng.normal(0, 1.0, N)
    assert follows(np.stack([strong, copy])) == {1: 0}


def test_a_cause_of_its_own_beside_a_stronger_one_stands(rng: np.random.Generator) -> None:
    in_a = np.arange(N) < N // 2
    strong = rng.normal(0, 1, N) + 2.0 * in_a
    own = rng.normal(0, 1, N) + 1.5 * in_a
    assert follows(np.stack([strong, own])) == {}


def test_two_that_never_fail_both_stand(rng: np.random.Generator) -> None:
    in_a = np.arange(N) < N // 2
    scores = rng.normal(0, 1, (2, N)) + 8.0 * in_a
    assert follows(scores) == {}


def test_of_two_heaps_the_order_within_each_hides_nothing(rng: np.random.Generator) -> None:
    """Some of A wear a hat and people are more often in A: a hat is more than "a person"."""
    stands = 0
    for _ in range(20):
        in_a = np.arange(N) < N // 2
        person = rng.random(N) < np.where(in_a, 0.85, 0.35)
        hat = person & (rng.random(N) < np.where(in_a, 0.7, 0.35))
        scores = np.stack(
            [8.0 * person + rng.normal(0, 1, N), 4.0 * hat + 3.0 * person + rng.normal(0, 1.5, N)]
        )
        stands += follows(scores) == {}
    assert stands >= 12
