"""Compressed tars (gzip, bzip2, xz, Zstandard), read where they lie and forward.

A compressed file has no middle: what is there comes after all that is before it. Images are read in
the order in which they lie, so one pass over the file serves them all; the bytes that went by last
are kept for threads that come a little late. Of gzip, which nearly all are, states of the
decompressor are kept on the way, and going back starts at the nearest. Of the others it starts at
the beginning, which is accepted: nothing is unpacked to the disk.
"""

import io
import lzma
import threading
import zlib
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from visdiff_local.errors import UnreadableImageError

SUFFIXES = (
    *(".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz"),
    *(".tar.zst", ".tzst"),
)
_CHUNK = 1 << 18
_RECENT = 64 << 20
"""Bytes that went by last and are kept, of each file."""
_APART = 8 << 20
"""Bytes between two kept states, at first; twice as many when there are :data:`_STATES`."""
_STATES = 512
_MOST_OPEN = 8


class Forward(Protocol):
    """Bytes from a position on."""

    def read(self, size: int, /) -> bytes:
        """At most so many; none at the end."""

    def close(self) -> None: ...


class Inflated:
    """The content of one compressed file.

    Raises:
        UnreadableImageError: at a read; it is damaged or ends too early.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open = _opener(path)
        self._stream: Forward | None = None
        self._recent: deque[tuple[int, bytes]] = deque()
        self._held = 0
        self._at = 0

    def read(self, offset: int, size: int) -> bytes:
        """Bytes from ``offset`` on; fewer than ``size`` only at the end."""
        with self._lock:
            try:
                return self._read(offset, size)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                self._restart(None)
                raise UnreadableImageError(f"archive damaged or truncated ({error})") from error

    def _read(self, offset: int, size: int) -> bytes:
        first = self._recent[0][0] if self._recent else self._at
        if self._stream is None or offset < first:
            self._restart(offset)
        while self._at < offset + size:
            assert self._stream is not None
            chunk = self._stream.read(_CHUNK)
            if not chunk:
                break
            self._recent.append((self._at, chunk))
            self._at += len(chunk)
            self._held += len(chunk)
            while self._held > _RECENT and self._recent[0][0] + len(self._recent[0][1]) <= offset:
                self._held -= len(self._recent.popleft()[1])
        starts = [start for start, _ in self._recent]
        place = max(0, bisect_right(starts, offset) - 1)
        found = bytearray()
        for start, chunk in list(self._recent)[place:]:
            if start >= offset + size:
                break
            found += chunk[max(0, offset - start) : offset + size - start]
        return bytes(found)

    def _restart(self, offset: int | None) -> None:
        """At the last kept state before ``offset``; closed where that is None."""
        if self._stream is not None:
            self._stream.close()
        self._recent.clear()
        self._held = 0
        self._stream, self._at = (None, 0) if offset is None else self._open(offset)


class View(io.RawIOBase):
    """The content as a seekable stream, for the library that reads the list of members."""

    def __init__(self, content: Inflated) -> None:
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end is not known")
        self._at = offset + (self._at if whence == io.SEEK_CUR else 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        found = self._content.read(self._at, size or 0)
        self._at += len(found)
        return found


_lock = threading.Lock()
_files: "OrderedDict[tuple[Path, int, int], Inflated]" = OrderedDict()


def inflated(path: Path) -> Inflated:
    """The content of the file as it is now; those used last are kept with their states."""
    facts = path.stat()
    key = (path, facts.st_size, facts.st_mtime_ns)
    with _lock:
        if key not in _files:
            _files[key] = Inflated(path)
            while len(_files) > _MOST_OPEN:
                _files.popitem(last=False)
        _files.move_to_end(key)
        return _files[key]


Opener = Callable[[int], tuple[Forward, int]]
"""A stream that begins at or before a position, and where it does."""


def _opener(path: Path) -> Opener:
    with path.open("rb") as stream:
        head = stream.read(6)
    if head.startswith(b"\x1f\x8b"):
        return _Gzip(path).open
    if head.startswith(b"BZh"):
        import bz2

        return lambda _: (bz2.BZ2File(path), 0)
    if head.startswith(b"\xfd7zXZ\0"):
        return lambda _: (lzma.LZMAFile(path), 0)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa

        return lambda _: (pa.CompressedInputStream(pa.PythonFile(path.open("rb")), "zstd"), 0)
    raise UnreadableImageError("none of gzip, bzip2, xz or Zstandard")


class _Gzip:
    """Where in a gzip file decompression can begin."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = [0]
        self._states: list[tuple[int, bytes, Any]] = [(0, b"", None)]
        """Bytes of the file that were fed, those of them that wait, and the decompressor."""
        self._apart = _APART

    def open(self, offset: int) -> tuple[Forward, int]:
        place = bisect_right(self._starts, offset) - 1
        fed, waiting, state = self._states[place]
        start = self._starts[place]
        return _GzipStream(self, self._path, start, fed, waiting, state), start

    def keep(self, start: int, fed: int, waiting: bytes, state: Any) -> None:
        if start < self._starts[-1] + self._apart:
            return
        self._starts.append(start)
        self._states.append((fed, waiting, state.copy()))
        if len(self._starts) > _STATES:
            self._starts, self._states = self._starts[::2], self._states[::2]
            self._apart *= 2


class _GzipStream:
    """A gzip file's content from a kept state on, members one after the other."""

    def __init__(
        self, kept: _Gzip, path: Path, start: int, fed: int, waiting: bytes, state: Any
    ) -> None:
        from zlib_ng import zlib_ng

        self._library: Any = zlib_ng
        self._kept, self._at, self._waiting = kept, start, waiting
        self._file = path.open("rb")
        self._file.seek(fed)
        self._state = self._fresh() if state is None else state.copy()

    def _fresh(self) -> Any:
        return self._library.decompressobj(31)

    def read(self, size: int, /) -> bytes:
        while True:
            if not self._waiting:
                self._waiting = self._file.read(_CHUNK)
            if not self._waiting:
                if not self._state.eof:
                    raise EOFError("it ends too early")
                return b""
            try:
                found = self._state.decompress(self._waiting, size)
            except self._library.error as error:
                raise EOFError(str(error)) from error
            if self._state.eof:  # another member may follow; zeros may fill the rest
                self._waiting = self._state.unused_data.lstrip(b"\0")
                if self._waiting or self._peek():
                    self._state = self._fresh()
            else:
                self._waiting = self._state.unconsumed_tail
            if found:
                self._at += len(found)
                self._kept.keep(self._at, self._file.tell(), self._waiting, self._state)
                return bytes(found)

    def _peek(self) -> bool:
        """Whether more follows; zeros are passed over."""
        while not self._waiting:
            chunk = self._file.read(_CHUNK)
            if not chunk:
                return False
            self._waiting = chunk.lstrip(b"\0")
        return True

    def close(self) -> None:
        self._file.close()
