"""Whatever Python users hold is a set: lists, pictures, arrays, frames; and results come back."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import visdiff_local
from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local import ImageSet, evaluate_hypotheses, load
from visdiff_local.errors import InputError
from visdiff_local.models import registry


@pytest.fixture(autouse=True)
def _colours_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "store"))
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    monkeypatch.setenv("VISDIFF_MODELS", str(tmp_path / "models.toml"))
    Colours.reset()


RED = "a red square"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    a = draw(tmp_path / "a", ["red"] * 20, seed=1)
    return a, draw(tmp_path / "b", ["blue"] * 20, seed=2)


def outcome(a: Any, b: Any, text: Any = RED) -> visdiff_local.Result:
    return evaluate_hypotheses(text, a, b, profile="colours")


def paths(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.mark.parametrize("kind", ["paths", "texts", "pictures", "arrays", "stack", "series"])
def test_lists_of_every_kind_give_what_folders_give(folders: tuple[Path, Path], kind: str) -> None:
    def held(folder: Path) -> Any:
        pictures = [Image.open(path) for path in paths(folder)]
        return {
            "paths": paths(folder),
            "texts": [str(path) for path in paths(folder)],
            "pictures": pictures,
            "arrays": [np.asarray(picture) for picture in pictures],
            "stack": np.stack([np.asarray(picture) for picture in pictures]),
            "series": pd.Series([str(path) for path in paths(folder)]),
        }[kind]

    expected = outcome(*folders).differences[0]
    result = outcome(held(folders[0]), held(folders[1]))
    found = result.differences[0]
    assert (found.text, found.auroc, found.verdict) == (
        (expected.text, pytest.approx(expected.auroc), expected.verdict)
    )
    assert (result.run.a.name, result.run.b.name, result.run.a.n) == ("A", "B", 20)
    assert len(result.outcome.thumbnails) > 0


def test_frames_bring_their_captions_and_columns(folders: tuple[Path, Path]) -> None:
    frames = [
        pd.DataFrame(
            {"path": [str(p) for p in paths(folder)], "caption": f"a {colour} square",
             "scene": list(range(20)), "when": pd.Timestamp("2024-01-01")}
        )
        for folder, colour in zip(folders, ("red", "blue"), strict=True)
    ]  # fmt: skip
    result = evaluate_hypotheses(
        ["a red square"], *frames, profile="colours", paired_by="scene", ranker="caption-qa"
    )
    assert result.run.calls["captioner"].computed == 0
    assert result.differences[0].direction == "a"
    assert result.images()["pair"].notna().sum() == 40
    named = ImageSet.from_frame(frames[0].rename(columns={"path": "file"}), path_column="file")
    assert len(named.images) == 20


def test_a_frame_without_paths_says_which_columns_it_has() -> None:
    with pytest.raises(InputError, match=r"no column is called 'path'; did you mean 'paths'"):
        ImageSet.from_frame(pd.DataFrame({"paths": ["x.png"]}))
    frame = pd.DataFrame({"path": ["x.png", None]})
    assert [s.reason for s in ImageSet.from_frame(frame).skipped] == ["the path is empty"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ([], "no image is in it"),
        (3, "A is a int; give a folder"),
        (Image.new("RGB", (4, 4)), "A is a Image; give a folder"),
        ([Image.new("RGB", (4, 4)), "x.png"], "item 1 is a str"),
        ([np.zeros((4, 4, 3))], "item 0 is an array"),
        ({"path": 1}, "A is a dict"),
    ],
)
def test_what_is_no_set_is_said(source: Any, says: str, folders: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match=says):
        outcome(source, folders[1])


def test_a_single_text_is_one_text_and_never_letters(folders: tuple[Path, Path]) -> None:
    assert [d.text for d in outcome(*folders).differences] == ["a red square"]
    with pytest.raises(InputError, match="no hypothesis is given"):
        outcome(*folders, text=[])
    assert not hasattr(visdiff_local, "test_hypotheses")


def test_a_folder_and_a_list_go_together(folders: tuple[Path, Path]) -> None:
    result = outcome(str(folders[0]), paths(folders[1]))
    assert (result.run.a.name, result.run.b.name) == ("a", "B")


def test_a_result_is_a_line_a_frame_and_a_cell(folders: tuple[Path, Path]) -> None:
    result = outcome(*folders, text=["a red square", "a <b>green</b> square"])
    assert repr(result) == "<Result: 1 of 2 confirmed, A=20, B=20>"
    frame = result.to_dataframe()
    assert frame["text"].tolist() == [d.text for d in result.differences]
    assert frame.loc[0, "auroc_low"] == result.differences[0].auroc_ci[0]
    table = result.images()
    assert len(table) == 40
    assert table["a red square"].notna().all()
    cell = result._repr_html_()
    assert "data:image/jpeg;base64," in cell
    assert "<b>green" not in cell
    assert "<script" not in cell
    shown = result.show("A red  square")
    assert repr(shown) == "<Images of 'a red square': 6 of A, 6 of B, 6 against it>"
    assert shown._repr_html_().count("<img") == 18
    with pytest.raises(InputError, match="did you mean 'a red square'"):
        result.show("a red sqare")


def test_what_was_saved_is_loaded_and_saved_again(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    result = outcome(*folders)
    again = load(result.save(tmp_path / "run"))
    assert repr(again) == repr(result)
    assert again.to_dataframe().equals(result.to_dataframe())
    pd.testing.assert_frame_equal(again.images(), result.images())
    assert again.show("a red square")._repr_html_() == result.show("a red square")._repr_html_()
    third = load(again.save(tmp_path / "copy"))
    assert len(third.images()) == 40
    assert third._repr_html_() == result._repr_html_()
    with pytest.raises(InputError, match=r"run\.json"):
        load(tmp_path / "nowhere")
