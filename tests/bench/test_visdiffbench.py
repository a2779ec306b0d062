"""VisDiffBench: its tables, and images that are missing."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.engines import OPTIONS, FakeEngine, found, result_of
from tests.support.paths import shared
from visdiff_local.bench import accuracy, visdiffbench
from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError, ProblemsError
from visdiff_local.types import (
    RunResult,
)


def official(name: str) -> Path:
    return shared("data/visdiffbench") / name


def test_the_official_tables_are_read_as_they_are(tmp_path: Path) -> None:
    pairs = visdiffbench.read_pairs(official("PairedImageSets.csv").parent, tmp_path)
    counts = {split: sum(p.split == split for p in pairs) for split in visdiffbench.Plan().splits}
    assert counts == {"easy": 50, "medium": 50, "hard": 50, "imagenet-r/*": 14 + 23}
    assert pairs[0].name == "Dogs playing in a park / Cats playing in a park"
    assert all(len(p.missing) == 200 for p in pairs if p.split != "imagenet-r/*")
    assert {p.b.group for p in pairs if p.split == "imagenet-r/*"} == {"imagenet", "base"}
    sentences = {
        split: {
            (row["set1"], row["set2"])
            for line in official(f"pairs_{split}.jsonl").read_text(encoding="utf-8").splitlines()
            for row in [json.loads(line)]
        }
        for split in ("easy", "medium", "hard")
    }
    groups = {
        split: {(p.a.group, p.b.group) for p in pairs if p.split == split} for split in sentences
    }
    assert groups["easy"] == sentences["easy"]
    assert groups["medium"] | groups["hard"] == sentences["medium"] | sentences["hard"]


@pytest.fixture
def small_bench(tmp_path: Path) -> tuple[Path, Path]:
    """Two pairs in the official layout; the second lacks one image on disk."""
    tables_dir, root = tmp_path / "tables", tmp_path / "images"
    tables_dir.mkdir()
    with (tables_dir / "PairedImageSets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["group_name", "path", "difference", "difficulty"])
        for pair in (1, 2):
            for side in "ab":
                for number in range(2):
                    path = f"easy/{pair}_{side}/{number}.jpg"
                    writer.writerow(
                        [f"group {pair}{side}", f"./data/VisDiffBench/{path}", "same", "easy"]
                    )
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    if (pair, side, number) != (2, "b", 1):
                        (root / path).write_bytes(b"image")
    return tables_dir, root


def truthful(config: RunConfig) -> RunResult:
    with Path(config.a).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["group_name"] for row in rows} == {config.where_a, config.where_b}
    assert all(Path(row["path"]).exists() for row in rows)
    return result_of(config, [found(config.truth_a or "")], [2])


def test_missing_images_are_listed_and_their_pair_not_run(
    small_bench: tuple[Path, Path], tmp_path: Path
) -> None:
    pairs = visdiffbench.read_pairs(*small_bench)
    missing, engine = visdiffbench.Missing(), FakeEngine(truthful)
    plan = visdiffbench.Plan()
    trials = list(visdiffbench.trials(plan, pairs, OPTIONS, engine, tmp_path, missing))
    assert [t.pair for t in trials] == ["group 1a / group 1b"]
    assert missing.by_pair == {"easy: group 2a / group 2b": ("./data/VisDiffBench/easy/2_b/1.jpg",)}
    (row,) = accuracy.rows(trials, np.random.default_rng(0))
    assert (row["grader"], row["split"], row["acc@1"]) == ("judge", "easy", 1.0)
    partial = visdiffbench.Plan(partial=True)
    both = list(visdiffbench.trials(partial, pairs, OPTIONS, engine, tmp_path, missing))
    assert len(both) == 2
    assert engine.ran == 2
    assert missing.files == 1


def test_paths_of_a_table_stay_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"x")
    root = tmp_path / "root"
    root.mkdir()
    for named in (
        "../secret.jpg",
        str(tmp_path / "secret.jpg"),
        "./data/VisDiffBench/../../secret.jpg",
    ):
        assert visdiffbench._located(named, root) is None


def test_tables_that_are_wrong_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of"):
        visdiffbench.read_pairs(tmp_path, tmp_path)
    (tmp_path / "ImageNetR.csv").write_text("path,group\nx,y\n")
    (tmp_path / "PairedImageSets.csv").write_text("")
    with pytest.raises(ProblemsError) as error:
        visdiffbench.read_pairs(tmp_path, tmp_path)
    assert error.value.problems == (
        "PairedImageSets.csv has no column path, group_name",
        "ImageNetR.csv has no column group_name",
    )
