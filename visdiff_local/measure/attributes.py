"""One image's measurements; they depend on its bytes alone, so that the store can keep them."""

from dataclasses import dataclass

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

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
    return int(str(imagehash.phash(image)), 16)


def thumbnail(image: Image.Image) -> npt.NDArray[np.uint8]:
    """uint8 (64, 64, 3), stretched to a square: what :func:`find_overlays` looks at."""
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small.convert("RGB"), np.uint8)
