"""Where the bytes of an image are: each class here is a :class:`visdiff_local.types.Locator`.

Decoding, hashing, thumbnails and the memory of what was read go through these four verbs, so that
a member of an archive or a row of a table is as good as a file.
"""

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.names import shown
from visdiff_local.types import Stamp

MAX_BYTES = 2**30
"""Larger files are no pictures that this program could hold in memory."""
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class File:
    """A file of its own."""

    path: Path
    part: str = ""

    @property
    def name(self) -> str:
        return f"{shown(self.path)} [{self.part}]" if self.part else shown(self.path)

    def read(self) -> bytes:
        with readable():
            facts = _plain(self.path)
            if facts.st_size > MAX_BYTES:
                raise UnreadableImageError(f"larger than {MAX_BYTES >> 30} GiB")
            with self.path.open("rb") as stream:
                head = stream.read(_HEAD)
                if not any(head):  # gigabytes of nothing take no room on the disk
                    raise UnreadableImageError("not an image: it begins with zeros alone")
                return head + stream.read(MAX_BYTES - len(head))

    def open(self) -> BinaryIO:
        with readable():
            _plain(self.path)
            return self.path.open("rb")

    def stamp(self) -> Stamp:
        with readable():
            facts = os.stat(self.path)  # noqa: PTH116 (a third of the time of Path.stat)
        behind = f"#{self.part}" if self.part else ""
        return Stamp(os.fspath(self.path) + behind, facts.st_size, facts.st_mtime_ns)

    def order(self) -> tuple[str, int]:
        return "", 0  # files of their own are read as fast in any order


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that are held in memory: a picture handed to the Python API, or sent to the server."""

    content: bytes = field(repr=False)
    name: str = "(in memory)"
    part: str = ""

    def read(self) -> bytes:
        if not self.content:
            raise UnreadableImageError("empty file")
        return self.content

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)

    def stamp(self) -> Stamp:
        # A name says nothing of content that was never a file: the digest does.
        return Stamp(f"memory:{hashlib.sha256(self.content).hexdigest()}", len(self.content), 0)

    def order(self) -> tuple[str, int]:
        return "", 0


@contextmanager
def readable() -> Iterator[None]:
    """What the system says of a file that cannot be read, in a few words."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableImageError("no such file") from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UnreadableImageError(f"cannot be read: {reason}") from error
    except ValueError as error:  # a NUL in the name
        raise UnreadableImageError(f"no valid file name: {error}") from error


def _plain(path: Path) -> os.stat_result:
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):  # a pipe or a device would block or never end
        raise UnreadableImageError("not a plain file")
    if facts.st_size == 0:
        raise UnreadableImageError("empty file")
    return facts
