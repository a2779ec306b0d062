"""Rows of Parquet and Arrow files that hold the bytes of images, read where they lie.

Parquet has no way to one row but through its row group, so the groups read last are kept, up to
:data:`HELD` bytes; who reads many rows does so in the order of :meth:`ParquetRow.order`.
"""

import io
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.archives import named, stamped
from visdiff_local.images.locators import File, readable
from visdiff_local.images.names import shown
from visdiff_local.types import Stamp

HELD = 1 << 29
"""Bytes of row groups that are kept in memory."""
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class ParquetRow:
    """The bytes in one row of a column, which may be a ``{bytes, path}`` as Hugging Face has it.

    Args:
        shown_name: the name that the row gives its image, for people.
    """

    file: Path
    row: int
    column: str
    shown_name: str = field(default="", compare=False)
    part: str = ""

    @property
    def name(self) -> str:
        return _name(self.file, self.row, self.shown_name, self.part)

    def read(self) -> bytes:
        with readable():
            return _content(_groups.value(self.file, self.column, self.row), self.file)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.read())

    @property
    def inside(self) -> str:
        return f"row {self.row} of {self.column}"

    def stamp(self) -> Stamp:
        return stamped(self.file, self.inside, self.part)

    def order(self) -> tuple[str, int]:
        return os.fspath(self.file), self.row


@dataclass(frozen=True, slots=True)
class ArrowRow:
    """As :class:`ParquetRow`, of an Arrow file, which is mapped into memory: any row is at hand."""

    file: Path
    row: int
    column: str
    shown_name: str = field(default="", compare=False)
    part: str = ""

    @property
    def name(self) -> str:
        return _name(self.file, self.row, self.shown_name, self.part)

    def read(self) -> bytes:
        with readable():
            column = arrow_table(self.file).column(self.column)
            return _content(column[self.row].as_py(), self.file)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.read())

    @property
    def inside(self) -> str:
        return f"row {self.row} of {self.column}"

    def stamp(self) -> Stamp:
        return stamped(self.file, self.inside, self.part)

    def order(self) -> tuple[str, int]:
        return os.fspath(self.file), self.row


def _name(file: Path, row: int, own: str, part: str) -> str:
    return named(f"{shown(file)}/{shown(own)}" if own else f"{shown(file)}, row {row + 1}", part)


def _content(value: Any, file: Path) -> bytes:
    """The bytes of a cell; a path beside the file where it holds no bytes."""
    path = None
    if isinstance(value, dict):
        value, path = value.get("bytes"), value.get("path")
    if value is None and path:
        return File(file.parent / str(path)).read()
    if not value:
        raise UnreadableImageError("empty file")
    return bytes(value)


class _Groups:
    """Row groups of Parquet files, the ones used last."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[Path, int, int], tuple[Any, list[int]]] = OrderedDict()
        self._held: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._bytes = 0

    def value(self, path: Path, column: str, row: int) -> Any:
        facts = path.stat()
        key = (path, facts.st_size, facts.st_mtime_ns)
        with _lock:
            file, ends = self._file(key)
            group = bisect_right(ends, row)
            if group == len(ends):
                raise UnreadableImageError("it is no longer in the file")
            first = ends[group - 1] if group else 0
            return self._group(key, file, group, column)[row - first].as_py()

    def _file(self, key: tuple[Path, int, int]) -> tuple[Any, list[int]]:
        import pyarrow as pa
        from pyarrow import parquet

        if key not in self._files:
            try:
                file = parquet.ParquetFile(key[0], memory_map=True)
            except (pa.ArrowException, ValueError) as error:
                raise UnreadableImageError(f"damaged Parquet ({type(error).__name__})") from error
            sizes = (file.metadata.row_group(i).num_rows for i in range(file.num_row_groups))
            self._files[key] = (file, list(accumulate(sizes)))
            if len(self._files) > 64:
                self._files.popitem(last=False)
        self._files.move_to_end(key)
        return self._files[key]

    def _group(self, key: tuple[Path, int, int], file: Any, group: int, column: str) -> Any:
        import pyarrow as pa

        place = (key, group, column)
        if place not in self._held:
            try:
                found = file.read_row_group(group, columns=[column]).column(column)
            except (pa.ArrowException, ValueError, KeyError) as error:
                raise UnreadableImageError(f"damaged Parquet ({type(error).__name__})") from error
            self._held[place] = found
            self._bytes += found.nbytes
            while self._bytes > HELD and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= dropped.nbytes
        self._held.move_to_end(place)
        return self._held[place]


_groups = _Groups()
_tables: "OrderedDict[tuple[Path, int, int], Any]" = OrderedDict()


def arrow_table(path: Path) -> Any:
    """The table of an Arrow file, stream or random-access, mapped and not read.

    Raises:
        UnreadableImageError: it is none.
    """
    import pyarrow as pa

    facts = path.stat()
    key = (path, facts.st_size, facts.st_mtime_ns)
    with _lock:
        if key not in _tables:
            try:
                _tables[key] = _checked(os.fspath(path))
            except (pa.ArrowException, ValueError) as error:
                raise UnreadableImageError(
                    f"damaged Arrow file ({type(error).__name__})"
                ) from error
            if len(_tables) > 64:
                _tables.popitem(last=False)
        return _tables[key]


def _checked(path: str) -> Any:
    """Every offset lies within the file: one that does not would end this process at its use."""
    import pyarrow as pa
    from pyarrow import ipc

    mapped = pa.memory_map(path)
    try:
        found = ipc.open_stream(mapped).read_all()
    except pa.ArrowInvalid:
        found = ipc.open_file(mapped).read_all()
    found.validate(full=True)
    return found
