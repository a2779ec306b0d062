"""What every format gives: a header that is known before any pixel, and then the pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from visdiff_local.types import Window

Pixels = npt.NDArray[np.generic]
Share = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Deep:
    """Pixels that are no 8-bit colours yet: they need a window.

    Args:
        pixels: (height, width) or (height, width, 3), integers or floats of any depth.
        tags: the window that the file itself names.
        inverted: small values are bright (DICOM's MONOCHROME1).
        bits: used for a pixel, where the file says so.
        opaque: (height, width) float32, 0 … 1, where not all of it is; the rest is seen on white.
    """

    pixels: Pixels
    tags: Window | None = None
    inverted: bool = False
    bits: int | None = None
    opaque: Share | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """One picture of a file, not decoded yet.

    Args:
        format: the format's name, such as ``"JPEG"``.
        bytes_a_pixel: as decoded, all bands together.
        load: the pixels; takes the size hint. Upright, but not yet RGB where they are deep.
        frames: pictures in the file: pages, frames of an animation, slices.
        bands: of a pixel as stored.
        passes: how often the decoder goes over the picture.
        tags: keyed numbers of what the file says that may group images; nothing that names anyone.
    """

    format: str
    width: int
    height: int
    bytes_a_pixel: int
    load: Callable[[int | None], Image.Image | Deep]
    frames: int = 1
    bands: int = 3
    passes: int = 1
    tags: Callable[[], dict[str, str]] = dict


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which picture of a file.

    Args:
        frame: its number from 0; None for the first.
        bands: one band, or three as red, green and blue, from 0; empty: the first or the colours.
    """

    frame: int | None = None
    bands: tuple[int, ...] = ()
