"""Drawn scenes as a benchmark: run, graded, and not run twice."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.engines import OPTIONS, FakeEngine, FakeHandle, oracle
from visdiff_local.bench import accuracy, drawn
from visdiff_local.config import RunConfig
from visdiff_local.types import (
    RunResult,
)


def test_scenes_are_run_graded_and_not_run_twice(tmp_path: Path) -> None:
    plan = drawn.Plan(pairs=2, runs=2, seed=5, images=3)
    engine = FakeEngine(oracle)
    told: list[int] = []
    trials = list(drawn.trials(plan, OPTIONS, engine, tmp_path, advance=told.append))
    assert len(trials) == 12 == engine.ran == sum(told)
    assert {t.seed for t in trials} == {5, 6}
    rows = {(r["split"], r["grader"]): r for r in accuracy.rows(trials, np.random.default_rng(0))}
    assert rows["easy", "exact"]["acc@1"] == 1.0
    assert rows["hard", "exact"]["acc@1"] == 0.0
    assert rows["hard", "exact"]["acc@5"] == 1.0
    assert rows["hard", "judge"]["acc@1"] == 1.0
    again = FakeEngine(oracle)
    assert list(drawn.trials(plan, OPTIONS, again, tmp_path)) == trials
    assert again.ran == 0
    other = list(drawn.trials(plan, {**OPTIONS, "ranker": "vqa"}, again, tmp_path))
    assert again.ran == 12
    assert {t.ranker for t in other} == {"vqa"}


def test_an_interrupted_benchmark_goes_on(tmp_path: Path) -> None:
    plan = drawn.Plan(pairs=1, images=2)
    calls = 0

    def breaks(config: RunConfig) -> RunResult:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return oracle(config)

    with pytest.raises(KeyboardInterrupt):
        list(drawn.trials(plan, OPTIONS, FakeEngine(breaks), tmp_path))
    engine = FakeEngine(oracle)
    assert len(list(drawn.trials(plan, OPTIONS, engine, tmp_path))) == 3
    assert engine.ran == 1


def test_other_weights_are_another_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = drawn.Plan(pairs=1, images=2, splits=("easy",))
    engine = FakeEngine(oracle)
    list(drawn.trials(plan, OPTIONS, engine, tmp_path))
    monkeypatch.setattr(FakeHandle, "fingerprint", "other weights")
    list(drawn.trials(plan, OPTIONS, engine, tmp_path))
    assert engine.ran == 2


def test_pictures_half_drawn_are_drawn_again(tmp_path: Path) -> None:
    plan = drawn.Plan(pairs=1, images=2, splits=("easy",))
    (pair,) = drawn.drawn_pairs(plan)
    folder = drawn.pair_folder(pair, plan, tmp_path)
    before = (folder / "a" / "0001.png").read_bytes()
    (folder / "pair.json").unlink()
    (folder / "a" / "0001.png").write_bytes(b"")
    assert drawn.pair_folder(pair, plan, tmp_path) == folder
    assert (folder / "a" / "0001.png").read_bytes() == before
