"""Tables as the paper has them."""

import numpy as np

from tests.support.engines import trial
from visdiff_local.bench import accuracy, drawn, tables
from visdiff_local.bench.scenes.grading import grade


def test_the_grid_has_the_papers_layout() -> None:
    trials = [
        trial(f"{split}{i}", 0, [2], split=split, ranker=ranker)
        for split in ("hard", "easy") for ranker in ("clip", "vqa") for i in range(2)
    ]  # fmt: skip
    rows = [r for r in accuracy.rows(trials, np.random.default_rng(0)) if r["grader"] == "exact"]
    head, body = tables.accuracy_grid(rows)
    assert head == ["proposer → ranker", "grader", "easy", "hard"]
    assert body[0] == ["caption → clip", "exact", *["1.00 [1.00–1.00]  1.00 [1.00–1.00]"] * 2]
    assert len(body) == 2
    text = tables.markdown(head, body)
    assert text.splitlines()[1] == "| --- | --- | --- | --- |"
    assert tables.terminal(head, body).row_count == 2


def test_exact_grades_of_the_truth_are_two() -> None:
    for pair in drawn.drawn_pairs(drawn.Plan(pairs=11, images=4)):
        assert grade(pair.truth_a, pair.truth) == 2, pair.name
