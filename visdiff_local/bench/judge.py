"""Does the judge grade as people do? Its grades against human ones, of the same hypotheses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from visdiff_local.bench.scenes.grading import grade
from visdiff_local.bench.scenes.language.language import conjunction, phrases
from visdiff_local.bench.scenes.language.vocabulary import SAYABLE, Assertion
from visdiff_local.bench.scenes.pairs import DIFFICULTIES, Pair, make_pair
from visdiff_local.bench.scenes.world import GROUP_OF
from visdiff_local.errors import InputError, ProblemsError
from visdiff_local.pipeline.calibration import Calibration
from visdiff_local.pipeline.judge import (
    FEATURES,
    GRADES,
    Judged,
    Question,
    features,
    graded,
    judge,
)
from visdiff_local.protocols import TextModel
from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError

FIELDS = ("hypothesis", "group_a", "group_b", "manual_label")
ACCURACY_FIELDS = (
    "exact",
    "mae",
    "pearson",
    "spearman",
    "kappa",
    "pearson_expected",
    "spearman_expected",
)
RESAMPLES = 1000
CONSTANT = 0.9
"""Share of one grade from which a judge is warned of."""


@dataclass(frozen=True, slots=True)
class Label:
    """One hypothesis with a person's grade; None: the person gave none."""

    question: Question
    grade: int | None


def read_labels(path: Path) -> list[Label]:
    """Reads a JSON-lines file with the fields ``hypothesis, group_a, group_b, manual_label``.

    Raises:
        InputError: the file cannot be read or is empty.
        ProblemsError: everything that is wrong with its lines, together.
    """
    try:
        lines = foreign.read(path).splitlines()
    except (OSError, ForeignError) as error:
        raise InputError(f"{path}: the labels cannot be read ({error})") from error
    labels: list[Label] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found = _label(line)
            if isinstance(found, Label):
                labels.append(found)
            else:
                problems.append(f"line {number}: {found}")
    if problems:
        raise ProblemsError(str(path), problems)
    if not labels:
        raise InputError(f"{path}: there is no label in it")
    return labels


def compare_with_labels(
    labels: Sequence[Label],
    llm: TextModel,
    *,
    family: str = "default",
    calibration: Calibration | None = None,
) -> dict[str, Any]:
    """The row of ``bench judge``: agreement of the judge with the labels.

    ``exact`` is the share of equal grades, ``mae`` the mean distance, Pearson and Spearman are of
    the grades; ``…_expected`` are of the judge's mean grade under its probabilities.
    ``confusion[h][j]`` counts the hypotheses that people graded h and the judge j. What the judge
    gave no answer for is ``unparsed``, labels without a grade are ``skipped``: neither is among
    the ``n`` that the numbers are of. A number that cannot be computed is None. ``kappa`` has
    quadratic weights; ``commonest`` is the share of the judge's commonest grade: one that gives it
    nearly always tells nothing.
    """
    known = [label for label in labels if label.grade is not None]
    questions = [label.question for label in known]
    answers = judge(questions, llm, family=family, calibration=calibration)
    return _row(labels, known, answers)


def compare_by_questions(
    labels: Sequence[Label], llm: TextModel, *, seed: int, family: str = "default"
) -> dict[str, Any]:
    """The same of a judge by yes/no questions, fitted on one half of the labels and compared with
    the other; each grade is halved by itself, at random.

    Raises:
        InputError: too few labels with a grade to fit to.
    """
    known = [label for label in labels if label.grade is not None]
    values = features([label.question for label in known], llm, family=family)
    grades = np.array([label.grade for label in known])
    fitted_on = halved(grades, seed)
    usable = fitted_on & ~np.isnan(values).any(axis=1)
    try:
        calibration = Calibration.fit(FEATURES, values[usable], [int(g) for g in grades[usable]])
    except ValueError as error:
        raise InputError(f"the judge cannot be fitted to these labels: {error}") from error
    held_out = [label for label, used in zip(known, fitted_on, strict=True) if not used]
    row = _row(held_out, held_out, graded(values[~fitted_on], calibration))
    return {**row, "fitted_on": int(usable.sum()), "skipped": len(labels) - len(known)}


