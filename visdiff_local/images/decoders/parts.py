"""A part of a file that is an image of its own: a frame, a moment of a video, a box."""

import hashlib
import re
from dataclasses import dataclass

from visdiff_local.errors import UnreadableImageError

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """What a locator's ``part`` says; its text is the same for the same part, always.

    Args:
        frame: number from 0, of a page, a slice, a frame of an animation.
        seconds: of a video.
        box: left, top, width and height in pixels of the upright picture.
        bands: see :class:`visdiff_local.images.decoders.base.Wanted`.
    """

    frame: int | None = None
    seconds: float | None = None
    box: Box | None = None
    bands: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        said = []
        if self.frame is not None:
            said.append(f"frame {self.frame}")
        if self.seconds is not None:
            said.append(f"at {self.seconds:.3f} s")
        if self.bands:
            said.append(f"bands {','.join(map(str, self.bands))}")
        if self.box is not None:
            said.append(f"box {','.join(map(str, self.box))}")
        return " ".join(said)


_PART = re.compile(
    r"(?:frame (\d+))? ?(?:at (\d+\.\d+) s)? ?(?:bands ([\d,]+))? ?(?:box (\d+,\d+,\d+,\d+))?"
)


def parsed(text: str) -> Part:
    """The part of :attr:`Part.text`."""
    found = _PART.fullmatch(text)
    if found is None:
        raise UnreadableImageError(f"no part of an image is called {text!r}")
    frame, seconds, bands, box = found.groups()
    left, top, width, height = (int(side) for side in box.split(",")) if box else (0, 0, 0, 0)
    return Part(
        None if frame is None else int(frame),
        None if seconds is None else float(seconds),
        (left, top, width, height) if box else None,
        tuple(int(band) for band in bands.split(",")) if bands else (),
    )


def content_id(raw_id: str, part: str) -> str:
    """The id of an image: the sha256 of its bytes, and with it the part where it is one."""
    return hashlib.sha256(f"{raw_id}#{part}".encode()).hexdigest() if part else raw_id
