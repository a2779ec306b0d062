"""The judge: how well does a hypothesis name the known difference? 2 it does, 1 in part, 0 not.

The grade is read from the probabilities of the three digits as the next word, so nothing can be
misread and nothing is sampled. Big models are asked in several wordings, with the groups in either
order, and the probabilities averaged: a judge that leans to the first group or to one phrasing
leans less.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local import prompts
from visdiff_local.prompts.replies import Grade
from visdiff_local.protocols import TextModel

GRADES: tuple[Grade, ...] = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Question:
    """A hypothesis and the truth it is held against: what is typical of A, and of B."""

    hypothesis: str
    truth_a: str
    truth_b: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The judge's answer to one question."""

    grade: Grade | None
    """The most probable grade; None: the model would not give any."""
    probabilities: tuple[float, float, float] | None
    """Of the grades 0, 1 and 2."""

    @property
    def expected(self) -> float | None:
        """The mean grade under the probabilities, between 0 and 2."""
        if self.probabilities is None:
            return None
        return self.probabilities[1] + 2 * self.probabilities[2]


def judge(
    questions: Sequence[Question], llm: TextModel, *, family: str = "default"
) -> list[Judged]:
    """One answer a question, in order; wordings the model gave no digit for are left out."""
    wordings = prompts.variants("judge", family)
    asked = [
        prompts.render(
            wording,
            family,
            hypothesis=question.hypothesis,
            truth_a=question.truth_a,
            truth_b=question.truth_b,
        )
        for question in questions
        for wording in wordings
    ]
    answers = llm.choose(asked, [str(grade) for grade in GRADES])
    by_question = np.asarray(answers, dtype=np.float64).reshape(len(questions), len(wordings), 3)
    return [_judged(rows) for rows in by_question]


def _judged(rows: npt.NDArray[np.float64]) -> Judged:
    answered = rows[~np.isnan(rows).any(axis=1)]
    if not len(answered):
        return Judged(None, None)
    zero, one, two = (float(p) for p in answered.mean(axis=0))
    return Judged(GRADES[int(np.argmax((zero, one, two)))], (zero, one, two))
