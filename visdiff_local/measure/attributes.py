"""One image's measurements; they depend on its bytes alone, so that the store can keep them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from visdiff_local.images.facts import FactColumns
from visdiff_local.measure.encoding import FILE_ATTRIBUTES, file_attributes
from visdiff_local.measure.pixels import PIXEL_ATTRIBUTES, averaged_down, pixel_attributes

DESCRIPTIONS: dict[str, str] = {**PIXEL_ATTRIBUTES, **FILE_ATTRIBUTES}
"""Every attribute with its definition and unit."""

ATTRIBUTES: tuple[str, ...] = tuple(DESCRIPTIONS)

THUMBNAIL = 64
"""Side of a :func:`thumbnail`, pixels."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured on one image."""

    values: tuple[float, ...]
    """In the order of :data:`ATTRIBUTES`; NaN where an attribute does not exist for the image."""
    phash: int
    """64-bit perceptual hash; a few bits differ between versions of one picture."""
    file_format: str
    """Pillow's name of the format: "JPEG", "PNG" …"""

    def value(self, attribute: str) -> float:
        """Raises ValueError for an unknown attribute."""
        return self.values[ATTRIBUTES.index(attribute)]


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """Of n images, in columns.

    Args:
        values: float (n, k), an attribute a column, in the order of :data:`ATTRIBUTES`.
        phash: uint64 (n,).
        format: int (n,), the index in ``formats``.
        formats: names of file formats, each once.
    """

    values: npt.NDArray[np.floating]
    phash: npt.NDArray[np.uint64]
    format: npt.NDArray[np.integer]
    formats: tuple[str, ...]

    @classmethod
    def of(cls, given: "Sequence[Measurement] | Measurements") -> "Measurements":
        """From measurements one by one."""
        if isinstance(given, Measurements):
            return given
        formats: dict[str, int] = {}
        codes = [formats.setdefault(one.file_format, len(formats)) for one in given]
        values = np.array([one.values for one in given], np.float64)
        return cls(
            values.reshape(len(given), len(ATTRIBUTES)),
            np.array([one.phash for one in given], np.uint64),
            np.array(codes, np.int64),
            tuple(formats),
        )

    @classmethod
    def of_facts(cls, facts: FactColumns) -> Self:
        """What :func:`measure` found, as it is remembered."""
        return cls(facts.values, facts.phash, facts.format, facts.formats)

    def __len__(self) -> int:
        return len(self.phash)

    def take(self, indices: npt.NDArray[np.int64]) -> "Measurements":
        """Of the images at these indices."""
        return Measurements(
            self.values[indices], self.phash[indices], self.format[indices], self.formats
        )


def measure(image: Image.Image, raw: bytes) -> Measurement:
    """Measures one image.

    Args:
        image: decoded, RGB, upright, at its full size (a JPEG draft would blur what is measured).
        raw: the file's bytes, whose header tells resolution, format and quality.
    """
    of_file, file_format = file_attributes(raw, image.size)
    small = averaged_down(image)
    values = (*pixel_attributes(image, small), *of_file)
    return Measurement(values, perceptual_hash(small), file_format)


def perceptual_hash(image: Image.Image) -> int:
    """64 signs of low-frequency cosine coefficients (imagehash.phash), as an unsigned integer."""
    import imagehash  # which a run that measures nothing is spared

    return int(str(imagehash.phash(image)), 16)


def thumbnail(image: Image.Image) -> npt.NDArray[np.uint8]:
    """uint8 (64, 64, 3), stretched to a square: what :func:`find_overlays` looks at."""
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small.convert("RGB"), np.uint8)
