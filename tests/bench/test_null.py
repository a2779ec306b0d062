"""A/A and power: false finds and true ones are counted."""

import csv
from pathlib import Path

import pytest

from tests.support.engines import OPTIONS, FakeEngine, found, result_of
from visdiff_local.bench import null
from visdiff_local.bench.accuracy import Graded, Trial
from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError
from visdiff_local.types import (
    RunResult,
)


def test_aa_counts_confirmed_runs_with_an_exact_interval(tmp_path: Path) -> None:
    pool = null.draw_pool(8, 0, tmp_path)

    def sometimes(config: RunConfig) -> RunResult:
        with Path(config.a).open(newline="") as file:
            sides = [row["group_name"] for row in csv.DictReader(file)]
        assert sorted(sides) == ["a"] * 4 + ["b"] * 4
        verdict = "confirmed" if config.seed == 3 else "suggestive"
        return result_of(config, [found("x", verdict)])

    engine = FakeEngine(sometimes)
    row = null.aa_row(pool, OPTIONS, engine, tmp_path, runs=20, seed=0)
    assert (row["stats"], row["runs"], row["alpha"], row["confirmed"]) == ("trusted", 20, 0.05, 1)
    assert row["rate"] == 0.05
    assert row["rate_ci"] == pytest.approx([0.00127, 0.24873], abs=1e-4)  # published tables
    null.aa_row(pool, OPTIONS, engine, tmp_path, runs=20, seed=0)
    assert engine.ran == 20
    with pytest.raises(InputError, match="at least two"):
        null.aa_row(pool[:1], OPTIONS, engine, tmp_path, runs=1, seed=0)


def test_power_tells_true_finds_from_false_ones() -> None:
    def outcome(verdict: str, exact: int) -> Trial:
        return Trial("easy", "p", 0, "caption", "clip", 0.5, (Graded("x", 0.9, verdict, exact),))

    trials = [outcome("confirmed", 2), outcome("confirmed", 0), outcome("suggestive", 2)]
    (row,) = null.power_rows(trials)
    assert (row["runs"], row["found"], row["false"]) == (3, 1, 1)
