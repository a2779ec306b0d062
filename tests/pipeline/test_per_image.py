"""images.parquet says what the statistics were computed from, image by image."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local import stats
from visdiff_local.cli.main import main
from visdiff_local.models import registry
from visdiff_local.results.scores import Images
from visdiff_local.serve.view import pictures
from visdiff_local.session import configured, launch, locating


@pytest.fixture(autouse=True)
def _colours_backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    Colours.reset()
    yield
    Colours.reset()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    draw(tmp_path / "a", (["red"] * 9 + ["blue"]) * 3, seed=1)
    draw(tmp_path / "b", (["blue"] * 9 + ["red"]) * 3, seed=2)
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    return tmp_path


def run(place: Path, *options: str) -> tuple[dict[str, Any], pd.DataFrame, Images]:
    given = ["--profile", "colours", "--models", str(place / "models.toml")]
    given += ["--store", str(place / "store"), "--out", str(place / "out"), "--quiet"]
    sources = [] if options and not options[0].startswith("-") else [f"{place}/a", f"{place}/b"]
    assert main(["run", *given, *sources, *options]) == 0
    images = Images.open(place / "out")
    return json.loads((place / "out/run.json").read_text()), images.read().to_pandas(), images


def auroc_of_the_table(frame: pd.DataFrame, text: str, direction: str) -> float:
    half = frame[frame["half"].isin(["validate", "both"])]
    sign = 1 if direction == "a" else -1
    return float(stats.auroc(sign * half[text].to_numpy(), (half["set"] == "a").to_numpy())[0])


@pytest.mark.parametrize("ranker", ["clip", "vqa", "clip>vqa"])
def test_the_auroc_follows_from_the_table(place: Path, ranker: str) -> None:
    content, frame, images = run(place, "--ranker", ranker)
    assert len(frame) == 60
    for found in content["differences"]:
        area = auroc_of_the_table(frame, images.text(found["text"]).column, found["direction"])
        assert area == pytest.approx(found["auroc"], abs=1e-6)


def test_clip_scores_every_image_and_questions_only_those_that_test(place: Path) -> None:
    content, frame, images = run(place)
    text = content["differences"][0]["text"]
    assert images.text(text).kind == "cosine"
    assert not frame[text].isna().any()
    content, frame, images = run(place, "--ranker", "vqa")
    assert images.text(text).kind == "p_yes"
    assert frame[text].isna().tolist() == (frame["half"] == "explore").tolist()


def test_a_cascade_names_what_its_numbers_are(place: Path) -> None:
    content, _, images = run(place, "--ranker", "clip>vqa")
    kinds = {column.text: column.kind for column in images.texts}
    assert kinds[content["differences"][0]["text"]] == "p_yes"


def test_captions_that_were_used_are_there(place: Path) -> None:
    _, frame, _ = run(place)
    known = frame[frame["caption"].notna()]
    assert set(known["half"]) == {"explore"}
    assert all("square" in caption for caption in known["caption"])


def test_what_is_left_out_has_a_row_and_a_reason(place: Path) -> None:
    (place / "a" / "broken.png").write_bytes(b"no picture")
    (place / "b" / "again.png").write_bytes((place / "b" / "000.png").read_bytes())
    _, frame, _ = run(place)
    out = frame[~frame["used"]]
    assert len(out) == 2
    assert set(out["set"]) == {"a", "b"}
    assert out["reason"].notna().all()
    assert out["half"].isna().all()


def test_images_without_a_partner_are_not_used(place: Path) -> None:
    rows = ["path,group_name,scene"]
    rows += [f"{s}/{i:03d}.png,{s},{i}" for s in "ab" for i in range(30) if (s, i) != ("b", 7)]
    (place / "table.csv").write_text("\n".join(rows) + "\n")
    table = [str(place / "table.csv"), "--a", "a", "--b", "b", "--paired-by", "scene"]
    _, frame, _ = run(place, *table)
    assert frame[(frame["set"] == "a") & (frame["pair"] == "3")].shape[0] == 1
    left = frame[~frame["used"]]
    assert set(left["reason"]) <= {"no partner in the other set"}


def test_an_export_runs_again_to_the_same_result(place: Path) -> None:
    first, _, _ = run(place)
    assert main(["export", str(place / "out"), "--to", str(place / "x.csv")]) == 0
    again, frame, _ = run(place, str(place / "x.csv"), "--a", "a", "--b", "b")
    key = [(d["text"], d["direction"], d["auroc"]) for d in first["differences"]]
    assert [(d["text"], d["direction"], d["auroc"]) for d in again["differences"]] == key
    assert np.isfinite(frame["brightness"]).all()


def test_members_of_archives_come_back_from_an_export(place: Path) -> None:
    """A table names them through their archive, and an ImageFolder holds copies of them."""
    for side in "ab":
        with zipfile.ZipFile(place / f"{side}.zip", "w") as archive:
            for path in sorted((place / side).iterdir()):
                archive.write(path, f"photos/{path.name}")
    sources = f"{place}/a.zip", f"{place}/b.zip"
    first, frame, _ = run(place, *sources)
    assert frame["path"][0].endswith("a.zip/photos/000.png")
    assert main(["export", str(place / "out"), "--to", str(place / "x.csv")]) == 0
    copies = ["export", str(place / "out"), "--to", "imagefolder", str(place / "copies")]
    assert main(copies) == 0
    assert len(list((place / "copies").rglob("*.png"))) == 60
    again, _, _ = run(place, str(place / "x.csv"), "--a", "a", "--b", "b")
    assert [d["auroc"] for d in again["differences"]] == [d["auroc"] for d in first["differences"]]
    locate = locating(first["run"]["config"])
    identity, name = frame["id"][0], frame["path"][0]
    assert pictures.draw(identity, name, 100, locate).startswith(b"\xff\xd8\xff")


def test_columns_that_are_made_at_once_say_what_their_cells_say(place: Path) -> None:
    options = {"profile": "colours", "models": str(place / "models.toml")}
    options |= {"a": f"{place}/a", "b": f"{place}/b", "store": str(place / "store")}
    table = launch(configured(**options)).images
    assert table is not None
    for name, column in table.facts.items():
        made = column.array(7, 53)
        assert made is not None, name
        assert made.to_pylist() == list(column[7:53]), name
    assert set(table.facts["half"]) == {"explore", "validate"}
    assert any(table.facts["caption"])
