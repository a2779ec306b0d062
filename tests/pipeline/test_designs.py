"""The design of a run, end to end: clusters, strata, pairs, looks, and the five answers."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local.cli.main import main
from visdiff_local.config import RunConfig
from visdiff_local.images import ImageSet, Memory
from visdiff_local.models import registry
from visdiff_local.pipeline import grouping, support
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.types import Hypothesis, ImageRef, Provenance


@pytest.fixture(autouse=True)
def _colours_backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    Colours.reset()
    yield
    Colours.reset()


def table(folder: Path, rows: Sequence[tuple[str, str, str]], column: str) -> Path:
    """A table of pictures: (set, colour, value of the column)."""
    draw(folder / "pictures", [colour for _, colour, _ in rows], seed=3)
    lines = [f"path,group_name,{column}"]
    lines += [f"pictures/{i:03d}.png,{side},{value}" for i, (side, _, value) in enumerate(rows)]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    (folder / "models.toml").write_text(colours.MODELS_TOML)
    return folder / "table.csv"


def run(source: Path, *options: str, command: str = "run") -> dict[str, Any]:
    folder = source.parent
    given = ["--profile", "colours", "--models", str(folder / "models.toml"), "--quiet"]
    given += ["--store", str(folder / "store"), "--out", str(folder / "out")]
    words = [command, *(["a red square"] if command == "test" else []), str(source)]
    assert main([*words, "--a", "a", "--b", "b", *given, *options]) == 0
    content: dict[str, Any] = json.loads((folder / "out" / "run.json").read_text())
    return content


def verdict(content: dict[str, Any], text: str = "a red square", direction: str = "a") -> str:
    found = [d for d in content["differences"] if (d["text"], d["direction"]) == (text, direction)]
    return str(found[0]["verdict"]) if found else "rejected"


def patients(folder: Path) -> Path:
    """Twelve patients a set, five images each, every patient of one colour: chance, as seen by
    patients, and plain as seen by images."""
    mix = {"a": ["red"] * 8 + ["blue"] * 4, "b": ["red"] * 3 + ["blue"] * 9}
    rows = [
        (side, colour, f"{side}{number}")
        for side in "ab"
        for number, colour in enumerate(mix[side])
        for _ in range(5)
    ]
    return table(folder, rows, "patient")


def test_images_of_a_patient_count_as_one(tmp_path: Path) -> None:
    content = run(patients(tmp_path), "--cluster-by", "patient")
    assert verdict(content) != "confirmed"
    design = content["summary"]["design"]
    assert design["cluster_by"] == "patient"
    assert design["clusters_a"] == design["clusters_b"] == 6
    assert design["icc"] > 0.3
    assert not [w for w in content["warnings"] if "--cluster-by" in w]


def test_patients_that_nobody_named_are_warned_of_with_the_command(tmp_path: Path) -> None:
    content = run(patients(tmp_path))
    (warning,) = [w for w in content["warnings"] if "--cluster-by patient" in w]
    assert "alike" in warning
    assert content["summary"]["min_detectable_auroc"] < 0.85


def test_a_difference_of_the_class_mix_is_none_within_classes(tmp_path: Path) -> None:
    """Four fifths of A are of kind x, which is red nine times in ten; a fifth of B is."""
    rows = [
        (side, "red" if (kind == "x") == (number % 10 < 9) else "blue", kind)
        for side, x in (("a", 80), ("b", 20))
        for kind, count in (("x", x), ("y", 100 - x))
        for number in range(count)
    ]
    source = table(tmp_path, rows, "kind")
    assert verdict(run(source)) == "confirmed"
    content = run(source, "--within", "kind")
    assert verdict(content) != "confirmed"
    red = next(d for d in content["differences"] if d["text"] == "a red square")
    assert abs(red["auroc"] - 0.5) < 0.12
    assert abs(red["auroc_plain"] - 0.5) > 0.2
    assert content["summary"]["design"]["strata"] == 2


def test_strata_of_one_set_alone_are_named_as_left_out(tmp_path: Path) -> None:
    rows = [("a", "red", "both")] * 20 + [("b", "blue", "both")] * 20 + [("a", "red", "mine")] * 8
    content = run(table(tmp_path, rows, "site"), "--within", "site")
    assert "within site: mine" in " ".join(content["warnings"])
    assert verdict(content) == "confirmed"


def test_several_images_an_id_are_one_statistic(tmp_path: Path) -> None:
    rows = [
        (side, "red" if side == "a" else "blue", f"s{number}")
        for number in range(16)
        for side in "ab"
        for _ in range(3)
    ]
    content = run(table(tmp_path, rows, "scene"), "--paired-by", "scene")
    assert content["summary"]["design"]["paired_by"] == "scene"
    assert verdict(content) == "confirmed"
    assert "without a partner" not in " ".join(content["warnings"])


def test_looks_at_the_same_images_are_counted(tmp_path: Path) -> None:
    rows = [("a", "red", "x")] * 30 + [("b", "blue", "x")] * 30
    source = table(tmp_path, rows, "n")
    assert run(source)["summary"]["design"]["looks"] == 1
    assert run(source)["summary"]["design"]["looks"] == 1, "the same run is no new look"
    content = run(source, "--seed", "5")
    assert content["summary"]["design"]["looks"] == 2
    assert "run 2 on these very images" in " ".join(content["warnings"])
    assert (
        run(source, "--seed", "6", "--store", str(tmp_path / "new"))["summary"]["design"]["looks"]
        == 1
    )


def test_labels_of_a_table_give_a_share_with_an_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("a", "red", "x")] * 30 + [("b", "blue", "x")] * 30
    content = run(table(tmp_path, rows, "n"), "--ranker", "vqa")
    assert content["differences"][0]["prevalence_a"] is not None
    lines = ["name,label", *(f"{i:03d}.png,{'yes' if i < 30 else 'no'}" for i in range(0, 60, 3))]
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "nowhere.png,yes"]) + "\n")
    capsys.readouterr()
    words = ["label", str(tmp_path / "out"), "--text", "a red square"]
    assert main([*words, "--from", str(tmp_path / "labels.csv")]) == 0
    said = capsys.readouterr()
    assert "is shown in 100% of images" in said.out
    assert "is shown in 0% of images" in said.out
    assert "1 rows are left out, such as nowhere.png" in said.err
    kept = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert len(kept["a red square"]) == 20
    assert main([*words, "--from", str(tmp_path / "models.toml")]) == 2


def test_own_texts_are_tested_on_all_images(tmp_path: Path) -> None:
    rows = [("a", "red", "x")] * 12 + [("b", "blue", "x")] * 12
    content = run(table(tmp_path, rows, "n"), command="test")
    assert content["sets"]["a"]["validate"] == 12
    assert verdict(content) == "confirmed"


# ---- what belongs together -----------------------------------------------------------------------


def images(names: Sequence[str]) -> tuple[ImageRef, ...]:
    return tuple(ImageRef(name, Memory(b"", name)) for name in names)


def test_near_duplicates_and_the_same_bytes_in_both_sets_are_clusters_unasked() -> None:
    a, b = ImageSet("a", images(["1", "2", "3", "x"])), ImageSet("b", images(["4", "5", "x"]))
    config = RunConfig.checked(a="a", b="b")
    made = grouping.of_sets(a, b, [("1", "2"), ("3", "4")], config)
    unit = made.images(a.images, b.images).design.unit.tolist()
    assert unit[0] == unit[1]
    assert unit[2] == unit[4]
    assert unit[3] == unit[6]
    assert len(set(unit)) == 4


def test_images_that_stand_alone_have_the_plain_design() -> None:
    a, b = ImageSet("a", images("123")), ImageSet("b", images("456"))
    made = grouping.of_sets(a, b, [], RunConfig.checked(a="a", b="b"))
    assert made.images(a.images, b.images).design.plain


# ---- support -------------------------------------------------------------------------------------


def test_the_best_images_are_of_the_text_s_own_set() -> None:
    both = Images.of(images([f"a{i}" for i in range(60)]), images([f"b{i}" for i in range(60)]))
    values = np.arange(120, dtype=np.float32)
    for direction, wanted in (("a", range(59, 53, -1)), ("b", range(119, 113, -1))):
        text = Hypothesis("x", direction, Provenance("user", 0))  # type: ignore[arg-type]
        assert support.best(values, both, text) == list(wanted)


def test_answers_of_a_model_are_their_own_support() -> None:
    both = Images.of(images("abcde"), images("vwxyz"))
    text = Hypothesis("x", "a", Provenance("user", 0))
    values = np.array([[0.9] * 5 + [1.0] * 5], np.float32)
    assert support.by_answers([text], values, both) == [pytest.approx(0.9)]
