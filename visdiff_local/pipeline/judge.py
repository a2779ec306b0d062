"""The judge: how well does a hypothesis name the known difference? 2 it does, 1 in part, 0 not.

Two ways of asking, chosen by model. ``digit`` is the paper's one question: the grade is read from
the probabilities of the three digits as the next word, so nothing can be misread and nothing is
sampled. It is for models that can grade, such as those trained on it; models of one or two billion
parameters prefer one digit whatever they are asked. ``questions`` asks what even those can answer,
yes or no, and reads P(yes): whether the hypothesis says the same as the truth of A and as that of
B, whether it is true of what A and what B are, and the reverse, whether what A is follows from it.
Same, narrower, wider and beside the point are combinations of these; how they add up to a grade is
fitted to grades that people gave (:class:`Calibration`); ``bench judge --questions`` fits it on
half of the labels and tests it on the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local import prompts
from visdiff_local.prompts.replies import Grade
from visdiff_local.protocols import FloatArray, TextModel

GRADES: tuple[Grade, ...] = (0, 1, 2)
Floats = npt.NDArray[np.float64]

ASKED = ("same a", "same b", "fits a", "fits b", "a follows", "b follows")
"""What ``questions`` asks of each hypothesis, in this order."""
_CLIP = 1e-4
"""Probabilities nearer to 0 or 1 count as this: the last logits say nothing."""
_RIDGE = 5.0
"""Penalty on the weights, in grades a standard deviation."""


@dataclass(frozen=True, slots=True)
class Question:
    """A hypothesis and the truth it is held against: what is typical of A, and of B."""

    hypothesis: str
    truth_a: str
    truth_b: str

    @property
    def swapped(self) -> "Question":
        """The same, held against the difference the other way round."""
        return Question(self.hypothesis, self.truth_b, self.truth_a)


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


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the answers add up: a proportional-odds model, P(grade ≥ g) = σ((w·z − cut_g) / spread).

    McCullagh, "Regression models for ordinal data", J. R. Stat. Soc. B 42 (1980). z are the logits
    of the answers, standardized.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    cuts: tuple[float, float]
    spread: float

    @classmethod
    def fit(cls, answers: Floats, grades: Sequence[int]) -> "Calibration":
        """Ridge regression of the grades on the logits; the cuts are those of most agreement.

        Args:
            answers: float (n, 6) P(yes) in the order of :data:`ASKED`, no NaN.
            grades: (n,) that people gave.

        Raises:
            ValueError: fewer than ten grades, or all are equal.
        """
        y = np.asarray(grades, dtype=np.float64)
        if len(y) < 10 or np.ptp(y) == 0:
            raise ValueError(f"{len(y)} grades, {len(set(grades))} distinct: too few to fit to")
        logits = _logits(answers)
        mean, scale = logits.mean(axis=0), logits.std(axis=0) + 1e-9
        z = (logits - mean) / scale
        weights = np.linalg.solve(z.T @ z + _RIDGE * np.eye(z.shape[1]), z.T @ (y - y.mean()))
        scores = z @ weights
        spread = max(float((y - y.mean() - scores).std()) / 1.8, 0.05)  # a logistic's own is 1.8
        return cls(tuple(mean), tuple(scale), tuple(weights), _cuts(scores, y), spread)

    def probabilities(self, answers: Floats) -> Floats:
        """Float64 (n, 3), rows sum to 1.

        Args:
            answers: float (n, 6), no NaN.
        """
        z = (_logits(answers) - np.array(self.mean)) / np.array(self.scale)
        scores = z @ np.array(self.weights)
        at_least = [1 / (1 + np.exp((cut - scores) / self.spread)) for cut in self.cuts]
        return np.stack([1 - at_least[0], at_least[0] - at_least[1], at_least[1]], axis=1)

    def grades(self, answers: Floats) -> npt.NDArray[np.int64]:
        """(n,) by the cuts."""
        z = (_logits(answers) - np.array(self.mean)) / np.array(self.scale)
        found = np.searchsorted(np.array(self.cuts), z @ np.array(self.weights))
        return np.asarray(found, dtype=np.int64)

    def judged(self, answers: Floats) -> list[Judged]:
        """One a row; no grade where the model left a question unanswered (NaN)."""
        judged = [Judged(None, None)] * len(answers)
        places = np.flatnonzero(~np.isnan(answers).any(axis=1))
        if len(places):
            rows = self.probabilities(answers[places])
            for place, grade, row in zip(places, self.grades(answers[places]), rows, strict=True):
                zero, one, two = (float(p) for p in row)
                judged[int(place)] = Judged(GRADES[int(grade)], (zero, one, two))
        return judged


def judge(
    questions: Sequence[Question],
    llm: TextModel,
    *,
    family: str = "default",
    calibration: Calibration | None = None,
) -> list[Judged]:
    """One answer a question, in order.

    Without a calibration by the digit: wordings that the model gave no digit for are left out;
    their probabilities are averaged, since a judge that leans to one phrasing leans less then.

    Args:
        calibration: how this very model's yes and no add up; it is asked those then.
    """
    if calibration is None:
        return _by_digit(questions, llm, family)
    return calibration.judged(ask(questions, llm, family=family).astype(np.float64))


def ask(questions: Sequence[Question], llm: TextModel, *, family: str = "default") -> FloatArray:
    """Float32 (n, 6): P(yes) to each of :data:`ASKED`; NaN where the model gave no answer."""

    def same(one: Question, truth: str) -> str:
        return prompts.render("judge_same", family, hypothesis=one.hypothesis, truth_a=truth)

    def shows(caption: str, text: str) -> str:
        return prompts.render("caption_qa", family, caption=caption, hypothesis=text)

    asked = [
        text
        for one in questions
        for text in (
            same(one, one.truth_a),
            same(one, one.truth_b),
            shows(one.truth_a, one.hypothesis),
            shows(one.truth_b, one.hypothesis),
            shows(one.hypothesis, one.truth_a),
            shows(one.hypothesis, one.truth_b),
        )
    ]
    return llm.text_p_yes(asked).reshape(len(questions), len(ASKED))


def _by_digit(questions: Sequence[Question], llm: TextModel, family: str) -> list[Judged]:
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


def _judged(rows: Floats) -> Judged:
    answered = rows[~np.isnan(rows).any(axis=1)]
    if not len(answered):
        return Judged(None, None)
    zero, one, two = (float(p) for p in answered.mean(axis=0))
    return Judged(GRADES[int(np.argmax((zero, one, two)))], (zero, one, two))


def _logits(answers: Floats) -> Floats:
    p = np.clip(answers, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(p / (1 - p)), dtype=np.float64)


def _cuts(scores: Floats, grades: Floats) -> tuple[float, float]:
    """The two cuts between the scores under which most grades come out as given, and the others
    near: exact agreement less half the mean distance."""
    edges = np.unique(np.quantile(scores, np.linspace(0.02, 0.98, 49)))
    best, found = -np.inf, (float(edges[0]), float(edges[-1]))
    for i, low in enumerate(edges):
        for high in edges[i:]:
            given = (scores > low).astype(np.float64) + (scores > high)
            value = float((given == grades).mean() - 0.5 * np.abs(given - grades).mean())
            if value > best + 1e-12:
                best, found = value, (float(low), float(high))
    return found
