"""Sweep files, their grids, and what a sweep writes."""

import csv
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pyarrow import parquet

from tests.support.engines import FakeEngine, oracle
from tests.support.paths import ROOT
from visdiff_local.bench.sweep import read_sweep, run_sweep, summarise, write
from visdiff_local.errors import ProblemsError, UsageError

SWEEPS = ROOT / "scripts" / "sweeps"

SMALL = """
title = "Small"
baseline = { case = "one", purity = 1.0 }
[bench]
pairs = 1
runs = 2
images = 2
splits = ["easy", "hard"]
[options]
rounds = 2
[grid]
purity = [0.5, 1.0]
[[case]]
name = "one"
ranker = "clip"
[[case]]
name = "two"
ranker = "clip>vqa"
"""


def sweep_file(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_ready_sweeps_are_valid(path: Path) -> None:
    sweep = read_sweep(path)
    assert sweep.trials > 0
    assert len({c.label for c in sweep.combinations}) == len(sweep.combinations)


def test_all_ready_sweeps_are_there() -> None:
    assert {path.stem for path in SWEEPS.glob("*.toml")} == {
        "table2", "purity", "caption_style", "language_model", "sample_size", "rounds",
        "probability", "faint", "defaults",
    }  # fmt: skip


def test_grid_times_cases(tmp_path: Path) -> None:
    sweep = read_sweep(sweep_file(tmp_path, SMALL))
    assert [(c.varied["case"], c.plan.purity) for c in sweep.combinations] == [
        ("one", 0.5), ("one", 1.0), ("two", 0.5), ("two", 1.0),
    ]  # fmt: skip
    assert all(c.options["rounds"] == 2 for c in sweep.combinations)
    assert sweep.combinations[2].options["ranker"] == "clip>vqa"
    assert sweep.baseline is sweep.combinations[1]
    assert sweep.trials == 4 * 2 * 2
    assert sweep.combinations[0].label == "one, purity 0.5"


def test_a_case_can_have_a_baseline_of_its_own(tmp_path: Path) -> None:
    text = SMALL + '[[case]]\nname = "three"\nranker = "vqa"\nagainst = "two"\n'
    sweep = read_sweep(sweep_file(tmp_path, text))
    others = [sweep.baseline_of(c) for c in sweep.combinations]
    assert others[4:] == list(sweep.combinations[2:4])
    assert others[:4] == [sweep.baseline, None, sweep.baseline, sweep.baseline]
    measured = run_sweep(sweep, FakeEngine(oracle), tmp_path / "work")
    write(sweep, measured, tmp_path / "out")
    assert "Gains of three are over: two." in (tmp_path / "out" / "summary.md").read_text()
    with pytest.raises(ProblemsError, match="case 3 is against 'three', which is no other case"):
        read_sweep(sweep_file(tmp_path, text.replace('against = "two"', 'against = "three"')))


def test_options_of_the_command_line_win_over_the_fixed_ones(tmp_path: Path) -> None:
    sweep = read_sweep(sweep_file(tmp_path, SMALL), {"pairs": 3, "rounds": 1, "profile": "nano"})
    assert sweep.combinations[0].plan.pairs == 3
    assert sweep.combinations[0].options["rounds"] == 1


def test_everything_wrong_is_reported_together(tmp_path: Path) -> None:
    path = sweep_file(
        tmp_path,
        """
        colour = "red"
        [bench]
        pears = 1
        [options]
        a = "x"
        [grid]
        rounds = 3
        [[case]]
        ranker = "clip"
        """,
    )
    with pytest.raises(ProblemsError) as error:
        read_sweep(path)
    assert error.value.problems == (
        "unknown key 'colour'",
        "[bench] has no 'pears'",
        "[options] has no 'a'",
        "[grid] rounds must be a list of values",
        "case 1 has no name",
    )


def test_every_combination_is_checked_before_anything_runs(tmp_path: Path) -> None:
    text = """
    baseline = { purity = 9 }
    [bench]
    splits = ["impossible"]
    [grid]
    alpha = [0.05, 7.0]
    """
    with pytest.raises(ProblemsError) as error:
        read_sweep(sweep_file(tmp_path, text))
    joined = "; ".join(error.value.problems)
    assert "alpha 7.0: --alpha" in joined
    assert "no split is called 'impossible'" in joined
    assert "baseline matches 0" in joined
    with pytest.raises(UsageError, match="cannot be read"):
        read_sweep(tmp_path / "nowhere.toml")
    with pytest.raises(ProblemsError):
        read_sweep(sweep_file(tmp_path, "= no toml"))


@pytest.fixture
def finished(tmp_path: Path) -> tuple[Any, Any, Path]:
    sweep = read_sweep(sweep_file(tmp_path, SMALL))
    return sweep, run_sweep(sweep, FakeEngine(oracle), tmp_path / "work"), tmp_path


def test_a_sweep_resumes(finished: tuple[Any, Any, Path]) -> None:
    sweep, measured, tmp_path = finished
    engine, told = FakeEngine(oracle), [0]
    again = run_sweep(sweep, engine, tmp_path / "work", advance=lambda n: told.append(n))
    assert again == measured
    assert engine.ran == 0
    assert sum(told) == sweep.trials


def test_the_summary_has_gains_over_the_baseline(finished: tuple[Any, Any, Path]) -> None:
    sweep, measured, _ = finished
    rows = summarise(sweep, measured)
    assert len(rows) == 4 * 2 * 2
    assert all(("acc@1_gain" in r) == ((r["case"], r["purity"]) != ("one", 1.0)) for r in rows)
    gains = {r["acc@1_gain"] for r in rows if "acc@1_gain" in r}
    assert gains == {0.0}
    assert rows == summarise(sweep, measured)


def test_what_is_written(finished: tuple[Any, Any, Path]) -> None:
    sweep, measured, tmp_path = finished
    written = write(sweep, measured, tmp_path / "out")
    assert {path.name for path in written} == {
        "trials.parquet", "trials.csv", "summary.csv", "summary.md", "exact.svg", "judge.svg",
    }  # fmt: skip
    assert all(path.stat().st_size for path in written)
    trials = parquet.read_table(tmp_path / "out" / "trials.parquet").to_pylist()
    assert len(trials) == sweep.trials
    assert {"case", "purity", "split", "pair", "seed", "exact_acc@1", "judge_acc@5"} <= set(
        trials[0]
    )
    assert {t["exact_acc@1"] for t in trials if t["split"] == "easy"} == {1.0}
    assert {t["exact_proposed"] for t in trials} == {True}
    text = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "| proposed | oracle@1 | oracle@5 |" in text
    with (tmp_path / "out" / "summary.csv").open(newline="") as file:
        summary = list(csv.DictReader(file))
    assert float(summary[0]["acc@1_low"]) <= float(summary[0]["acc@1"])
    text = (tmp_path / "out" / "summary.md").read_text()
    assert text.startswith("# Small\n")
    assert "Gains are over: one, purity 1.0." in text


def test_cases_without_a_number_are_drawn_as_lines(tmp_path: Path) -> None:
    text = SMALL.replace("purity = [0.5, 1.0]", "").replace(", purity = 1.0", "")
    text = text.replace('"two"', '"two, with a name that would leave no room for the axes at all"')
    text = text.replace('["easy", "hard"]', '["hard"]')
    sweep = read_sweep(sweep_file(tmp_path, text))
    measured = run_sweep(sweep, FakeEngine(oracle), tmp_path / "work")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of matplotlib, where labels leave no room for the axes
        written = write(sweep, measured, tmp_path / "out")
    drawing = next(path for path in written if path.name == "exact.svg").read_text()
    assert ElementTree.fromstring(drawing).tag.endswith("svg")
