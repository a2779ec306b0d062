"""The window: which pixel values are black and which are white, one for a whole run.

Never one an image: that would erase the very difference between a dark set and a bright one. It
is estimated from both sets together, so neither is favoured.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from visdiff_local.errors import UsageError
from visdiff_local.images.decoders.base import Deep, Pixels
from visdiff_local.types import Window

SAMPLE = 1 << 16
"""Pixels of an image that its levels are computed from, evenly spread."""
_AGREE = 0.9
"""Share of the images whose own tags must name the same window for it to be taken."""
_LITTLE = 0.25
"""Share of the bits' range below which values are taken to be stretched within it."""

_AIR, _DENSEST = -1024.0, 3071.0
"""Hounsfield units that a CT of 12 bits holds."""

Kind = Literal["unsigned", "signed", "float"]
How = Literal["bits used", "percentiles", "the files' own tags", "given"]


@dataclass(frozen=True, slots=True)
class Levels:
    """How the values of one deep image are spread.

    Args:
        low, high: 0.1st and 99.9th percentile.
        bits: used for a pixel as the file says; None where it does not.
    """

    kind: Kind
    low: float
    high: float
    tags: Window | None = None
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The window of a run and how it was come by."""

    window: Window
    how: How
    images: int
    """How many deep images there are."""
    naming: int = 0
    """How many of them name this window in their own tags."""

    @property
    def text(self) -> str:
        curve = " along the files' own curve" if self.window.curve else ""
        return f"{self.window.low:g} … {self.window.high:g}{curve}"


def levels(deep: Deep) -> Levels:
    """Of one image; values that are no numbers do not count."""
    kind: Kind = {"u": "unsigned", "b": "unsigned", "i": "signed"}.get(  # type: ignore[assignment]
        deep.pixels.dtype.kind, "float"
    )
    pixels = deep.pixels
    if deep.opaque is not None and deep.opaque.any():
        pixels = pixels[deep.opaque > 0]  # colours that nobody sees may be anything
    flat = pixels.reshape(-1)
    values = flat[:: max(1, len(flat) // SAMPLE)].astype(np.float64)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [0.1, 99.9]) if len(values) else (0.0, 0.0)
    return Levels(kind, float(low), float(high), deep.tags, deep.bits)


def choose(all_levels: Sequence[Levels], wanted: str = "auto") -> Chosen | None:
    """The window for these images of both sets; None where none of them is deep.

    ``auto``: the files' own where nearly all name the same; for unsigned integers all values of
    the bits that are used, so that pictures look as they did before they were widened; else, and
    where the values fill little of that, the percentiles. ``tags``: what most files name. A file
    may name a lookup table; it is one window like any other, and serves the whole run or no image.

    Raises:
        UsageError: ``tags``, and no file names a window.
    """
    if not all_levels:
        return None
    given = Window.parsed(wanted)
    if given is not None:
        return Chosen(given, "given", len(all_levels))
    named = Counter(one.tags for one in all_levels if one.tags is not None)
    # The lowest of those that are named as often: the order of the files must not matter.
    best = min(named, key=lambda window: (-named[window], window)) if named else None
    if best is None:
        if wanted == "tags":
            raise UsageError(
                "--window tags: no image names a window in its tags; type LO,HI or auto"
            )
    elif wanted == "tags" or named[best] >= _AGREE * len(all_levels):
        return Chosen(best, "the files' own tags", len(all_levels), named[best])
    return _estimated(all_levels)


def _estimated(all_levels: Sequence[Levels]) -> Chosen:
    # Robust twice: within an image and over images; one broken detector sets no window.
    low = float(np.percentile([one.low for one in all_levels], 1))
    high = float(np.percentile([one.high for one in all_levels], 99))
    kinds = {one.kind for one in all_levels}
    if kinds == {"unsigned"}:
        told = [one.bits for one in all_levels if one.bits]
        bits = max(int(np.ceil(np.log2(high + 1))) if high >= 1 else 1, 8)
        if len(told) == len(all_levels):
            bits = max(told)
        top = float(2**bits - 1)
        if high - low >= _LITTLE * top:
            return Chosen(Window(0.0, top), "bits used", len(all_levels))
    if kinds == {"float"} and low >= 0.0 and 0.5 <= high <= 1.0:
        return Chosen(Window(0.0, 1.0), "bits used", len(all_levels))
    # Pictures seldom reach black, and what is black is told by what the values are: nothing
    # counted, or air as a CT of 12 bits stores it.
    if kinds == {"float"} and 0.0 <= low <= _LITTLE * high:
        low = 0.0
    if kinds == {"signed"} and _AIR <= low <= _AIR / 2 and high <= _DENSEST:
        low = _AIR
    if low >= high:
        high = low + 1.0
    return Chosen(Window(low, high), "percentiles", len(all_levels))


def seen(deep: Deep, window: Window | None) -> Image.Image:
    """8-bit RGB of deep pixels through the window; through its own where there is none.

    Only a picture that is looked at by itself (the server's, a query) has none.
    """
    if window is None:
        chosen = choose([levels(deep)])
        assert chosen is not None
        window = chosen.window
    rows = [_rows(deep, strip, window) for strip in _strips(deep.pixels)]
    return Image.fromarray(np.concatenate(rows)).convert("RGB")


def _strips(pixels: Pixels) -> list[slice]:
    """So many rows at a time that the floats in between stay small."""
    height = max(1, (1 << 20) // max(1, pixels[0].size))
    return [slice(start, start + height) for start in range(0, len(pixels), height)]


def _rows(deep: Deep, strip: slice, window: Window) -> np.typing.NDArray[np.uint8]:
    part = deep.pixels[strip]
    low, high = window.low, window.high
    values = np.nan_to_num(part.astype(np.float64), nan=low, posinf=high, neginf=low)
    if window.curve:
        greys = np.frombuffer(bytes.fromhex(window.curve), np.uint8)
        scaled = np.interp(values, np.linspace(low, high, len(greys)), greys)
    else:
        scaled = np.clip((values - low) * (255.0 / (high - low)), 0, 255)
    if deep.inverted:
        scaled = 255 - scaled
    if deep.opaque is not None:
        opaque = deep.opaque[strip]
        share = opaque[..., None] if scaled.ndim == 3 else opaque
        scaled = 255 + (scaled - 255) * share
    return np.rint(scaled).astype(np.uint8)
