"""Camera and day of EXIF: columns that group images, and nothing that can be read."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visdiff_local.images import ImageSet, read_sets
from visdiff_local.images.decoders import exif
from visdiff_local.measure import measure
from visdiff_local.store import Store

SERIAL, DAY = "SN12345678", "2031:07:09"


def jpeg(seed: int, serial: str = SERIAL, taken: str = f"{DAY} 10:11:12") -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    tags = Image.Exif()
    tags[0x010F], tags[0x0110] = "Maker", "Model 7"
    tags.get_ifd(0x8769).update({0xA431: serial, 0x9003: taken})
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG", exif=tags)
    return stream.getvalue()


def test_camera_and_day_group_images_and_are_kept_as_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for number in range(6):
        raw = jpeg(number, f"{SERIAL}{number % 2}", f"2031:07:0{1 + number % 3} 10:00:00")
        (folder / f"{number}.jpg").write_bytes(raw)
    Image.new("RGB", (9, 9)).save(folder / "none.png")
    with Store(tmp_path / "store") as store:
        for repeat in range(2):
            source = ImageSet.open(folder)
            (one,) = read_sets([source], measure=measure, version="1", memory=store.files)
            assert one.read == (0 if repeat else 7)
            groups = {name: one.images.covariates.groups(name) for name in (exif.CAMERA, exif.DAY)}
            assert sorted(len(ids) for ids in groups[exif.CAMERA].values()) == [3, 3]
            assert sorted(len(ids) for ids in groups[exif.DAY].values()) == [2, 2, 2]
    for path in (tmp_path / "store").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert SERIAL.encode() not in content, path
        assert DAY[:8].encode() not in content, path


@pytest.mark.parametrize("taken", ["0000:00:00 00:00:00", "", "yesterday"])
def test_a_day_that_is_none_is_not_taken(taken: str) -> None:
    with Image.open(io.BytesIO(jpeg(0, taken=taken))) as image:
        assert set(exif.tags(image)) == {exif.CAMERA}


def test_damaged_exif_is_none() -> None:
    raw = bytearray(jpeg(0))
    at = raw.find(b"Exif\0\0")
    raw[at + 6 : at + 60] = b"\xff" * 54
    with Image.open(io.BytesIO(bytes(raw))) as image:
        assert exif.tags(image) == {}
