"""A comparison is loaded again, and each of its parts is opened as a run."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.compared import cameras, colour_models, compare
from visdiff_local import load
from visdiff_local.api import Comparison, Result
from visdiff_local.cli.main import main
from visdiff_local.comparisons import output, parts
from visdiff_local.errors import InputError
from visdiff_local.results import comparison as stored
from visdiff_local.results import notes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Three cameras of which the second is red: the folder, and its comparison.json."""
    place = tmp_path_factory.mktemp("compared")
    with colour_models():
        content = compare(cameras(place), "--by", "camera")
    return place / "out", content


@pytest.fixture
def folder(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "out"))


def test_what_is_loaded_is_what_was_written(folder: Path) -> None:
    found = load(folder)
    assert isinstance(found, Comparison)
    assert json.loads(found.to_json()) == json.loads((folder / "comparison.json").read_text())
    assert repr(found) == "<Comparison: groups by camera, 1 of 3 confirmed, 90 images>"
    assert [text.text for text in found.confirmed] == ["a red square"]
    frame = found.to_dataframe()
    assert frame.loc[0, ["text", "verdict", "part"]].tolist() == [
        "a red square", "confirmed", "camera 2",
    ]  # fmt: skip
    long = found.to_dataframe(by_group=True)
    assert len(long) == 3 * 3
    assert set(long["group"]) == {"camera 1", "camera 2", "camera 3"}
    assert len(found.images()) == 90
    again = found.save(folder.parent / "again")
    assert json.loads((again / "comparison.json").read_text()) == json.loads(found.to_json())
    assert load(again).images().equals(found.images())


def test_a_part_is_a_result_with_the_figures_that_it_has_in_the_whole(folder: Path) -> None:
    found = load(folder)
    assert list(found.parts) == ["camera 1", "camera 2", "camera 3"]
    red = found.parts["camera 2"]
    assert isinstance(red, Result)
    assert repr(red) == "<Result: 1 of 3 confirmed, A=30, B=60>"
    (whole,) = [text for text in found.texts if text.text == "a red square"]
    first, cell = red.differences[0], whole.by_group["camera 2"]
    assert (first.text, first.auroc, first.q_value) == (whole.text, cell.auroc, cell.q_value)
    assert {red.run.a.validate, red.run.a.explore} == {15}
    assert len(first.evidence.a) == 6
    assert all(example.id in red.outcome.thumbnails for example in first.evidence.a)
    assert red.measured, "attributes are compared beside the texts"
    assert found.parts["camera 1"].confirmed == ()
    with pytest.raises(KeyError):
        found.parts["camera 9"]


@pytest.mark.parametrize("kept", [True, False])
def test_every_part_is_a_run_folder_made_when_it_is_opened_if_not_before(
    folder: Path, kept: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    part = folder / "parts" / "camera_2"
    assert (part / "run.json").is_file(), "small comparisons write them at once"
    if not kept:
        shutil.rmtree(folder / "parts")
    assert main(["report", str(part)]) == 0
    assert "a red square" in (part / "report.html").read_text()
    assert main(["export", str(part), "--to", str(folder.parent / "x.csv")]) == 0
    rows = (folder.parent / "x.csv").read_text().splitlines()
    assert len(rows) == 91
    assert sum(row.split(",")[1].strip('"') == "a" for row in rows) == 30
    assert load(part).confirmed[0].text == "a red square"
    assert len(load(part).images()) == 90
    capsys.readouterr()


def test_a_part_that_is_not_there_is_named_with_those_that_are(folder: Path) -> None:
    with pytest.raises(InputError, match="parts/camera_1, parts/camera_2"):
        load(folder / "parts" / "kamera")


def test_a_name_in_the_file_leads_nowhere_else(folder: Path) -> None:
    content = json.loads((folder / "comparison.json").read_text())
    for part in content["comparisons"]:
        part["folder"] = "../../elsewhere"
    (folder / "comparison.json").write_text(json.dumps(content))
    shutil.rmtree(folder / "parts")
    load(folder / "parts" / "camera_2")
    assert not (folder.parent.parent / "elsewhere").exists()
    assert (folder / "parts" / "camera_2" / "run.json").is_file()


def test_hostile_names_are_folders_of_their_own() -> None:
    names = ["../../etc", "a/b", "A/B", "..", "", "<b>", "x" * 300, "猫", "猫 "]
    places = parts.folders(names)
    assert len({place.casefold() for place in places.values()}) == len(names)
    for place in places.values():
        first, _, rest = place.partition("/")
        assert first == "parts"
        assert rest.strip(".")
        assert "/" not in rest
        assert len(rest) < 80


def test_a_new_comparison_takes_stale_parts_away_but_not_what_was_noted(folder: Path) -> None:
    noted, bare = folder / "parts" / "camera_1", folder / "parts" / "camera_3"
    notes.save(noted, notes.Notes(tags={"0": ("odd",)}))
    (folder / "parts" / "mine.txt").write_text("not ours")
    parts.clear(folder)
    assert not bare.exists()
    assert notes.load(noted).tags == {"0": ("odd",)}
    assert not (noted / "run.json").exists(), "of the comparison before"
    assert (folder / "parts" / "mine.txt").exists()


def test_many_parts_are_written_when_they_are_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "EAGER", 10)
    place = load(folder).save(folder.parent / "later")
    assert not (place / "parts").exists()
    assert load(place / "parts" / "camera_2").confirmed[0].text == "a red square"


@pytest.mark.parametrize("damage", ["{", "[]", '{"schema_version": 9}', '{"schema_version": 1}'])
def test_a_comparison_that_cannot_be_read_says_so(folder: Path, damage: str) -> None:
    (folder / "comparison.json").write_text(damage)
    with pytest.raises(InputError, match=r"comparison\.json"):
        stored.load(folder)


def test_the_report_is_drawn_again_from_the_folder_alone(folder: Path) -> None:
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_bytes() == before


def test_what_is_shared_has_no_name_of_a_file_or_a_group(folder: Path) -> None:
    assert main(["report", str(folder), "--no-images"]) == 0
    page = (folder / "report-shared.html").read_text()
    for name in ("camera 1", "camera 2", ".png", str(folder.parent.parent), "data:image"):
        assert name not in page
    assert "group 2" in page
    assert "a red square" in page
    assert "camera 2" in (folder / "report.html").read_text(), "which stays as it is"
