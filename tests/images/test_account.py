"""One account of files: used, the same bytes again, left out, unusable and no images are all."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from tests.support.sources import PNGS, add
from visdiff_local.images import ImageSet, Options, read_sets
from visdiff_local.measure import measure
from visdiff_local.types import SetSummary

GOOD = {f"{number}.png": raw for number, raw in enumerate(PNGS[:5])}
BAD = {"again.png": PNGS[0], "broken.png": PNGS[1][:60], "empty.png": b""}
OTHERS = {"notes.txt2": b"x", "script.py": b"x", ".hidden.png": PNGS[2]}
FILES = {**GOOD, **BAD, **OTHERS}
EXPECTED = {"used": 5, "the same bytes": 1, "not images": 2, "hidden files": 1}


def folder(place: Path) -> Path:
    inside = place / "set"
    inside.mkdir()
    for name, raw in FILES.items():
        (inside / name).write_bytes(raw)
    return inside


def tar(place: Path) -> Path:
    with tarfile.open(place / "x.tar", "w") as archive:
        for name, raw in FILES.items():
            add(archive, name, raw)
    return place / "x.tar"


def zipped(place: Path) -> Path:
    with zipfile.ZipFile(place / "x.zip", "w") as archive:
        for name, raw in FILES.items():
            archive.writestr(name, raw)
    return place / "x.zip"


def image_folder(place: Path) -> Path:
    """One image is not named, and one that is named is not there."""
    inside = folder(place)
    names = [name for name in (*GOOD, *BAD) if name != "4.png"]
    lines = [json.dumps({"file_name": name}) for name in (*names, "gone.png")]
    (inside / "metadata.jsonl").write_text("\n".join(lines))
    return inside


def in_parquet(place: Path) -> Path:
    rows = [{"bytes": raw, "path": name} for name, raw in {**GOOD, **BAD}.items()]
    parquet.write_table(pa.table({"image": rows}), place / "x.parquet")
    return place / "x.parquet"


def coco(place: Path) -> Path:
    inside = folder(place)
    images = [{"id": 1, "file_name": "0.png"}, {"id": 2, "file_name": "broken.png"}]
    boxes = [(1, [0, 0, 20, 20]), (1, [0, 0, 20, 20]), (1, [5, 5, 20, 20]), (1, [1, 1, 2, 2])]
    boxes += [(1, [99, 99, 20, 20]), (2, [0, 0, 20, 20])]
    notes = [{"id": n, "image_id": image, "bbox": box} for n, (image, box) in enumerate(boxes)]
    (inside / "x.json").write_text(json.dumps({"images": images, "annotations": notes}))
    return inside / "x.json"


def films(place: Path) -> Path:
    inside = place / "films"
    inside.mkdir()
    stream = io.BytesIO()
    with av.open(stream, "w", format="matroska") as container:
        track = container.add_stream("mpeg4", rate=10)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            level = np.full((48, 64, 3), 8 * number, np.uint8)
            container.mux(track.encode(av.VideoFrame.from_ndarray(level, "rgb24")))
        container.mux(track.encode())
    (inside / "x.mkv").write_bytes(stream.getvalue())
    (inside / "again.mkv").write_bytes(stream.getvalue())
    (inside / "broken.mkv").write_bytes(b"no film")
    (inside / "notes.py").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(inside / "x.png")
    return inside


CASES: dict[str, tuple[Callable[[Path], Path], Options, int, dict[str, int]]] = {
    "folder": (folder, Options(), len(FILES), EXPECTED),
    "tar": (tar, Options(), len(FILES), EXPECTED),
    "zip": (zipped, Options(), len(FILES), EXPECTED),
    "a sample": (folder, Options(max_images=3), len(FILES), {"not drawn (--max-images 3)": 5}),
    "image folder": (image_folder, Options(), len(FILES) + 1, {"not in metadata.jsonl": 1}),
    "parquet": (in_parquet, Options(), len(GOOD) + len(BAD), {"used": 5, "the same bytes": 1}),
    "boxes": (coco, Options(crops=True), 6, {"used": 2, "the same bytes": 1}),
    "films": (films, Options(), 3 + 3 + 1 + 1 + 1, {"used": 4, "the same bytes": 3}),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_account_adds_up(tmp_path: Path, name: str) -> None:
    make, options, total, expected = CASES[name]
    source = ImageSet.open(make(tmp_path), None, options)
    (one,) = read_sets([source], measure=measure, version="1")
    found = one.images
    summary = SetSummary(
        "a", len(found.images), 0, 0, found.skipped, (), found.ignored, found.left_out
    )
    assert sum(summary.files.values()) == total, summary.files
    assert {what: summary.files.get(what) for what in expected} == expected
