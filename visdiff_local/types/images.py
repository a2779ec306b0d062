"""Images as they flow through a run: where their bytes are, what is seen of them, what is said."""

from dataclasses import dataclass
from hashlib import sha256
from math import isfinite, nan
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable


class Stamp(NamedTuple):
    """An image's source as the file system knows it; the same stamp is taken to be the same bytes.

    ``path`` is a file's, with the member, row, frame or box behind it where the image is a part.
    """

    path: str
    size: int
    mtime_ns: int


@runtime_checkable
class Locator(Protocol):
    """Where the bytes of an image are: a file, a member of an archive, a row of a table, memory.

    Frozen, hashable and small; one belongs to each image. Nothing outside ``images`` assumes that
    there is a path. All of it raises :class:`~visdiff_local.errors.UnreadableImageError`.
    """

    @property
    def name(self) -> str:
        """What people see: text that any terminal and any JSON can hold."""

    @property
    def part(self) -> str:
        """Which part of the bytes is the image (a frame, a box); "" where it is all of them."""

    def read(self) -> bytes:
        """The bytes of the file or member, whole also where ``part`` names a part of them."""

    def open(self) -> BinaryIO:
        """The same bytes as a seekable stream."""

    def stamp(self) -> Stamp:
        """Size and age, without reading."""

    def order(self) -> tuple[str, int]:
        """File and place in it: parts of one file are read faster in this order."""


class Window(NamedTuple):
    """Which values of deep pixels are black and which are white; one for all images of a run."""

    low: float
    high: float
    curve: str = ""
    """What lies between, where it is no straight line (DICOM's lookup tables and sigmoids): grey
    values at equal steps from ``low`` to ``high``, two hex digits each."""

    @property
    def text(self) -> str:
        """The same for the same window, always: part of fingerprints and keys."""
        curve = f",{sha256(self.curve.encode()).hexdigest()[:12]}" if self.curve else ""
        return f"{self.low!r},{self.high!r}{curve}"

    @classmethod
    def parsed(cls, text: str) -> "Window | None":
        """``LO,HI`` as typed; None for ``auto`` and ``tags``. Raises ValueError for all else."""
        if text in ("auto", "tags"):
            return None
        try:
            low, high = (float(part) for part in text.split(","))
        except ValueError:
            low = high = nan
        if not (isfinite(low) and isfinite(high) and low < high):
            raise ValueError(
                f"{text!r} is no window; type auto, tags, or two numbers such as 0,4095"
            )
        return cls(low, high)


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image: bytes with a name and where they came from.

    ``id`` is the sha256 (hex) of its bytes: a moved or renamed image keeps it. It is "" while the
    image is listed and not yet read.
    """

    id: str
    at: Locator
    caption: str | None = None
    """A caption that came with the image, in a table; no captioner is asked then."""
    window: Window | None = None
    """Through which its pixels are seen, where they have more than 8 bits."""

    @property
    def name(self) -> str:
        return self.at.name


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Caption:
    image_id: str
    text: str