def halved(grades: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """Which of the labels are fitted to: half of each grade, drawn by the seed."""
    fitted_on = np.zeros(len(grades), dtype=bool)
    rng = np.random.default_rng(seed)
    for one in GRADES:
        places = rng.permutation(np.flatnonzero(grades == one))
        fitted_on[places[: len(places) // 2]] = True
    return fitted_on


def _row(
    labels: Sequence[Label], known: Sequence[Label], answers: Sequence[Judged]
) -> dict[str, Any]:
    both = [
        (label, answer)
        for label, answer in zip(known, answers, strict=True)
        if answer.grade is not None
    ]
    pairs = [(label.grade or 0, answer.grade or 0) for label, answer in both]
    return {
        "n": len(both),
        **_agreement(pairs, [answer for _, answer in both]),
        **_intervals(pairs),
        "commonest": max(Counter(given for _, given in pairs).values()) / len(pairs)
        if pairs
        else None,
        "unparsed": len(known) - len(both),
        "skipped": len(labels) - len(known),
        "confusion": _confusion(pairs),
    }


def _label(line: str) -> Label | str:
    try:
        fields = foreign.json_object(line)
    except ForeignError as error:
        return str(error)
    missing = [name for name in FIELDS if name not in fields]
    if missing:
        return f"it has no {', '.join(missing)}"
    *texts, given = (fields[name] for name in FIELDS)
    if not all(isinstance(text, str) for text in texts):
        return "hypothesis, group_a and group_b must be texts"
    if given is not None and (
        not isinstance(given, int | float) or isinstance(given, bool) or given not in GRADES
    ):
        return f"manual_label is {given!r}; it must be 0, 1, 2 or null"
    hypothesis, truth_a, truth_b = texts
    return Label(Question(hypothesis, truth_a, truth_b), None if given is None else int(given))


def _agreement(
    pairs: Sequence[tuple[int, int]], answers: Sequence[Judged]
) -> dict[str, float | None]:
    if not pairs:
        return dict.fromkeys(ACCURACY_FIELDS)
    human, judged = np.array(pairs, dtype=np.float64).T
    expected = np.array([answer.expected for answer in answers], dtype=np.float64)
    return {
        "exact": float((human == judged).mean()),
        "mae": float(np.abs(human - judged).mean()),
        "pearson": _correlation(scipy_stats.pearsonr, human, judged),
        "spearman": _correlation(scipy_stats.spearmanr, human, judged),
        "kappa": quadratic_kappa(pairs),
        "pearson_expected": _correlation(scipy_stats.pearsonr, human, expected),
        "spearman_expected": _correlation(scipy_stats.spearmanr, human, expected),
    }


def quadratic_kappa(pairs: Sequence[tuple[int, int]]) -> float | None:
    """Cohen's kappa with quadratic weights (Cohen, Psychological Bulletin 70:213, 1968); None where
    either side never varies."""
    table = np.array(_confusion(pairs), dtype=np.float64)
    if (table.sum(axis=0) > 0).sum() < 2 or (table.sum(axis=1) > 0).sum() < 2:
        return None
    grades = np.arange(len(GRADES))
    weights = (grades[:, None] - grades[None]) ** 2
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(1 - (weights * table).sum() / (weights * chance).sum())


def _intervals(pairs: Sequence[tuple[int, int]]) -> dict[str, list[float] | None]:
    """95% bootstrap intervals over the hypotheses."""
    rng = np.random.default_rng(0)
    drawn: dict[str, list[float]] = {"exact": [], "spearman": [], "kappa": []}
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    for _ in range(RESAMPLES if len(pairs) > 1 else 0):
        some = both[rng.integers(len(both), size=len(both))]
        drawn["exact"].append(float((some[:, 0] == some[:, 1]).mean()))
        rho = _correlation(
            scipy_stats.spearmanr, some[:, 0].astype(np.float64), some[:, 1].astype(np.float64)
        )
        kappa = quadratic_kappa([(int(x), int(y)) for x, y in some])
        drawn["spearman"] += [] if rho is None else [rho]
        drawn["kappa"] += [] if kappa is None else [kappa]
    return {
        f"{name}_ci": [float(v) for v in np.quantile(values, (0.025, 0.975))] if values else None
        for name, values in drawn.items()
    }


def _correlation(function: Any, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float | None:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None  # undefined: one side never varies
    return float(function(x, y).statistic)


def _confusion(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    counts = Counter(pairs)
    return [[counts[human, judged] for judged in GRADES] for human in GRADES]


def scene_labels(n: int, seed: int) -> list[Label]:
    """``n`` hypotheses about held-out pairs of drawn scenes, with their exact grades.

    Grades 2, 1 and 0 come about equally often. A hypothesis is the truth in other words, a group
    that holds it, the truth narrowed by what happens to be so in one image, the other side, or
    something that some image shows.

    The exact grade is by the two descriptions, which are all that the judge is told: where every
    image has fine weather, "a dog in fine weather" says no more than "a dog", but it cannot know.
    """
    rng = np.random.default_rng([seed, 2])
    labels: list[Label] = []
    wanted = Counter({grade: -(-n // len(GRADES)) for grade in GRADES})
    while len(labels) < n:
        pair = make_pair(DIFFICULTIES[int(rng.integers(len(DIFFICULTIES)))], rng, n=8)
        told = replace(pair.truth, shared=frozenset())
        for text in _hypotheses(pair, rng):
            exact = grade(text, told)
            if wanted[exact] > 0 and len(labels) < n:
                wanted[exact] -= 1
                labels.append(Label(Question(text, pair.truth_a, pair.truth_b), exact))
    return labels


def _hypotheses(pair: Pair, rng: np.random.Generator) -> list[str]:
    """One of each sort that can be said of the pair, in words chosen at random."""
    (truth,), (other,) = pair.truth.a, pair.truth.b
    scene = pair.a[int(rng.integers(len(pair.a)))]
    shown = [
        (attribute, scene.get(attribute))
        for attribute in SAYABLE
        if attribute not in ("group", truth[0]) and scene.get(attribute) in SAYABLE[attribute]
    ]
    detail = shown[int(rng.integers(len(shown)))]
    assertions: list[tuple[Assertion, ...]] = [(truth,), (other,), (detail,), (truth, detail)]
    if truth[0] == "kind":
        assertions.append((("group", GROUP_OF[truth[1]]),))
    sayable = (said for said in assertions if all(v in SAYABLE.get(a, ()) for a, v in said))
    return [_in_words(said, rng) for said in sayable]


def _in_words(said: tuple[Assertion, ...], rng: np.random.Generator) -> str:
    if len(said) > 1:
        return conjunction(said, rng)
    wordings = phrases(*said[0])
    return wordings[int(rng.integers(len(wordings)))]
