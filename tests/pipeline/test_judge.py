"""The judge: wordings are averaged and silence is no grade."""

import numpy as np
import pytest

from tests.support.stage_doubles import Words
from visdiff_local.pipeline import judge


def test_wordings_are_averaged_and_silence_is_no_grade() -> None:
    answers = iter(
        [
            (0.0, 0.2, 0.8),
            (np.nan,) * 3,
            (0.0, 0.4, 0.6),
            (np.nan,) * 3,
            (np.nan,) * 3,
            (np.nan,) * 3,
        ]
    )
    questions = [judge.Question("dogs", "dogs", "cats"), judge.Question("??", "dogs", "cats")]
    first, second = judge.judge(questions, Words(choose=lambda prompt: next(answers)))
    assert first.grade == 2
    assert first.probabilities == pytest.approx((0.0, 0.3, 0.7))
    assert first.expected == pytest.approx(1.7)
    assert second == judge.Judged(None, None)
    assert second.expected is None


def test_no_questions_no_grades() -> None:
    assert judge.judge([], Words()) == []
