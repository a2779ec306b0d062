"""HEIC and HEIF, as phones and cameras write them; the extra ``heic`` (pi-heif only decodes).

AVIF is Pillow's own. JPEG XL is decoded by imagecodecs (libjxl), in the extra ``jxl``.
"""

from functools import cache

import numpy as np
from PIL import Image

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.decoders import pillow
from visdiff_local.images.decoders.base import Deep, Header, Wanted
from visdiff_local.images.decoders.extras import extra
from visdiff_local.images.decoders.limits import MAX_PIXELS
from visdiff_local.images.decoders.tiff import banded, plain_or_deep

_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def is_heif(raw: bytes) -> bool:
    return raw[4:8] == b"ftyp" and raw[8:12] in _BRANDS and b"avif" not in raw[16:64]


def opened(raw: bytes, wanted: Wanted) -> Header:
    _register()
    return pillow.opened(raw, wanted, formats=("HEIF",))


@cache
def _register() -> None:
    with extra("heic", "HEIC pictures"):
        import pi_heif
    pi_heif.register_heif_opener(thumbnails=False)  # its limits on size stay on by default


def is_jxl(raw: bytes) -> bool:
    return raw.startswith(_JXL)


def opened_jxl(raw: bytes, wanted: Wanted) -> Header:
    with extra("jxl", "JPEG XL pictures"):
        import imagecodecs
    width, height = _jxl_size(raw)

    def load(_: int | None) -> Image.Image | Deep:
        pixels = np.asarray(imagecodecs.jpegxl_decode(raw, index=wanted.frame or 0))
        return plain_or_deep(banded(pixels, wanted.bands))

    return Header("JXL", width, height, 8, load, bands=3)


def _jxl_size(raw: bytes) -> tuple[int, int]:
    """Width and height from the codestream's SizeHeader (ISO/IEC 18181-1, D.2)."""
    start = raw.find(b"\xff\x0a") if raw[:2] != b"\xff\x0a" else 0
    if raw[:2] != b"\xff\x0a":
        for box in (b"jxlc", b"jxlp"):
            at = raw.find(box)
            if at >= 0:
                start = at + (4 if box == b"jxlc" else 8)
                break
    if start < 0 or raw[start : start + 2] != b"\xff\x0a":
        raise UnreadableImageError("damaged: a JPEG XL file without a codestream")
    bits = _Bits(raw[start + 2 : start + 34])
    small = bits.take(1)
    height = (bits.take(5) + 1) * 8 if small else bits.size()
    ratio = bits.take(3)
    if ratio == 0:
        width = (bits.take(5) + 1) * 8 if small else bits.size()
    else:
        above, below = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        width = height * above // below
    if width * height > MAX_PIXELS:
        raise UnreadableImageError(f"too many pixels ({width:,} × {height:,})")
    return width, height


class _Bits:
    """Bits from the least significant on."""

    def __init__(self, raw: bytes) -> None:
        self._value = int.from_bytes(raw, "little")

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken

    def size(self) -> int:
        return self.take((9, 13, 18, 30)[self.take(2)]) + 1
