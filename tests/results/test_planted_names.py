"""Names in every field of every format that can hold one, and in all that contains images: found
nowhere in what a run writes, or in nothing that may be shared."""

import base64
import json
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import nibabel
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from tests.support import colours
from tests.support.colours import Colours, draw
from tests.support.paths import ROOT
from tests.support.sources import add
from visdiff_local.cli.main import main
from visdiff_local.models import registry
from visdiff_local.results import serialize

NAME = "Quixada"
ENCODED = [NAME.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
XMP = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{NAME}</x:xmpmeta>".encode()


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("models.toml").write_text(colours.MODELS_TOML)
    monkeypatch.setenv("VISDIFF_MODELS", str(tmp_path / "models.toml"))
    Colours.reset()


def run(*words: str, command: str = "run") -> None:
    assert main([command, *words, "--profile", "colours", "--out", "out"]) == 0


def clean(*roots: Path) -> None:
    """No file there, and no file's name, holds the name; nor a table's column, however packed."""
    seen = 0
    for path in (path for root in roots for path in [root, *root.rglob("*")]):
        assert NAME not in str(path.name)
        if not path.is_file():
            continue
        seen += 1
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += json.dumps(parquet.read_table(path).to_pylist(), default=str).encode()
        pictures = re.findall(rb"base64,([A-Za-z0-9+/=]+)", content)
        content += b"".join(map(base64.b64decode, pictures))
        if path.suffix in (".png", ".jpg"):
            with Image.open(path) as image:
                content += repr(image.info).encode()
        assert not [code for code in ENCODED if code in content], path
    assert seen


def shared(place: Path) -> None:
    """All that may be shared of ``out``, in one folder."""
    place.mkdir()
    for number, flags in enumerate(("--no-images", "--no-paths", "--no-images --no-paths")):
        assert main(["report", "out", *flags.split()]) == 0
        shutil.move("out/report-shared.html", place / f"{number}.html")
    for to in ("x.csv", "x.parquet", "coco.json"):
        assert main(["export", "out", "--to", str(place / to), "--no-paths"]) == 0
    for to in ("imagefolder", "fiftyone"):
        assert main(["export", "out", str(place / to), "--to", to, "--no-paths"]) == 0


# ---- fields of files ----------------------------------------------------------------------------


def exif() -> Image.Exif:
    made = Image.Exif()
    for tag in (0x010E, 0x013B, 0x8298, 0x0131, 0x013C):
        made[tag] = NAME
    return made


def avif(image: Image.Image, path: Path) -> None:
    image.save(path, exif=exif(), xmp=XMP)


def jxl(image: Image.Image, path: Path) -> None:
    import imagecodecs

    def box(kind: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4, "big") + kind + content

    stream = bytes(imagecodecs.jpegxl_encode(np.asarray(image), lossless=True, usecontainer=False))
    boxes = [(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "), (b"jxlc", stream)]
    boxes += [(b"Exif", b"\0\0\0\0" + exif().tobytes()), (b"xml ", XMP)]
    path.write_bytes(b"".join(box(*one) for one in boxes))


def heic(image: Image.Image, path: Path) -> None:
    """The picture is x265's; differing, so that none is another's bytes again."""
    raw = (ROOT / "tests" / "data" / "heic" / "plain.heic").read_bytes()
    content = NAME.encode() * 3 + np.asarray(image).tobytes()[:64]
    for kind in (b"free", b"uuid"):
        raw += (8 + len(content)).to_bytes(4, "big") + kind + content
    path.write_bytes(raw)


def nifti(image: Image.Image, path: Path) -> None:
    volume = np.asarray(image.convert("L")).T[..., None].repeat(3, axis=-1).astype(np.int16)
    made = nibabel.Nifti1Image(volume, np.eye(4))
    for field in ("descrip", "intent_name", "aux_file", "db_name"):
        made.header[field] = NAME.encode()
    made.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    nibabel.save(made, path)


def film(image: Image.Image, path: Path) -> None:
    with av.open(str(path), "w") as container:
        for key in ("title", "artist", "comment", "description"):
            container.metadata[key] = NAME
        stream = container.add_stream("mpeg4", rate=2)
        stream.metadata["title"] = stream.metadata["handler_name"] = NAME
        stream.width, stream.height, stream.pix_fmt = *image.size, "yuv420p"
        if hasattr(container, "set_chapters"):
            chapter = {"id": 1, "start": 0, "end": 1, "time_base": Fraction(1, 2)}
            container.set_chapters([{**chapter, "metadata": {"title": NAME}}])
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())


FIELDS: dict[str, Callable[[Image.Image, Path], None]] = {
    ".avif": avif,
    ".jxl": jxl,
    ".heic": heic,
    ".nii": nifti,
    ".mp4": film,
    ".mkv": film,
}


@pytest.mark.parametrize("suffix", FIELDS)
def test_nothing_in_a_file_s_own_fields_leaves_it(
    suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for letter, colour, seed in (("a", "red", 1), ("b", "blue", 2)):
        for path in list(draw(Path(letter), [colour] * 6, seed=seed).glob("*.png")):
            with Image.open(path) as image:
                FIELDS[suffix](image.convert("RGB"), path.with_suffix(suffix))
            path.unlink()
            assert NAME.encode() in path.with_suffix(suffix).read_bytes()
    for letter in "ab":  # and one that cannot be read
        whole = next(Path(letter).iterdir()).read_bytes()
        Path(letter, f"broken{suffix}").write_bytes(whole[: len(whole) // 2])
    run("a", "b")
    content = serialize.load(Path("out"))
    assert content.a.n >= 6
    assert main(["report", "out"]) == 0
    shared(Path("shared"))
    shown = capfd.readouterr()
    assert NAME not in shown.out + shown.err
    clean(Path("out"), Path("store"), Path("shared"), Path("cache"))


# ---- what contains images ------------------------------------------------------------------------


Row = tuple[str, str, bytes]
"""A set, a name, a PNG."""


def rows() -> list[Row]:
    """Six a set; the last of each cannot be read, and one of A is there twice."""
    made = []
    for side, colour, seed in (("a", "red", 1), ("b", "blue", 2)):
        drawn = sorted(draw(Path("drawn", side), [colour] * 6, seed=seed).glob("*.png"))
        made += [(side, f"{NAME}{path.stem}", path.read_bytes()) for path in drawn]
        made.append((side, f"{NAME} broken", made[-1][2][:90]))
    shutil.rmtree("drawn")
    return [*made, ("a", f"again {NAME}", made[0][2])]


def words_of(file: str) -> list[str]:
    return [file, "--a", "group_name == 'a'", "--b", "group_name == 'b'"]


def tars() -> list[str]:
    for side in "ab":
        with tarfile.open(f"{NAME}-{side}.tar", "w", format=tarfile.PAX_FORMAT) as archive:
            for mine, name, raw in rows():
                if mine == side:
                    add(archive, f"{NAME}-ward/{name}.png", raw)
                    add(
                        archive, f"{NAME}-ward/{name}.json", f'{{"PatientName": "{NAME}"}}'.encode()
                    )
    return [f"{NAME}-a.tar", f"{NAME}-b.tar"]


def zips() -> list[str]:
    for side in "ab":
        with zipfile.ZipFile(f"{NAME}-{side}.zip", "w") as archive:
            archive.comment = NAME.encode()
            for mine, name, raw in rows():
                if mine == side:
                    archive.writestr(f"{NAME}-ward/{name}.png", raw)
    return [f"{NAME}-a.zip", f"{NAME}-b.zip"]


def parquet_with_bytes() -> list[str]:
    table = [
        {
            "image": {"bytes": raw, "path": f"{name}.png"}, "group_name": side,
            "PatientName": f"{NAME} {number % 3}", "ward": NAME, "scan": f"{NAME}{number % 7}",
        }
        for number, (side, name, raw) in enumerate(rows())
    ]  # fmt: skip
    made = pa.Table.from_pylist(table).replace_schema_metadata({"note": NAME})
    parquet.write_table(made, f"{NAME}.parquet")
    return [*words_of(f"{NAME}.parquet"), "--cluster-by", "PatientName", "--within", "ward"]


def files() -> list[tuple[str, str]]:
    """Sets and paths."""
    made = []
    for side, name, raw in rows():
        path = Path(f"{NAME}-files/{side}/{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        made.append((side, str(path)))
    return made


def csv_table() -> list[str]:
    lines = [f"{path},{side},{NAME} {n % 7}\n" for n, (side, path) in enumerate(files())]
    Path(f"{NAME}.csv").write_text("path,group_name,PatientName\n" + "".join(lines))
    return [*words_of(f"{NAME}.csv"), "--paired-by", "PatientName"]


def json_lines() -> list[str]:
    lines = [
        json.dumps(
            {"path": path, "group_name": side, "PatientName": NAME, "ward": f"{NAME} {n % 2}"}
        )
        for n, (side, path) in enumerate(files())
    ]
    Path(f"{NAME}.jsonl").write_text("\n".join(lines))
    return [*words_of(f"{NAME}.jsonl"), "--within", "ward"]


def coco() -> list[str]:
    for side in "ab":
        mine = [path for letter, path in files() if letter == side]
        content = {
            "info": {"description": NAME, "contributor": NAME},
            "licenses": [{"id": 1, "name": NAME, "url": f"http://{NAME}"}],
            "images": [
                {"id": n, "file_name": path, "license": 1, "coco_url": f"http://x/{NAME}",
                 "width": 48, "height": 48, "PatientName": NAME}
                for n, path in enumerate(mine)
            ],
            "annotations": [
                {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 40, 40], "by": NAME}
                for n in range(len(mine))
            ],
            "categories": [{"id": 1, "name": "square", "supercategory": NAME}],
        }  # fmt: skip
        Path(f"{NAME}-{side}.json").write_text(json.dumps(content))
    return [f"{NAME}-a.json", f"{NAME}-b.json"]


def crops() -> list[str]:
    return [*coco(), "--crops"]


SOURCES = (tars, zips, parquet_with_bytes, csv_table, json_lines, coco, crops)


@pytest.mark.parametrize("made", SOURCES, ids=lambda made: made.__name__)
def test_nothing_that_may_be_shared_names_a_member_a_row_or_a_file(
    made: Callable[[], list[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    run(*made(), "--quiet")
    content = serialize.load(Path("out"))
    assert content.a.n >= 6
    assert NAME in Path("out/run.json").read_text()
    capfd.readouterr()
    shared(Path("shared"))
    shown = capfd.readouterr()
    assert NAME not in shown.out + shown.err
    clean(Path("shared"))
    with pytest.raises(AssertionError):
        clean(Path("out"))
