"""The judge by yes/no questions: fitted on half of the labels, compared with the other half."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from visdiff_local.bench import judge as suite
from visdiff_local.errors import InputError
from visdiff_local.pipeline.judge import ASKED, Calibration, Question, ask, judge

TRUTHS = ("dogs on a beach", "cats on a beach")


class Knowing:
    """Says yes where the two texts share a word; a person would grade by the same words."""

    fingerprint = "knowing"

    def __init__(self, *, mute: bool = False) -> None:
        self.mute = mute

    def text_p_yes(self, prompts):  # type: ignore[no-untyped-def]
        if self.mute:
            return np.full(len(prompts), np.nan, dtype=np.float32)
        rng = np.random.default_rng(3)
        return np.array(
            [
                np.clip((0.8 if "dogs" in p.replace("<", " ") else 0.2) + rng.normal(0, 0.05), 0, 1)
                for p in prompts
            ],
            dtype=np.float32,
        )


def labels(count: int = 60) -> list[suite.Label]:
    said = {2: "dogs", 1: "dogs with a red hat and a ball", 0: "a city"}
    return [suite.Label(Question(f"{said[i % 3]} {i}", *TRUTHS), i % 3) for i in range(count)]


def answers(grades: np.ndarray, noise: float = 0.3) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    logits = grades[:, None] * np.array([2.0, -1.0, 1.0, 0.0, 0.5, 0.0]) - 1
    return np.asarray(1 / (1 + np.exp(-(logits + rng.normal(0, noise, logits.shape)))))


def test_a_calibration_finds_the_grades_that_the_answers_hold() -> None:
    grades = np.arange(120) % 3
    fitted = Calibration.fit(answers(grades)[:60], list(grades[:60]))
    held_out = fitted.grades(answers(grades)[60:])
    assert (held_out == grades[60:]).mean() > 0.9
    chances = fitted.probabilities(answers(grades))
    assert np.allclose(chances.sum(axis=1), 1)
    assert (chances >= -1e-12).all()
    assert fitted.weights[0] > 0 > fitted.weights[1]


def test_answers_that_hold_nothing_give_no_agreement() -> None:
    grades = np.arange(120) % 3
    noise = np.random.default_rng(1).random((120, len(ASKED)))
    fitted = Calibration.fit(noise[:60], list(grades[:60]))
    assert (fitted.grades(noise[60:]) == grades[60:]).mean() < 0.6


@pytest.mark.parametrize("grades", [[1] * 30, [0, 1, 2]])
def test_too_little_to_fit_to_is_an_error(grades: list[int]) -> None:
    with pytest.raises(ValueError, match="too few"):
        Calibration.fit(np.full((len(grades), 6), 0.5), grades)
    few = [suite.Label(Question("x", *TRUTHS), grade) for grade in grades]
    with pytest.raises(InputError, match="cannot be fitted"):
        suite.compare_by_questions(few, Knowing(), seed=0)  # type: ignore[arg-type]


def test_each_hypothesis_is_asked_six_questions() -> None:
    found = ask([Question("dogs", *TRUTHS)], Knowing())  # type: ignore[arg-type]
    assert found.shape == (1, 6)


def test_the_row_is_of_the_half_that_was_held_out() -> None:
    row = suite.compare_by_questions(labels(), Knowing(), seed=0)  # type: ignore[arg-type]
    assert (row["n"], row["fitted_on"], row["unparsed"]) == (30, 30, 0)
    low, high = row["exact_ci"]
    assert low <= row["exact"] <= high


def test_a_model_that_gives_no_answer_has_no_grade() -> None:
    grades = np.arange(30) % 3
    fitted = Calibration.fit(answers(grades), list(grades))
    (found,) = judge([Question("dogs", *TRUTHS)], Knowing(mute=True), calibration=fitted)  # type: ignore[arg-type]
    assert found.grade is None


@pytest.mark.parametrize("seed", range(3))
def test_kappa_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = [(int(a), int(b)) for a, b in rng.integers(0, 3, (50, 2))]
    wanted = cohen_kappa_score(*zip(*pairs, strict=True), labels=[0, 1, 2], weights="quadratic")
    assert suite.quadratic_kappa(pairs) == pytest.approx(wanted)
