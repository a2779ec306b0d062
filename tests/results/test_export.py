"""Exports, opened by the programs that they are for."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.support import image_table
from visdiff_local import ImageSet
from visdiff_local.cli.main import cli
from visdiff_local.errors import InputError, UsageError
from visdiff_local.results import notes
from visdiff_local.results.export import Choice, export


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return image_table.folder(tmp_path / "run")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_a_table_is_one_that_run_takes_again(run: Path, tmp_path: Path, suffix: str) -> None:
    place = export(run, str(tmp_path / f"x.{suffix}"), Choice())
    for side in ("a", "b"):
        again = ImageSet.from_table(place, side)
        assert [Path(ref.name) for ref in again.images][:4] == [
            tmp_path / "photos" / side / f"{i:03}.png" for i in range(4)
        ]
    assert ImageSet.from_table(place, "a").images[0].caption == '=a hat, "quoted"\nand more'


def test_pandas_reads_the_csv_with_its_types(run: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(export(run, str(tmp_path / "x.csv"), Choice()))
    assert list(frame.columns[:2]) == ["path", "group_name"]
    assert frame["a hat"].dtype == float
    assert frame["a hat"].isna().tolist() == [False] * 8 + [True]
    assert frame["caption"][0] == '\'=a hat, "quoted"\nand more'


def test_the_best_images_of_a_text_come_first(run: Path, tmp_path: Path) -> None:
    place = export(run, str(tmp_path / "x.csv"), Choice("A HAT", 3))
    rows = list(csv.DictReader(place.open(newline="")))
    assert [row["name"] for row in rows] == ["000.png", "001.png", "002.png"]
    assert "text: resolution" not in rows[0]


def test_nothing_that_names_a_file_leaves_without_paths(run: Path, tmp_path: Path) -> None:
    shared = Choice(paths=False)
    for to in ("x.csv", "coco.json"):
        content = export(run, str(tmp_path / to), shared).read_text()
        for word in ("photos", "000.png", "secret", "patient", str(tmp_path)):
            assert word not in content
    frame = pd.read_csv(tmp_path / "x.csv")
    assert frame["cluster"].nunique() == 3
    assert frame["reason"].dropna().tolist() == ["the same bytes"]
    folder = export(run, "fiftyone", shared, tmp_path / "fo")
    assert sorted(p.name for p in folder.iterdir()) == ["labels.json"]
    assert "photos" not in (folder / "labels.json").read_text()
    copies = export(run, "imagefolder", shared, tmp_path / "if")
    assert not list(copies.rglob("000.png"))
    assert len(list(copies.rglob("*.png"))) == 8


@pytest.mark.parametrize("to", ["x.csv", "x.parquet", "coco.json", "imagefolder", "fiftyone"])
def test_no_name_leaves_by_any_way(to: str, tmp_path: Path) -> None:
    """In groups of a comparison, captions, and the fields of the files themselves."""
    run = image_table.folder(tmp_path / "run", named="Quixada")
    planted = (tmp_path / "photos/a/Quixada000.png").read_bytes()
    assert b"Quixada" in planted
    folder = None if "." in to else tmp_path / "folder"
    place = export(run, str(tmp_path / to) if folder is None else to, Choice(paths=False), folder)
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert b"Quixada" not in path.read_bytes()
        assert "Quixada" not in str(path.relative_to(tmp_path))
    if to == "x.csv":
        frame = pd.read_csv(place)
        assert set(frame["group_name"]) == {"a", "group 1"}
        assert frame["caption"][1] == "… shows a hat"


def test_coco_is_what_pycocotools_reads(run: Path, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    coco = COCO(str(export(run, str(tmp_path / "coco.json"), Choice("a hat", 5))))
    by_name = {item["name"]: item for item in coco.loadCats(coco.getCatIds())}
    assert set(by_name) == {"a", "b", "a hat"}
    shown = coco.loadAnns(coco.getAnnIds(catIds=[by_name["a hat"]["id"]]))
    assert [round(each["score"], 1) for each in shown] == [0.9, 0.8, 0.7, 0.6, 0.3]
    image = coco.loadImgs(shown[0]["image_id"])[0]
    assert (image["width"], image["height"]) == image_table.SIZE
    assert Path(image["file_name"]).exists()
    assert coco.annToMask(shown[0]).sum() == 48


def test_an_imagefolder_is_what_datasets_loads(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    place = export(run, "imagefolder", Choice(), tmp_path / "if")
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(place), cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert loaded.num_rows == 8
    assert loaded[0]["image"].size == image_table.SIZE
    assert sorted(loaded["group_name"]) == ["a"] * 4 + ["b"] * 4
    assert max(loaded["a hat"]) == pytest.approx(0.9)


def test_a_fiftyone_dataset_is_as_its_format_is_published(run: Path, tmp_path: Path) -> None:
    place = export(run, "fiftyone", Choice(), tmp_path / "fo")
    data = json.loads((place / "data.json").read_text())
    labels = json.loads((place / "labels.json").read_text())
    assert set(labels) == {"classes", "labels"}
    assert labels["classes"] == ["a", "b"]
    assert set(data) == set(labels["labels"])
    assert all(Path(path).exists() for path in data.values())
    first = labels["labels"][next(iter(data))]
    assert first["label"] == "a"
    assert first["attributes"]["a hat"] == pytest.approx(0.9)


def test_tags_and_labels_go_with_the_images(run: Path, tmp_path: Path) -> None:
    first = pd.read_csv(export(run, str(tmp_path / "x.csv"), Choice()))["id"][0]
    added = notes.load(run).tagged([first], "check", on=True).labelled("a hat", first, True)
    notes.save(run, added)
    frame = pd.read_csv(export(run, str(tmp_path / "y.csv"), Choice()))
    assert frame["tags"][0] == "check"
    assert frame["label: a hat"].tolist()[0] == True  # noqa: E712 (numpy's own bool)
    assert frame["tags"].isna().sum() == 8


def test_what_cannot_be_done_is_said_with_what_can(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.xlsx: there is no such format; choose .* FILE\.csv"):
        export(run, "x.xlsx", Choice())
    with pytest.raises(InputError, match="'a cat' was not tested in this run"):
        export(run, str(tmp_path / "x.csv"), Choice("a cat", 3))
    with pytest.raises(InputError, match="no image has a score for 'resolution'"):
        export(run, str(tmp_path / "x.csv"), Choice("resolution", 3))
    with pytest.raises(UsageError, match="not an empty folder"):
        export(run, "imagefolder", Choice(), run)
    with pytest.raises(UsageError, match="--top needs --text"):
        export(run, str(tmp_path / "x.csv"), Choice(top=3))
    with pytest.raises(UsageError, match="cannot be written"):
        export(run, str(tmp_path / "no" / "x.csv"), Choice())
    assert not (tmp_path / "x.csv").exists()


def test_the_command_prints_where_it_wrote(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "top.csv"
    words = ["export", str(run), "--to", str(place), "--text", "a hat", "--top", "2"]
    done = CliRunner().invoke(cli, words)
    assert (done.exit_code, done.output) == (0, f"{place}\n")
    assert len(pd.read_csv(place)) == 2
