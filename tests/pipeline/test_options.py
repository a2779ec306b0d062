"""What options change: rankers, proposers, rules, sets that are small or the same."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from PIL import Image, ImageEnhance

from tests.support.colour_runs import RED_AND_BLUE, best, loaded, run
from tests.support.colours import Colours, draw

pytestmark = pytest.mark.usefixtures("colours_backend")


@pytest.mark.parametrize("ranker", ["clip", "vqa", "caption-qa", "clip>vqa", "clip+vqa"])
def test_every_ranker_finds_it(place: Path, ranker: str) -> None:
    content = loaded(run(place, "--ranker", ranker))
    assert best(content, "a")["text"] == "a red square"
    assert best(content, "a")["verdict"] == "confirmed"


@pytest.mark.parametrize("proposer", ["caption", "image", "feature", "keyword"])
def test_every_proposer_finds_it(place: Path, proposer: str) -> None:
    content = loaded(run(place, "--proposer", proposer))
    assert "red" in best(content, "a")["text"]
    assert best(content, "a")["provenance"]["proposer"] == proposer


@pytest.mark.parametrize("sampling", ["discriminative", "cluster"])
def test_every_sampling_works(place: Path, sampling: str) -> None:
    content = loaded(run(place, "--sampling", sampling, "--samples", "5", "--refine", "1"))
    assert best(content, "a")["text"] == "a red square"


def test_one_way_says_nothing_of_b(place: Path) -> None:
    content = loaded(run(place, "--one-way"))
    assert {d["direction"] for d in content["differences"]} == {"a"}


def test_nothing_proposed_measures_alone_and_opens_nothing(place: Path) -> None:
    content = loaded(run(place, "--proposer", "none"))
    assert Colours.opened == 0
    assert content["differences"] == []
    warm = next(m for m in content["measured"] if m["attribute"] == "warmth")
    assert warm["note"]
    assert warm["q_value"] < 0.05
    assert content["summary"]["conclusion"] == "nothing tested"
    assert "visdiff-local test" in " ".join(content["warnings"])


def test_the_papers_rule_splits_nothing(place: Path) -> None:
    content = loaded(run(place, "--stats", "paper"))
    assert content["sets"]["a"]["validate"] == content["sets"]["a"]["explore"] == 30
    assert {d["verdict"] for d in content["differences"]} <= {"confirmed", "rejected"}
    aurocs = [d["auroc"] for d in content["differences"]]
    assert aurocs == sorted(aurocs, reverse=True)


def test_cross_fitting_uses_both_halves_in_turn(place: Path) -> None:
    content = loaded(run(place, "--cross-fit"))
    said = [(d["text"], d["direction"]) for d in content["differences"]]
    assert len(said) == len(set(said))
    assert best(content, "a")["verdict"] == "confirmed"


@pytest.mark.parametrize("n", [1, 4, 19])
def test_small_sets_work_and_warn(place: Path, n: int) -> None:
    draw(place / "small_a", ["red"] * n, seed=5)
    draw(place / "small_b", ["blue"] * n, seed=6)
    content = loaded(run(place, f"{place}/small_a", f"{place}/small_b"))
    plural = "" if n == 1 else "s"
    assert f"A has only {n} image{plural}" in " ".join(content["warnings"])
    if n == 1:
        assert "in both the explore and the validate half" in " ".join(content["warnings"])
        assert content["summary"]["conclusion"] == "no difference found"


def test_identical_sets_are_named(place: Path) -> None:
    shutil.copytree(place / "a", place / "copy")
    content = loaded(run(place, f"{place}/a", f"{place}/copy"))
    assert "A and B are the same images" in " ".join(content["warnings"])
    assert content["summary"]["conclusion"] == "no difference found"
    assert all(d["across"] for d in content["duplicates"])


def test_images_in_both_sets_are_counted(place: Path) -> None:
    for name in ("000.png", "001.png"):
        shutil.copy(place / "a" / name, place / "b" / f"again-{name}")
    content = loaded(run(place))
    assert "2 images are in both A and B" in " ".join(content["warnings"])


def test_captions_that_come_with_a_table_need_no_captioner(place: Path) -> None:
    rows = ["path,group_name,caption"]
    for side in "ab":
        names = sorted((place / side).iterdir())
        colour = dict(zip(names, RED_AND_BLUE["ab".index(side)], strict=True))
        rows += [f"{side}/{n.name},{side},a {colour[n]} square" for n in names]
    (place / "table.csv").write_text("\n".join(rows) + "\n")
    content = loaded(run(place, str(place / "table.csv"), "--a", "a", "--b", "b"))
    assert content["calls"]["captioner"] == {"computed": 0, "from_store": 0}
    assert "captioner" not in content["run"]["models"]
    assert best(content, "a")["text"] == "a red square"


def test_pairs_are_tested_as_pairs(place: Path) -> None:
    for side, colour in (("a", "red"), ("b", "blue")):
        draw(place / side, [colour] * 30, seed=ord(side))
    rows = ["path,group_name,scene"]
    rows += [f"{s}/{i:03d}.png,{s},{i}" for s in "ab" for i in range(30) if (s, i) != ("b", 7)]
    (place / "table.csv").write_text("\n".join(rows) + "\n")
    table = [str(place / "table.csv"), "--a", "a", "--b", "b", "--paired-by", "scene"]
    content = loaded(run(place, *table))
    assert content["summary"]["design"]["paired_by"] == "scene"
    alone = [row for row in images(place) if row["pair"] == "7"]
    assert [row["used"] for row in alone] == [False]
    assert best(content, "a")["verdict"] == "confirmed"


def test_partners_that_are_nearly_the_same_are_no_finding(place: Path) -> None:
    """That a picture of A and its own partner in B are alike is what pairs are for."""
    draw(place / "a", ["red"] * 30, seed=5)
    rows = ["path,group_name,scene"]
    for i in range(30):
        with Image.open(place / "a" / f"{i:03d}.png") as image:
            ImageEnhance.Brightness(image).enhance(0.97).save(place / "b" / f"{i:03d}.png")
        rows += [f"{side}/{i:03d}.png,{side},{i}" for side in "ab"]
    (place / "table.csv").write_text("\n".join(rows) + "\n")
    table = [str(place / "table.csv"), "--a", "a", "--b", "b"]
    unpaired = " ".join(loaded(run(place, *table))["warnings"])
    paired = " ".join(loaded(run(place, *table, "--paired-by", "scene"))["warnings"])
    assert "30 image(s) of A have a near-duplicate in B" in unpaired
    assert "near-duplicate" not in paired


def images(place: Path) -> list[dict[str, Any]]:
    """The rows of the run's table of images."""
    rows: list[dict[str, Any]] = parquet.read_table(place / "out" / "images.parquet").to_pylist()
    return rows
