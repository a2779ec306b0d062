"""Deep TIFFs and PNGs come out as the 8-bit picture does: upright, and on white."""

import io
import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from visdiff_local.images.decoders.decode import unpacked
from visdiff_local.types import Window

WHOLE = Window(0, 65535)
ORIENTATION = 0x0112


def scene() -> Image.Image:
    image = Image.new("RGB", (64, 48), "white")
    image.paste((200, 30, 30), (0, 0, 32, 48))
    image.paste((20, 160, 40), (0, 0, 16, 16))
    return image


def tiff(pixels: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def in_png(raw: bytes, orientation: int) -> bytes:
    """With the eXIf chunk behind the header."""
    content = exif_of(orientation).tobytes().removeprefix(b"Exif\0\0")
    proof = struct.pack(">I", zlib.crc32(b"eXIf" + content))
    return raw[:33] + struct.pack(">I", len(content)) + b"eXIf" + content + proof + raw[33:]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_turned_as_plain_ones(orientation: int) -> None:
    stream = io.BytesIO()
    scene().save(stream, "PNG", exif=exif_of(orientation))
    plain = np.asarray(unpacked(stream.getvalue()).image)
    deep = np.asarray(scene()).astype(np.uint16) * 257
    tag = [(ORIENTATION, 3, 1, orientation, True)]
    for raw in (
        tiff(deep, photometric="rgb", extratags=tag),
        in_png(bytes(imagecodecs.png_encode(deep)), orientation),
    ):
        assert np.array_equal(np.asarray(unpacked(raw, window=WHOLE).image), plain)
    for kind in (np.uint16, np.float64):
        grey = deep[..., 0].astype(kind)
        seen = unpacked(tiff(grey, photometric="minisblack", extratags=tag), window=WHOLE).image
        assert np.array_equal(np.asarray(seen)[..., 0], plain[..., 0])


def test_what_is_transparent_is_white_however_deep() -> None:
    plain = scene().convert("RGBA")
    plain.putalpha(Image.linear_gradient("L").resize(plain.size))
    stream = io.BytesIO()
    plain.save(stream, "PNG")
    expected = np.asarray(unpacked(stream.getvalue()).image).astype(int)
    deep = np.asarray(plain).astype(np.uint16) * 257
    for raw in (
        bytes(imagecodecs.png_encode(deep)),
        tiff(deep, photometric="rgb", extrasamples=["unassalpha"]),
    ):
        seen = np.asarray(unpacked(raw, window=WHOLE).image).astype(int)
        assert np.abs(seen - expected).max() <= 1
    grey = np.stack([deep[..., 0], np.zeros_like(deep[..., 0])], axis=-1)
    assert (
        np.asarray(unpacked(bytes(imagecodecs.png_encode(grey)), window=WHOLE).image).min() == 255
    )


def test_hidden_colours_set_no_window() -> None:
    deep = np.full((20, 20, 4), 1000, np.uint16)
    deep[..., 3] = 65535
    deep[:15] = (60_000, 60_000, 60_000, 0)
    levels = unpacked(bytes(imagecodecs.png_encode(deep))).levels
    assert levels is not None
    assert levels.high == 1000


def test_a_fourth_band_that_is_no_opacity_is_left_out() -> None:
    deep = np.dstack([np.asarray(scene()).astype(np.uint16) * 257, np.zeros((48, 64), np.uint16)])
    raw = tiff(deep, photometric="rgb", extrasamples=["unspecified"])
    seen = np.asarray(unpacked(raw, window=WHOLE).image)
    assert np.array_equal(seen, np.asarray(scene()))
