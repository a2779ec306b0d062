"""What may be shared names no file, no folder and no set, wherever a name has come to stand."""

import base64
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local.cli.main import main
from visdiff_local.models import registry
from visdiff_local.results import serialize
from visdiff_local.results.report.sharing import scrubbed

NAME = "Quixada"
"""Planted everywhere; no word of ours."""


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A run over sets whose every name is a patient's."""
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "store"))
    place = tmp_path / f"ward-{NAME}"
    place.mkdir()
    (place / "models.toml").write_text(colours.MODELS_TOML)
    monkeypatch.setenv("VISDIFF_MODELS", str(place / "models.toml"))
    monkeypatch.chdir(place)
    Colours.reset()
    for letter, colour, seed in (("a", "red", 1), ("b", "blue", 2)):
        folder = Path(f"{letter}-{NAME}")
        draw(folder, [colour] * 8, seed=seed)
        for path in list(folder.glob("*.png")):
            note = PngImagePlugin.PngInfo()
            note.add_text("PatientName", f"{NAME} text")
            note.add_itxt("Comment", f"{NAME} itxt", zip=False)
            with Image.open(path) as image:
                image.save(folder / f"{NAME}_{path.stem}.png", pnginfo=note)
            path.unlink()
        first = folder / f"{NAME}_000.png"
        shutil.copy(first, folder / f"again {NAME}.png")
        (folder / f"broken {NAME}.png").write_bytes(first.read_bytes()[:80])
        (folder / f"empty {NAME}.jpg").touch()
        (folder / f"loop {NAME}.png").symlink_to(f"loop {NAME}.png")
        (folder / f"odd \udcff {NAME}.png").symlink_to(f"odd \udcff {NAME}.png")
        (folder / f"gone {NAME}.png").symlink_to(f"nothing {NAME}")
    shutil.copy(Path(f"a-{NAME}/{NAME}_001.png"), Path(f"b-{NAME}/both {NAME}.png"))
    words = ["run", f"a-{NAME}", f"b-{NAME}", "--profile", "colours", "--quiet", "--out", "out"]
    assert main(words) == 0
    return place / "out"


@pytest.mark.parametrize("flags", [["--no-images"], ["--no-images", "--no-paths"], ["--no-paths"]])
def test_no_name_is_left(flags: list[str], shared: Path) -> None:
    result = serialize.load(shared)
    assert NAME in result.a.name
    assert len(result.a.skipped) >= 6
    assert result.duplicates
    assert main(["report", str(shared), *flags]) == 0
    page = (shared / "report-shared.html").read_bytes()
    assert NAME.encode() not in page
    pictures = re.findall(rb'data:image/jpeg;base64,([^"]+)', page)
    assert bool(pictures) == ("--no-images" not in flags)
    assert not any(NAME.encode() in base64.b64decode(raw) for raw in pictures)
    assert b">A<" in page or b" A " in page
    assert "the same bytes" in page.decode()


def test_names_that_are_given_are_shown(shared: Path) -> None:
    words = ["report", str(shared), "--no-paths", "--name-a", "scanner 1", "--name-b", "scanner 2"]
    assert main(words) == 0
    page = (shared / "report-shared.html").read_text()
    assert "scanner 1" in page
    assert "scanner 2" in page


@given(
    st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=4), min_size=1)
)
def test_known_names_leave_free_text(names: list[str]) -> None:
    text = " and ".join(names)
    known = [(name, "…") for name in sorted(names, key=len, reverse=True)]
    assert scrubbed(text, known) == " and ".join(["…"] * len(names))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/data/x y/z.png is odd", "… … is odd"),
        ("C:\\scans\\x.dcm was cut", "… was cut"),
        ("Smith_2.JPG looks alike", "… looks alike"),
        ("3.5 of 4, p = 0.05; A/B and/or run.json", "3.5 of 4, p = 0.05; A/B and/or run.json"),
        (
            "within ward: Smith, x: y and 2 more lie in one of the sets only, and are left out",
            "within ward: some lie in one of the sets only, and are left out",
        ),
        ("qwen2.5-1.5b knows it", "qwen2.5-1.5b knows it"),
    ],
)
def test_what_looks_like_a_path_leaves_free_text(text: str, shown: str) -> None:
    assert scrubbed(text, []) == shown


def _jpeg(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    for tag in (0x010E, 0x013B, 0x8298, 0x9C9B, 0x9C9D, 0x0131):  # description, artist, XP titles …
        exif[tag] = NAME if tag < 0x9C00 else NAME.encode("utf-16-le")
    image.save(path, exif=exif, comment=NAME.encode(), xmp=f"<x>{NAME}</x>".encode())


def _tiff(image: Image.Image, path: Path) -> None:
    image.save(path, tiffinfo={270: NAME, 305: NAME, 315: NAME, 33432: NAME, 269: NAME})


def _webp(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = NAME
    image.save(path, lossless=True, exif=exif, xmp=f"<x>{NAME}</x>".encode())


def _png(image: Image.Image, path: Path) -> None:
    note = PngImagePlugin.PngInfo()
    note.add_text("Title", NAME)
    note.add_text("Compressed", NAME * 9, zip=True)
    note.add_itxt("XML:com.adobe.xmp", f"<x>{NAME}</x>")
    exif = Image.Exif()
    exif[0x010E] = NAME
    image.save(path, pnginfo=note, exif=exif)


PLANTERS = {
    ".jpg": _jpeg,
    ".tiff": _tiff,
    ".webp": _webp,
    ".png": _png,
    ".gif": lambda image, path: image.save(path, comment=NAME.encode()),
    ".jp2": lambda image, path: image.save(path, comment=NAME.encode(), irreversible=False),
    ".ppm": lambda image, path: (
        image.save(path),
        path.write_bytes(path.read_bytes().replace(b"P6\n", f"P6\n# {NAME}\n".encode(), 1)),
    ),
}
"""Each format's own fields for words."""


@pytest.mark.parametrize("suffix", PLANTERS)
def test_nothing_in_a_file_s_own_fields_leaves_it(
    suffix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    Colours.reset()
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    planted = 0
    for letter, colour, seed in (("a", "red", 1), ("b", "blue", 2)):
        folder = tmp_path / letter
        draw(folder, [colour] * 6, seed=seed)
        for path in list(folder.glob("*.png")):
            with Image.open(path) as image:
                target = path.with_name(f"x{path.stem}{suffix}")
                PLANTERS[suffix](image.convert("RGB"), target)
            path.unlink()
            planted += NAME.encode() in target.read_bytes()
    assert planted == 12, "the fields hold the name"
    words = ["run", str(tmp_path / "a"), str(tmp_path / "b"), "--profile", "colours", "--quiet"]
    words += ["--models", str(tmp_path / "models.toml"), "--out", str(tmp_path / "out")]
    assert main([*words, "--store", str(tmp_path / "store")]) == 0
    for flags in (["--no-images"], ["--no-paths"]):
        assert main(["report", str(tmp_path / "out"), *flags]) == 0
    content = serialize.load(tmp_path / "out")
    assert content.a.n == 6
    for place in ("out", "store"):
        for path in (tmp_path / place).rglob("*"):
            if path.is_file():
                kept = path.read_bytes()
                assert NAME.encode() not in kept, path
                assert NAME.encode("utf-16-le") not in kept, path
    for uri in re.findall(r"base64,([A-Za-z0-9+/=]+)", (tmp_path / "out/report.html").read_text()):
        assert NAME.encode() not in base64.b64decode(uri)
