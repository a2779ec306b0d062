"""How far the judge agrees with grades by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.paths import shared
from tests.support.stage_doubles import Words
from visdiff_local.bench import judge
from visdiff_local.errors import InputError, ProblemsError


def labels_file(path: Path, *rows: dict[str, Any] | str) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def label(hypothesis: str, value: Any) -> dict[str, Any]:
    return {"hypothesis": hypothesis, "group_a": "dogs", "group_b": "cats", "manual_label": value}


def says(grades: dict[str, int]) -> Words:
    def choose(prompt: str) -> list[float]:
        chosen = next((g for text, g in grades.items() if text in prompt), None)
        return [float("nan")] * 3 if chosen is None else [float(i == chosen) for i in range(3)]

    return Words(choose=choose)


def test_agreement_with_labels_by_hand(tmp_path: Path) -> None:
    path = labels_file(
        tmp_path / "labels.jsonl",
        label("one1", 2), label("two2", 2), label("three3", 1), label("four4", 0),
        label("skipped", None), label("silence", 1),
    )  # fmt: skip
    llm = says({"one1": 2, "two2": 1, "three3": 1, "four4": 2})
    row = judge.compare_with_labels(judge.read_labels(path), llm)
    human, judged = [2, 2, 1, 0], [2, 1, 1, 2]
    assert row["n"] == 4
    assert row["exact"] == 0.5
    assert row["mae"] == 0.75
    assert row["pearson"] == pytest.approx(np.corrcoef(human, judged)[0, 1])
    assert (row["unparsed"], row["skipped"]) == (1, 1)
    assert row["confusion"] == [[0, 0, 1], [0, 1, 0], [0, 1, 1]]
    assert not any("skipped" in prompt for prompt in llm.asked)


def test_a_constant_judge_has_no_correlation(tmp_path: Path) -> None:
    path = labels_file(tmp_path / "l", label("one1", 2), label("two2", 0))
    row = judge.compare_with_labels(judge.read_labels(path), says({"one1": 1, "two2": 1}))
    assert row["pearson"] is None
    assert row["spearman"] is None
    assert row["mae"] == 1.0


def test_all_bad_labels_are_reported_together(tmp_path: Path) -> None:
    path = labels_file(
        tmp_path / "labels.jsonl",
        "{oops",
        label("x", 3),
        {"hypothesis": "x"},
        label("y", True),
        "[]",
    )
    with pytest.raises(ProblemsError) as error:
        judge.read_labels(path)
    assert [text.split(":")[0] for text in error.value.problems] == [
        f"line {n}" for n in (1, 2, 3, 4, 5)
    ]
    with pytest.raises(InputError, match="cannot be read"):
        judge.read_labels(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no label"):
        judge.read_labels(labels_file(tmp_path / "empty", ""))


def test_the_published_labels_are_read() -> None:
    labels = judge.read_labels(shared("data/judge_labels.jsonl"))
    assert len(labels) == 108
    assert {one.grade for one in labels} == {0, 1, 2}


def test_scene_labels_are_exact_and_balanced() -> None:
    labels = judge.scene_labels(60, seed=3)
    assert len(labels) == 60
    counts = [sum(one.grade == g for one in labels) for g in (0, 1, 2)]
    assert counts == [20, 20, 20]
    assert len({one.question for one in labels}) > 50
    assert judge.scene_labels(60, seed=3) == labels
