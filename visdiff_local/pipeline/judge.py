"""The judge: how well does a hypothesis name the known difference? 2 it does, 1 in part, 0 not.

Two ways of asking, chosen by model. ``digit`` is the paper's one question: the grade is read from
the probabilities of the three digits as the next word, so nothing can be misread and nothing is
sampled. It is for models that can grade, such as those trained on it; models of one or two billion
parameters prefer one digit whatever they are asked. ``questions`` asks what even those can answer,
yes or no, and reads P(yes): whether the hypothesis says much the same as the truth. Beside it stand
the words that the texts share: whether it says what tells A from B, and how much of the truth. How
these add up to a grade is fitted to grades that people gave (:mod:`.calibration`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local import prompts
from visdiff_local.pipeline.calibration import Calibration, logits
from visdiff_local.pipeline.proposers.phrases import content
from visdiff_local.prompts.replies import Grade
from visdiff_local.protocols import TextModel

GRADES: tuple[Grade, ...] = (0, 1, 2)
Floats = npt.NDArray[np.float64]

FEATURES = ("same a", "key words", "truth words")
"""What a hypothesis is judged by: answers (a prompt's name, and the side whose truth it is asked
about), and words."""


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
        calibration: how this model's yes and no add up; it is asked those then.
    """
    if calibration is None:
        return _by_digit(questions, llm, family)
    return graded(features(questions, llm, calibration.features, family=family), calibration)


def graded(values: Floats, calibration: Calibration) -> list[Judged]:
    """One a row of features (n, k); no grade where the model left a question unanswered (NaN)."""
    answered = ~np.isnan(values).any(axis=1)
    chances = np.full((len(values), len(GRADES)), np.nan)
    chances[answered] = calibration.probabilities(values[answered])
    return [_judged(row[None]) for row in chances]


def features(
    questions: Sequence[Question],
    llm: TextModel,
    names: Sequence[str] = FEATURES,
    *,
    family: str = "default",
) -> Floats:
    """Float64 (n, k): log-odds of the answers, NaN where the model gave none, and words."""
    asked = [name for name in names if name not in _WORDS]
    answers = llm.text_p_yes(
        [_asked(one, name, family) for name in asked for one in questions]
    ).reshape(len(asked), len(questions))
    columns = {
        name: logits(row.astype(np.float64)) for name, row in zip(asked, answers, strict=True)
    }
    for name in names:
        if name in _WORDS:
            columns[name] = np.array([_WORDS[name](one) for one in questions], dtype=np.float64)
    return np.stack([columns[name] for name in names], axis=1)


def _asked(question: Question, name: str, family: str) -> str:
    prompt, side = name.split()
    truths = question.truth_a, question.truth_b
    own, other = truths if side == "a" else truths[::-1]
    return prompts.render(
        f"judge_{prompt}", family, hypothesis=question.hypothesis, truth=own, other=other
    )


def _key_words(question: Question) -> float:
    """1: it says some of what tells the truth of A from that of B."""
    said, a, b = _contents(question)
    return float(bool(said & (a - b)))


def _truth_words(question: Question) -> float:
    """Share of A's words that it says."""
    said, a, _ = _contents(question)
    return len(said & a) / max(1, len(a))


def _contents(question: Question) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    return content(question.hypothesis), content(question.truth_a), content(question.truth_b)


_WORDS: Mapping[str, Callable[[Question], float]] = {
    "key words": _key_words,
    "truth words": _truth_words,
}


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
