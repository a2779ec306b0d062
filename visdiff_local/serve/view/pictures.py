"""Pictures of a run, drawn when somebody looks: the run's thumbnails, else the images themselves.

Only pixels that were decoded and encoded again leave here, and only of the image that the run saw:
a file that has changed since is not shown under its name.
"""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from visdiff_local.errors import InputError
from visdiff_local.images import File, UnreadableImageError, decoded
from visdiff_local.results.report.pictures import is_safe_name
from visdiff_local.types import ImageRef, Locator

SIDE = 224
LARGE = 1600
"""Pixels of the longer side of an enlarged picture."""
_HELD_BYTES = 64 * 2**20


Locate = Callable[[str], Locator | None]
"""Where an image is that is no file of its own: a member of an archive, a row, a frame."""


def nowhere(_: str) -> Locator | None:
    """For runs whose images are all files."""
    return None


@dataclass
class Thumbnails:
    """JPEGs by image id: from the run folder, or drawn and held while there is room."""

    folder: Path
    locate: Locate = nowhere
    _held: "OrderedDict[str, bytes]" = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def small(self, identity: str, path: str) -> bytes:
        """A thumbnail. Raises :class:`InputError` where the image is not what it was."""
        if is_safe_name(identity):
            try:
                return (self.folder / f"{identity}.jpg").read_bytes()
            except OSError:
                pass  # not one of those that the report shows
        with self._lock:
            if identity in self._held:
                self._held.move_to_end(identity)
                return self._held[identity]
        drawn = draw(identity, path, SIDE, self.locate)
        with self._lock:
            if identity not in self._held:
                self._held[identity] = drawn
                self._bytes += len(drawn)
            while self._bytes > _HELD_BYTES:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= len(dropped)
        return drawn


def draw(identity: str, name: str, side: int, locate: Locate = nowhere) -> bytes:
    """The image as a JPEG of at most so many pixels a side, without anything but its pixels.

    Raises:
        InputError: it is not there, cannot be decoded, or is not the image of this id.
    """
    at: Locator = File(Path(name))
    if not Path(name).is_file():
        at = locate(name) or at
    try:
        _, image = next(iter(decoded([ImageRef(identity, at)], size_hint=side, workers=1)))
    except UnreadableImageError as error:
        raise InputError(str(error)) from error
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85 if side > SIDE else 80)
    return stream.getvalue()
