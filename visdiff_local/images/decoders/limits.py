"""How much one picture may cost, and all threads together: sides, pixels, bytes, seconds, memory.

Files come from strangers: 46 bytes can claim 121 million pixels. Every format goes through these
limits; the size is known from the header before a pixel is decoded.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from visdiff_local.errors import UnreadableImageError

MAX_PIXELS = 128_000_000
"""Larger pictures are refused: a few kilobytes can claim to be gigapixels. Phones take 108."""
MAX_SIDE = 65_535
"""Pixels of the longer side, as JPEG's own limit."""
MAX_DECODED = 2**30
"""Bytes of the decoded pixels, before they become 8-bit RGB."""
MAX_PIXELS_A_BYTE = 20_000
"""What a plain picture compresses to at best; a file that claims more is a bomb."""
_SMALL = 4_000_000
"""Pixels up to which no ratio is asked for: a small plain picture is a few dozen bytes."""
MAX_SECONDS = 30.0
"""Of decoding one picture, checked whenever its bytes are asked for and between the steps."""
MAX_WORK = 50 * MAX_PIXELS
"""Pixels times passes over them: a progressive JPEG may ask for thousands of passes."""


def check(width: int, height: int, bytes_a_pixel: int, size: int, passes: int = 1) -> None:
    """Raises :class:`UnreadableImageError` for a header that claims too much.

    Args:
        bytes_a_pixel: of the pixels as decoded, all bands together.
        size: bytes of the file.
        passes: how often the decoder goes over the picture.
    """
    pixels = width * height
    if width < 1 or height < 1:
        raise UnreadableImageError(f"damaged: its size is {width:,} × {height:,}")
    if pixels > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise UnreadableImageError(
            f"too many pixels ({width:,} × {height:,}; {MAX_PIXELS:,} and {MAX_SIDE:,} a side "
            "are the limits)"
        )
    if pixels * bytes_a_pixel > MAX_DECODED:
        raise UnreadableImageError(
            f"too large when decoded ({pixels * bytes_a_pixel >> 20:,} MiB; "
            f"{MAX_DECODED >> 20:,} is the limit)"
        )
    if pixels > _SMALL and pixels > MAX_PIXELS_A_BYTE * size:
        raise UnreadableImageError(
            f"too many pixels for its size ({width:,} × {height:,} in {size:,} bytes)"
        )
    if pixels * passes > MAX_WORK:
        raise UnreadableImageError(f"too many passes ({passes:,} over {pixels:,} pixels)")


class Timed(BytesIO):
    """Bytes that are refused to a decoder that has taken too long."""

    def __init__(self, raw: bytes, seconds: float = MAX_SECONDS) -> None:
        super().__init__(raw)
        self._end = time.monotonic() + seconds

    def read(self, size: int | None = -1) -> bytes:
        self.check()
        return super().read(size)

    def check(self) -> None:
        if time.monotonic() > self._end:
            raise UnreadableImageError(f"takes longer than {MAX_SECONDS:.0f} s to decode")


class Budget:
    """Bytes that all threads may hold together; whoever asks for more waits, and never forever:
    one picture at least is always let through."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._held = 0
        self._free = threading.Condition()

    @contextmanager
    def hold(self, wanted: int) -> Iterator[None]:
        """Waits until ``wanted`` bytes are free, or nothing is held at all."""
        with self._free:
            self._free.wait_for(lambda: not self._held or self._held + wanted <= self._total)
            self._held += wanted
        try:
            yield
        finally:
            with self._free:
                self._held -= wanted
                self._free.notify_all()


def _budget() -> int:
    """A quarter of the memory of this machine: 1 GiB at least, 8 at most."""
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        there = 0
    return min(max(there // 4, 2**30), 2**33)


MEMORY = Budget(_budget())
"""Of this process."""


def needed(width: int, height: int, bytes_a_pixel: int, size: int) -> int:
    """Bytes that decoding holds at its worst: the file, the pixels as stored, RGB twice."""
    return size + width * height * (2 * bytes_a_pixel + 6)
