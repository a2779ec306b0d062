"""Small pictures, as files and folders."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from visdiff_local.images import (
    ImageSet,
    read_set,
)
from visdiff_local.images.reading import ReadSet
from visdiff_local.measure.attributes import measure


def picture(seed: int, size: tuple[int, int] = (24, 16)) -> Image.Image:
    """A random picture, smooth enough to survive JPEG."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def folder_of(path: Path, count: int, first_seed: int = 0) -> Path:
    path.mkdir(parents=True)
    for number in range(count):
        picture(first_seed + number).save(path / f"img{number}.png")
    return path


def read(source: ImageSet, **options: object) -> ReadSet:
    return read_set(source, measure=measure, version="1", **options)  # type: ignore[arg-type]


def _png_with(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (1, 1)) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    extra = b"".join(chunk(kind, data) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


UGLY: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "empty file"),
    "text.png": (b"this is no image at all", "not an image"),
    "truncated.jpg": (encoded(picture(1, (200, 200)), "JPEG")[:-400], "truncated"),
    "truncated.png": (encoded(picture(1, (200, 200)), "PNG")[:-400], "truncated"),
    "header-only.jpg": (encoded(picture(1), "JPEG")[:20], "not an image"),
    "bomb.png": (_png_with(size=(40_000, 40_000)), "too many pixels"),
    "largish.png": (_png_with(size=(12_000, 12_000)), "too many pixels"),
    "text-bomb.png": (
        _png_with((b"zTXt", b"a\0\0" + zlib.compress(b"\0" * (1 << 26)))),
        "damaged",
    ),
    "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
}
