"""The judge by yes/no questions: fitted on half of the labels, compared with the other half."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from visdiff_local.bench import judge as suite
from visdiff_local.errors import InputError
from visdiff_local.pipeline.judge import Question

TRUTHS = ("dogs on a beach", "cats on a beach")


class Knowing:
    """Says yes where both texts are of dogs, less where one adds something, as a person would."""

    fingerprint = "knowing"

    def text_p_yes(self, prompts):  # type: ignore[no-untyped-def]
        rng = np.random.default_rng(3)
        return np.array(
            [
                (0.2 if p.count("dogs") < 2 else 0.5 if "hat" in p else 0.8) + rng.normal(0, 0.05)
                for p in prompts
            ],
            dtype=np.float32,
        )


def labels(count: int = 60) -> list[suite.Label]:
    said = {2: "dogs", 1: "dogs with a red hat and a ball", 0: "a city"}
    return [suite.Label(Question(f"{said[i % 3]} {i}", *TRUTHS), i % 3) for i in range(count)]


@pytest.mark.parametrize("grades", [[1] * 30, [0, 1, 2]])
def test_too_little_to_fit_to_is_an_error(grades: list[int]) -> None:
    few = [suite.Label(Question("x", *TRUTHS), grade) for grade in grades]
    with pytest.raises(InputError, match="cannot be fitted"):
        suite.compare_by_questions(few, Knowing(), seed=0)  # type: ignore[arg-type]


def test_the_row_is_of_the_half_that_was_held_out() -> None:
    row = suite.compare_by_questions(labels(), Knowing(), seed=0)  # type: ignore[arg-type]
    assert (row["n"], row["fitted_on"], row["unparsed"]) == (30, 30, 0)
    low, high = row["exact_ci"]
    assert low <= row["exact"] <= high
    assert row["exact"] > 0.8


def test_halves_are_half_of_each_grade_and_drawn_by_the_seed() -> None:
    grades = np.array([0] * 10 + [1] * 20 + [2] * 30)
    first, again, other = (suite.halved(grades, seed) for seed in (0, 0, 1))
    assert [int(first[grades == one].sum()) for one in (0, 1, 2)] == [5, 10, 15]
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("seed", range(3))
def test_kappa_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = [(int(a), int(b)) for a, b in rng.integers(0, 3, (50, 2))]
    wanted = cohen_kappa_score(*zip(*pairs, strict=True), labels=[0, 1, 2], weights="quadratic")
    assert suite.quadratic_kappa(pairs) == pytest.approx(wanted)
