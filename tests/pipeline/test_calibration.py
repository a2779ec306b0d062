"""How answers add up to a grade: found again where they hold it, and the same after a file."""

import json

import numpy as np
import pytest

from visdiff_local.pipeline import calibration
from visdiff_local.pipeline.calibration import Calibration
from visdiff_local.pipeline.judge import FEATURES, Question, features, judge

NAMES = ("one", "two", "three")


def values(grades: np.ndarray, noise: float = 0.4) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    signal = grades[:, None] * np.array([2.0, -1.0, 0.0])
    return np.asarray(signal + rng.normal(0, noise, signal.shape))


def test_the_grades_that_the_values_hold_are_found() -> None:
    grades = np.arange(120) % 3
    fitted = Calibration.fit(NAMES, values(grades)[:60], list(grades[:60]))
    chances = fitted.probabilities(values(grades)[60:])
    assert (chances.argmax(axis=1) == grades[60:]).mean() > 0.9
    assert np.allclose(chances.sum(axis=1), 1)
    assert (chances >= 0).all()
    assert fitted.weights[0] > 0 > fitted.weights[1]
    assert fitted.cuts[0] < fitted.cuts[1]


def test_values_that_hold_nothing_give_no_agreement() -> None:
    grades = np.arange(120) % 3
    noise = np.random.default_rng(1).random((120, 3))
    fitted = Calibration.fit(NAMES, noise[:60], list(grades[:60]))
    assert (fitted.probabilities(noise[60:]).argmax(axis=1) == grades[60:]).mean() < 0.6


@pytest.mark.parametrize("grades", [[1] * 30, [0, 1, 2]])
def test_too_little_to_fit_to_is_an_error(grades: list[int]) -> None:
    with pytest.raises(ValueError, match="too few"):
        Calibration.fit(NAMES, np.zeros((len(grades), 3)), grades)


def test_a_calibration_is_the_same_after_a_file() -> None:
    grades = np.arange(30) % 3
    fitted = Calibration.fit(NAMES, values(grades), list(grades))
    written = json.dumps({**fitted.to_json(), "source": "a test"})
    assert Calibration.from_json(json.loads(written)) == fitted


def test_a_model_without_weights_of_its_own_has_the_general_ones() -> None:
    assert calibration.shipped("no-such-model") == calibration.shipped(calibration.GENERAL)
    assert set(calibration.shipped("no-such-model").features) <= set(FEATURES)


class Answering:
    """Says the same to every question; remembers them."""

    fingerprint = "answering"

    def __init__(self, p_yes: float) -> None:
        self.p_yes = p_yes
        self.asked: list[str] = []

    def text_p_yes(self, prompts):  # type: ignore[no-untyped-def]
        self.asked += prompts
        return np.full(len(prompts), self.p_yes, dtype=np.float32)


def test_only_what_the_weights_want_is_asked() -> None:
    model = Answering(0.5)
    question = Question("dogs with hats", "dogs on grass", "cats")
    found = features([question], model, ("same a", "key words", "truth words"))  # type: ignore[arg-type]
    assert found[0] == pytest.approx([0.0, 1.0, 0.5])
    (asked,) = model.asked
    assert "First: dogs on grass\nSecond: dogs with hats\n" in asked


def test_a_question_without_an_answer_has_no_grade() -> None:
    weights = calibration.shipped(calibration.GENERAL)
    (silent,) = judge([Question("dogs", "dogs", "cats")], Answering(np.nan), calibration=weights)  # type: ignore[arg-type]
    (said,) = judge([Question("dogs", "dogs", "cats")], Answering(0.5), calibration=weights)  # type: ignore[arg-type]
    assert silent.grade is None
    assert said.grade is not None
