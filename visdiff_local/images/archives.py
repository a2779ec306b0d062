"""Members of tar and zip archives, read where they lie.

A member of a tar is a run of bytes in a file: reading it is one ``pread``, as fast as a file of
its own. Nothing is unpacked, and no member's name is ever used as a path.
"""

import io
import os
import threading
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.compressed import inflated
from visdiff_local.images.locators import MAX_BYTES, readable
from visdiff_local.images.names import shown
from visdiff_local.types import Stamp

_MOST_OPEN = 64
_lock = threading.Lock()
_files: "OrderedDict[Path, int]" = OrderedDict()
_zips: "OrderedDict[tuple[Path, int, int], zipfile.ZipFile]" = OrderedDict()


@dataclass(frozen=True, slots=True)
class TarMember:
    """So many bytes of a tar file, from so far on; of its content where it is compressed."""

    archive: Path
    member: str
    offset: int
    size: int
    part: str = ""
    packed: bool = False

    @property
    def name(self) -> str:
        return named(f"{shown(self.archive)}/{shown(self.member)}", self.part)

    def read(self) -> bytes:
        if not self.size:
            raise UnreadableImageError("empty file")
        if self.size > MAX_BYTES:
            raise UnreadableImageError(f"larger than {MAX_BYTES >> 30} GiB")
        with readable():
            if self.packed:
                content = inflated(self.archive).read(self.offset, self.size)
            else:
                content = os.pread(_opened(self.archive), self.size, self.offset)
        if len(content) < self.size:
            raise UnreadableImageError("truncated: the archive ends before it")
        return content

    def open(self) -> BinaryIO:
        return io.BytesIO(self.read())

    @property
    def inside(self) -> str:
        return f"{self.member}@{self.offset}"

    def stamp(self) -> Stamp:
        return stamped(self.archive, self.inside, self.part)

    def order(self) -> tuple[str, int]:
        return os.fspath(self.archive), self.offset


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member of a zip file, stored or deflated.

    Args:
        shown_name: its name for people, where the library reads it otherwise.
    """

    archive: Path
    member: str
    offset: int
    shown_name: str = field(default="", compare=False)
    part: str = ""

    @property
    def name(self) -> str:
        return named(f"{shown(self.archive)}/{shown(self.shown_name or self.member)}", self.part)

    def read(self) -> bytes:
        try:
            with readable():
                archive = _zip(self.archive)
                info = archive.getinfo(self.member)
                if not info.file_size:
                    raise UnreadableImageError("empty file")
                if info.file_size > MAX_BYTES:
                    raise UnreadableImageError(f"larger than {MAX_BYTES >> 30} GiB")
                with archive.open(info) as stream:  # stops at file_size, whatever is packed
                    return stream.read()
        except KeyError as error:
            raise UnreadableImageError("it is no longer in the archive") from error
        except RuntimeError as error:  # zipfile's word for a password
            raise UnreadableImageError("it is encrypted") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise UnreadableImageError(f"damaged in the archive ({error})") from error

    def open(self) -> BinaryIO:
        return io.BytesIO(self.read())

    @property
    def inside(self) -> str:
        return f"{self.member}@{self.offset}"

    def stamp(self) -> Stamp:
        return stamped(self.archive, self.inside, self.part)

    def order(self) -> tuple[str, int]:
        return os.fspath(self.archive), self.offset


def named(name: str, part: str) -> str:
    """With the part behind it, where there is one."""
    return f"{name} [{part}]" if part else name


def stamped(path: Path, inside: str, part: str) -> Stamp:
    """Of something within a file: as old as the file."""
    with readable():
        facts = path.stat()
    behind = f"#{inside}" + (f"#{part}" if part else "")
    return Stamp(os.fspath(path) + behind, facts.st_size, facts.st_mtime_ns)


def _opened(path: Path) -> int:
    """A descriptor of the file; the ones used last stay open."""
    with _lock:
        if path in _files:
            _files.move_to_end(path)
            kept = _files[path]
            # A file that was replaced under its name is another one.
            if os.path.samestat(os.fstat(kept), path.stat()):
                return kept
            os.close(_files.pop(path))
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        _files[path] = handle
        # Never closed while another thread may be reading from it: 64 and one are few.
        return handle


def _zip(path: Path) -> zipfile.ZipFile:
    facts = path.stat()
    key = (path, facts.st_size, facts.st_mtime_ns)
    with _lock:
        if key not in _zips:
            _zips[key] = zipfile.ZipFile(path)
            while len(_zips) > _MOST_OPEN:
                _zips.popitem(last=False)
        _zips.move_to_end(key)
        return _zips[key]
