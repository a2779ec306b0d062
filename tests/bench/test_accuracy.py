"""Accuracy: the best grade among the first k, rows, intervals."""

import json

import numpy as np
import pytest

from tests.support.engines import found, result_of, trial
from visdiff_local.bench import accuracy
from visdiff_local.bench.accuracy import Trial
from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError


def test_accuracy_is_the_best_grade_among_the_first_k_halved() -> None:
    assert trial("p", 0, [1, 0, 2]).score("exact", 1) == 0.5
    assert trial("p", 0, [1, 0, 2]).score("exact", 5) == 1.0
    assert trial("p", 0, [0, 0, 0, 0, 0, 2]).score("exact", 5) == 0.0
    assert trial("p", 0, []).score("exact", 1) == 0.0
    assert trial("p", 0, [None, 1]).score("judge", 5) == 0.5


def test_the_list_that_counts_is_of_a_and_not_rejected() -> None:
    config = RunConfig.checked(a="a", b="b")
    result = result_of(
        config,
        [found("x", direction="b"), found("y", "rejected"), found("z", "suggestive"), found("w")],
        [0, 1, 2, None],
    )
    ranked = accuracy.graded(result, lambda text: {"z": 1, "w": 2}[text])
    assert [(g.text, g.exact, g.judge) for g in ranked] == [("z", 1, 2), ("w", 2, None)]


def test_rows_have_the_documented_fields() -> None:
    trials = [trial(f"p{i}", s, [i % 3, 2]) for i in range(12) for s in range(2)]
    exact, judged = accuracy.rows(trials, np.random.default_rng(0))
    assert {
        "split", "proposer", "ranker", "purity", "pairs", "seeds", "grader",
        "acc@1", "acc@1_ci", "acc@5", "acc@5_ci",
    } <= set(exact)  # fmt: skip
    assert (exact["pairs"], exact["seeds"]) == (12, 2)
    assert exact["acc@1"] == pytest.approx(0.5)
    assert exact["acc@5"] == 1.0
    assert exact["acc@5_ci"] == [1.0, 1.0]
    assert 0.2 < exact["acc@1_ci"][0] < 0.5 < exact["acc@1_ci"][1] < 0.8
    assert judged["grader"] == "judge"
    assert judged["unparsed"] == 0
    json.dumps([exact, judged])


def test_combinations_have_rows_of_their_own() -> None:
    trials = [trial("p", 0, [2], ranker=r, purity=p) for r in ("clip", "vqa") for p in (0.5, 1.0)]
    found_rows = accuracy.rows(trials, np.random.default_rng(0))
    assert [(r["ranker"], r["purity"]) for r in found_rows if r["grader"] == "exact"] == [
        ("clip", 0.5), ("clip", 1.0), ("vqa", 0.5), ("vqa", 1.0),
    ]  # fmt: skip


def test_unequal_seeds_are_refused() -> None:
    with pytest.raises(InputError, match="same seeds"):
        accuracy.rows(
            [trial("p", 0, [2]), trial("p", 1, [2]), trial("q", 0, [2])], np.random.default_rng(0)
        )


def test_a_difference_is_paired() -> None:
    """Pairs differ a lot and the two combinations hardly: only pairing can tell them apart."""
    ours = [trial(f"p{i}", 0, [2 if i % 2 else 1]) for i in range(40)]
    theirs = [trial(f"p{i}", 0, [1 if i % 2 else 0]) for i in range(40)]
    mean, low, high = accuracy.difference(ours, theirs, "exact", 1, np.random.default_rng(0))
    assert mean == pytest.approx(0.5)
    assert (low, high) == (0.5, 0.5)
    with pytest.raises(InputError, match="same pairs"):
        accuracy.difference(ours, [trial("other", 0, [1])], "exact", 1, np.random.default_rng(0))


def test_trials_survive_json() -> None:
    one = trial("p", 3, [2, None])
    assert Trial.from_dict(json.loads(json.dumps(one.as_dict()))) == one
