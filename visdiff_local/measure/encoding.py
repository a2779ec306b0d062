"""Attributes of the file: how the picture was stored, whatever it shows."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from visdiff_local.images import FORMATS

FILE_ATTRIBUTES: dict[str, str] = {
    "resolution": "megapixels as stored",
    "bytes per pixel": "file size over pixels",
    "JPEG quality": "1 to 100, from the luminance quantisation table; NaN for other formats",
}

# ITU-T T.81, annex K.1: the luminance table from which libjpeg makes all its qualities.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
).ravel()


def file_attributes(raw: bytes, size: tuple[int, int]) -> tuple[tuple[float, ...], str]:
    """The values of :data:`FILE_ATTRIBUTES`, in order, and the format's name ("JPEG", "PNG" …).

    Reads the header only. A format that is not Pillow's has the picture's own size and no name.

    Args:
        raw: the file's bytes; empty where it is too large to be held, as a video is.
        size: of the decoded picture.
    """
    name, quality = "", float("nan")
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as header:
            size, name = header.size, str(header.format)
            tables: dict[int, list[int]] = getattr(header, "quantization", None) or {}
            quality = jpeg_quality(tables[0]) if 0 in tables else float("nan")
    except UnidentifiedImageError:
        pass
    pixels = size[0] * size[1]
    return (pixels / 1e6, len(raw) / pixels if raw else float("nan"), quality), name


def jpeg_quality(table: list[int]) -> float:
    """The libjpeg quality whose luminance table comes nearest to this one (in sum, any order)."""
    return float(1 + np.argmin(np.abs(_TABLE_SUMS - sum(table))))


def _table_sums() -> npt.NDArray[np.int64]:
    """Sum of the luminance table at quality 1, 2 … 100; libjpeg's jpeg_quality_scaling."""
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    sums: npt.NDArray[np.int64] = (
        ((_LUMINANCE * scale[:, None] + 50) // 100).clip(1, 255).sum(axis=1)
    )
    return sums


_TABLE_SUMS = _table_sums()
