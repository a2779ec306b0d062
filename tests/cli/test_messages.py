"""What went wrong is said as it is: in one line, with what to type, without a traceback."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local.cli.main import main
from visdiff_local.errors import MissingDependencyError, OutOfMemoryError
from visdiff_local.images import ImageSet
from visdiff_local.models import registry
from visdiff_local.models.backends.files import dependency


@pytest.fixture(autouse=True)
def _colours_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "store"))
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    monkeypatch.setenv("VISDIFF_MODELS", str(tmp_path / "models.toml"))
    monkeypatch.chdir(tmp_path)
    Colours.reset()
    draw(Path("a"), ["red"] * 3, seed=1)
    draw(Path("b"), ["blue"] * 3, seed=2)


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 2) -> str:
    assert main(words) == code
    text = capsys.readouterr().err
    assert "Traceback" not in text
    assert "defect" not in text
    assert text.count("\n") == 1
    return text


def table(*rows: str) -> str:
    Path("t.csv").write_text("\n".join(["path,group_name", *rows]) + "\n")
    return "t.csv"


MINUSES = "-" * 1900 + "1"


@pytest.mark.parametrize(
    "where",
    [MINUSES, "not " * 400 + "x", "(" * 900 + "x == 1" + ")" * 900, "x" * 3000, "\x00", "a=="],
)
def test_a_condition_that_is_none(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = table("a/000.png,A", "b/000.png,B")
    said(capsys, "run", name, f"--a={where}", "--b", "B", "--profile", "colours")


def test_one_equals_sign(capsys: pytest.CaptureFixture[str]) -> None:
    name = table("a/000.png,A")
    text = said(capsys, "run", name, "--a", "group_name = 'A'", "--b", "B")
    assert "did you mean ==?" in text


def test_columns_of_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text("path,path,group_name\na/000.png,a/000.png,A\n")
    text = said(capsys, "run", "t.csv", "--a", "A", "--b", "B")
    assert "both called 'path'" in text


@pytest.mark.parametrize(("name", "depth"), [("d", 1200), ("d" * 200, 30)])
def test_folders_of_any_depth(name: str, depth: int) -> None:
    place = os.open("a", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=place)
        below = os.open(name, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    try:
        found = ImageSet.open("a")
        assert len(found.images) == 3
        reasons = [item.reason for item in found.skipped]
        assert all("File name too long" in reason for reason in reasons)
    finally:
        subprocess.run(["rm", "-rf", "a"], check=True)


def test_all_missing_models_are_named_before_any_image_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError("an image was read")

    monkeypatch.setattr("visdiff_local.pipeline.read.both", read)
    text = said(capsys, "run", "a", "b", "--profile", "paper", code=3)
    for name in ("blip2-flan-t5-xxl", "vicuna-1.5-13b", "clip-vit-bigg-14"):
        assert name in text
    assert "models fetch paper --to DIR" in text
    assert "--weights DIR" in text
    assert "assets" not in text
    assert not list(Path("runs").iterdir())


def test_too_little_memory_is_no_missing_package() -> None:
    with pytest.raises(OutOfMemoryError, match="not enough memory"), dependency("torch"):
        raise ImportError("libtorch.so: failed to map segment from shared object")
    with pytest.raises(OutOfMemoryError), dependency("torch"):
        raise OSError(12, "Cannot allocate memory")
    with pytest.raises(MissingDependencyError, match="pip install torch"), dependency("torch"):
        raise ImportError("No module named 'torch'")


def test_one_file_is_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "nano-llama"]) == 0
    assert "nano-llama: 1 file intact" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["x.heic", "x.png", "x.zip", "x.tar"])
def test_what_is_no_image_is_not_told_of_tables(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_bytes(b"\x00\x01hello")
    assert "in a table are relative" not in said(capsys, "run", name, "b", "--profile", "colours")


def test_a_long_text_to_search_for(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "store", "search", "a" * 100_000, "--profile", "colours")
    assert "up to 2,000 characters" in text
    assert main(["store", "search", "a" * 300, "--profile", "colours"]) == 0


def test_a_set_called_like_markup(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("[ab]", "[dim]", "[red]x"):
        folder = Path(f"sets/{name}/in")
        draw(folder, ["red"] * 2, seed=3)
        words = ["run", str(folder.parent), "b", "--profile", "colours", "--quiet"]
        assert main([*words, "--out", f"out{len(name)}"]) == 0
        assert name in capsys.readouterr().out


def test_one_image_against_one_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "a/000.png", "b/000.png", "--profile", "colours", "--out", "out"]) == 0
    shown = capsys.readouterr()
    text = " ".join(shown.out.split())
    assert "No difference found" in text
    assert "Sets this small could not have shown any difference, however clear." in text
    assert "would have been detected" not in text
    for name in ("A", "B"):
        assert f"{name} has only 1 image: expect little" in shown.err + text
    for row in json.loads(Path("out/run.json").read_text())["differences"]:
        assert row["auroc_ci"][1] - row["auroc_ci"][0] > 0.5
        assert row["verdict"] == "rejected"


def test_texts_of_ones_own_are_tested_on_all_and_nothing_is_said_of_halves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["test", "a red square", "a", "b", "--profile", "colours", "--out", "out"]
    assert main(words) == 0
    shown = capsys.readouterr()
    text = " ".join((shown.out + shown.err).split())
    assert "A: a, 3 images B: b, 3 images" in text
    for word in ("explore", "validate", "to find", "to test", "held-out", "half"):
        assert word not in text
    sets = json.loads(Path("out/run.json").read_text())["sets"]
    assert [sets[side]["validate"] for side in "ab"] == [3, 3]


def test_whole_pairs_are_no_warning_and_images_without_a_partner_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("t.csv").write_text(
        "path,group_name,pair\n"
        + "".join(f"{side}/00{n}.png,{side},{n}\n" for side in "ab" for n in range(3))
    )
    words = ["test", "a red square", "t.csv", "--a", "a", "--b", "b", "--paired-by", "pair"]
    words += ["--profile", "colours", "--quiet"]
    assert main([*words, "--out", "out"]) == 0
    shown = capsys.readouterr()
    assert "pairs" not in shown.out + shown.err
    Path("t.csv").write_text(Path("t.csv").read_text() + "a/000.png,a,9\n")
    draw(Path("a"), ["red"] * 4, seed=5)
    Path("t.csv").write_text(Path("t.csv").read_text().replace("a/000.png,a,9", "a/003.png,a,9"))
    assert main([*words, "--out", "out2"]) == 0
    shown = capsys.readouterr()
    text = " ".join((shown.out + shown.err).split())
    assert "paired by pair: 3 pairs are tested; 1 without a partner left out" in text
