"""TIFF and PNG beyond Pillow: 16-bit colours, 64-bit floats, many bands, pages of microscopes.

The extra ``deep``: tifffile and imagecodecs.
"""

import logging
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.decoders import pillow
from visdiff_local.images.decoders.base import Deep, Header, Pixels, Wanted
from visdiff_local.images.decoders.extras import extra

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PLAIN_BITS = 8
_ORIENTATION = 274
_OPACITY = (1, 2)
"""Kinds of extra samples that say how opaque a pixel is."""


def is_tiff(raw: bytes) -> bool:
    return raw[:4] in _MAGIC


def opened(raw: bytes, wanted: Wanted) -> Header:
    """A TIFF: by Pillow where it has 8-bit grey or colours, else by tifffile."""
    plain = _by_pillow(raw, wanted)
    if plain is not None:
        return plain
    with extra("deep", "TIFFs of 16-bit colours, 64-bit floats or many bands"):
        import imagecodecs  # noqa: F401 (tifffile finds it)
        import tifffile
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # its errors are raised too
    try:
        file = tifffile.TiffFile(BytesIO(raw))
        page: Any = file.pages[wanted.frame or 0]
    except IndexError as error:
        raise UnreadableImageError(f"it has no page {wanted.frame or 0}") from error
    height, width, bands = int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
    if page.dtype is None:
        raise UnreadableImageError("a TIFF of an unknown pixel type")

    def load(_: int | None) -> Image.Image | Deep:
        pixels = np.asarray(page.asarray())
        if pixels.ndim == 3 and page.planarconfig == 2:  # one band after the other
            pixels = np.moveaxis(pixels, 0, -1)
        if pixels.ndim == 4 and pixels.shape[0] == 1:
            pixels = pixels[0]
        if pixels.ndim not in (2, 3):
            raise UnreadableImageError(f"a TIFF of {pixels.ndim} dimensions a page")
        pixels = pillow.upright(pixels, _orientation(page))
        opaque = None
        if pixels.ndim == 3 and any(kind in _OPACITY for kind in page.extrasamples):
            opaque = pixels[..., -1]
        chosen = banded(pixels, wanted.bands)
        inverted = page.photometric == 0
        return plain_or_deep(chosen, inverted=inverted, opaque=None if wanted.bands else opaque)

    return Header(
        "TIFF",
        width,
        height,
        bands * page.dtype.itemsize,
        load,
        frames=len(file.pages),
        bands=bands,
    )


def deep_png(raw: bytes, wanted: Wanted) -> Header:
    """A PNG of 16 bits a band in several bands."""
    with extra("deep", "PNGs of 16-bit colours"):
        import imagecodecs
    width, height = (int.from_bytes(raw[at : at + 4], "big") for at in (16, 20))
    bands = {2: 3, 4: 2, 6: 4}[raw[25]]
    orientation, tags = pillow.header_of_png(raw)

    def load(_: int | None) -> Image.Image | Deep:
        pixels = pillow.upright(np.asarray(imagecodecs.png_decode(raw)), orientation)
        opaque = pixels[..., -1] if bands % 2 == 0 and not wanted.bands else None
        return plain_or_deep(banded(pixels, wanted.bands), opaque=opaque)

    return Header("PNG", width, height, 2 * bands, load, bands=bands, tags=lambda: tags)


def _orientation(page: Any) -> int:
    """1 … 8."""
    tag = page.tags.get(_ORIENTATION)
    return int(tag.value) if tag is not None else 1


def banded(pixels: Pixels, bands: tuple[int, ...]) -> Pixels:
    """Grey (H, W) or colours (H, W, 3): the bands that are wanted, else the colours or the first.

    Raises:
        UnreadableImageError: there is no such band.
    """
    there = 1 if pixels.ndim == 2 else pixels.shape[2]
    if bands:
        if max(bands) >= there:
            raise UnreadableImageError(
                f"it has {there} bands, numbered from 0, and no {max(bands)}"
            )
        if pixels.ndim == 2:
            return pixels
        return pixels[..., bands[0]] if len(bands) == 1 else pixels[..., list(bands)]
    if there in (3, 4) and pixels.ndim == 3:  # the fourth is taken to be how opaque it is
        return pixels[..., :3]
    return pixels if pixels.ndim == 2 else pixels[..., 0]


def plain_or_deep(
    pixels: Pixels, *, inverted: bool = False, opaque: Pixels | None = None
) -> Image.Image | Deep:
    """An 8-bit picture as it is; all else waits for a window.

    Args:
        opaque: (height, width), from nothing to the most that its integers hold.
    """
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind == "c":
        raise UnreadableImageError("complex numbers are no picture")
    share = None
    if opaque is not None and opaque.dtype.kind == "u" and not (opaque == _most(opaque)).all():
        share = opaque.astype(np.float32) / np.float32(_most(opaque))
    if pixels.dtype != np.uint8 or share is not None:
        return Deep(np.ascontiguousarray(pixels), inverted=inverted, opaque=share)
    shown = 255 - pixels if inverted else pixels
    return Image.fromarray(np.ascontiguousarray(shown)).convert("RGB")


def _most(pixels: Any) -> int:
    return int(np.iinfo(pixels.dtype).max)


def _by_pillow(raw: bytes, wanted: Wanted) -> Header | None:
    """Pillow's header; None where Pillow would cut the pixels or cannot read them."""
    try:
        header = pillow.opened(raw, wanted, formats=("TIFF",))
        bits, kinds, bands = pillow.tiff_pixels(raw, wanted)
    except UnreadableImageError:
        return None
    if wanted.bands and bands > 1:
        return None
    deep = max(bits) > _PLAIN_BITS or any(kind not in (1, 4) for kind in kinds)
    if deep and not (bands == 1 and bits[0] in (12, 16, 32) and kinds[0] in (1, 2, 3)):
        return None
    if deep and bits[0] == 12:
        return None
    return header
