"""Labels by hand become the shares that the report, Python and the page show."""

from pathlib import Path

import numpy as np
import pytest

from tests.support import view_run
from tests.support.html_page import Page
from visdiff_local import load, stats
from visdiff_local.results import labels, notes, serialize
from visdiff_local.results.report import write_report
from visdiff_local.serve.view.data import Gallery


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return view_run.write(tmp_path / "run", tmp_path / "store")


def label(run: Path, of_a: list[bool], of_b: list[bool], text: str = "snowfall") -> None:
    """The first images of A and of B, in turn."""
    gallery, kept = Gallery.open(run), notes.load(run)
    for first, marks in ((0, of_a), (20, of_b)):
        for row, shows in enumerate(marks, start=first):
            kept = kept.labelled(text, gallery.fact(row, "id"), shows)
    notes.save(run, kept)


def test_the_shares_take_the_place_of_the_models_own_and_go_with_the_labels(run: Path) -> None:
    before = (run / "run.json").read_bytes()
    label(run, [True, False, False, False, False, False], [True] * 8)
    found = {d.text: d for d in load(run).differences}
    assert found["a hat"].prevalence_a is None
    share = found["snowfall"]
    assert (share.prevalence_a, share.prevalence_b) == (1 / 6, 1.0)
    assert share.prevalence_a_ci == pytest.approx(stats.wilson(1, 6))
    assert share.labels == (6, 8)
    frame = load(run).to_dataframe().set_index("text")
    assert frame.loc["snowfall", "prevalence_b"] == 1.0
    assert (run / "run.json").read_bytes() == before
    shown = Page(write_report(run).read_text())
    assert "shown in A, by 6 labels" in " ".join(shown.text.split())
    (run / notes.LABELS).unlink()
    assert load(run).differences == serialize.load(run).differences


def test_too_few_labels_change_nothing(run: Path) -> None:
    label(run, [True] * 4, [True] * 8)
    assert load(run).differences == serialize.load(run).differences


def test_a_result_with_labels_is_written_and_read_again(run: Path, tmp_path: Path) -> None:
    label(run, [True] * 6, [False] * 6)
    again = load(load(run).save(tmp_path / "copy"))
    assert {d.text: d.labels for d in again.differences}["snowfall"] == (6, 6)


def test_answers_of_a_model_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(400) < 0.3
    predicted = np.where(truth, 0.9, 0.1).astype(np.float32)
    images = [(f"{n}", "a") for n in range(400)]
    marks = {f"{n}": bool(truth[n]) for n in range(60)}
    (alone,) = labels.shares(marks, images, ("a",), None)
    (helped,) = labels.shares(marks, images, ("a",), predicted)
    assert helped.corrected
    assert not alone.corrected
    assert helped.interval is not None
    assert alone.interval is not None
    assert helped.interval[1] - helped.interval[0] < alone.interval[1] - alone.interval[0]
    assert helped.interval[0] <= truth.mean() <= helped.interval[1]
