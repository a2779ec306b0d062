"""One shard of embeddings: a FAISS index in half precision, the ids of its rows, and its facts.

Three files of one name, each written whole or not at all: ``.faiss``, ``.ids``, and last a small
``.json`` with sizes and checksums; a shard is there when its ``.json`` is. The rows are mapped, and
their checksums taken block by block when a row of the block is first used: opening a million of
them takes a fraction of a second, and no number comes from a row that has not been checked.
Checksums are CRC-32 by zlib-ng, seven times as fast as Python's own. FAISS is imported here only,
and only to write and to search: a repeated run, which does neither, is spared its half a second.
"""

import json
import os
import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from zlib_ng.zlib_ng import crc32

from visdiff_local.errors import MissingDependencyError
from visdiff_local.store.disk import checksum, private_folder, write_atomically
from visdiff_local.system import foreign

FloatArray = npt.NDArray[np.float32]
HalfArray = npt.NDArray[np.float16]
LabelArray = npt.NDArray[np.int64]
Ids = npt.NDArray[np.void]

BLOCK = 8192
"""Rows that share a checksum."""
_ID_BYTES = 32
_ROWS_AT_ONCE = 65_536
_COUNTS_AT = (8, 45, 110)
"""Where an index file says how many rows it has (twice) and how many bytes these are: the only
difference between the headers of two indexes of one dimension."""


class DamagedShardError(ValueError):
    """A row of the shard whose ``.json`` is ``path`` is not what was written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__("the checksum is wrong")


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """A shard's ``.json``."""

    fingerprint: str
    dimension: int
    count: int
    index_bytes: int
    frame_crc: int
    """Of all of the index file that is no row: headers and labels."""
    row_crcs: Sequence[int]
    """Of each :data:`BLOCK` of rows."""
    ids_crc: int


class Shard:
    """One open shard; its rows are mapped from the file, and read when they are used."""

    def __init__(self, path: Path, dimension: int) -> None:
        """Raises OSError when a file is not there, ValueError or RuntimeError when damaged."""
        self.path = path
        self.facts = foreign.typed(ShardFacts, foreign.json_object(foreign.read(path)))
        index_file, ids_file = path.with_suffix(".faiss"), path.with_suffix(".ids")
        if index_file.stat().st_size != self.facts.index_bytes:
            raise ValueError("the size is wrong")
        frame_crc = _frame_crc(index_file, self.facts.count, dimension)
        if checksum(ids_file) != self.facts.ids_crc or frame_crc != self.facts.frame_crc:
            raise ValueError("the checksum is wrong")
        self.ids: Ids = np.asarray(np.memmap(ids_file, dtype=f"V{_ID_BYTES}", mode="r"))
        shape = (self.facts.count, dimension)
        blocks = -(-self.facts.count // BLOCK)
        parts = (len(self.ids), self.facts.dimension, len(self.facts.row_crcs))
        if parts != (*shape, blocks):
            raise ValueError("its parts do not fit together")
        start = _rows_start(self.facts.index_bytes, *shape)
        mapped = np.memmap(index_file, np.float16, mode="r", offset=start, shape=shape)
        self._rows: HalfArray = np.asarray(mapped)
        self._proved = np.zeros(blocks, dtype=bool)
        labels = labels_of(self.ids)
        self._order = np.argsort(labels, kind="stable").astype(np.uint32)
        self._sorted = labels[self._order]

    @property
    def rows(self) -> HalfArray:
        """All rows, float16 (n, d), mapped; raises :class:`DamagedShardError`."""
        self._prove(range(len(self._proved)))
        return self._rows

    @cached_property
    def index(self) -> Any:
        """The FAISS index, all its rows proved; raises :class:`DamagedShardError`, also where
        another process has merged the shard away."""
        self._prove(range(len(self._proved)))
        faiss = load_faiss()
        try:
            with _utf8_name(self.path.with_suffix(".faiss"), os.O_RDONLY) as name:
                return faiss.read_index(name, faiss.IO_FLAG_MMAP_IFC)
        except (OSError, RuntimeError) as error:
            raise DamagedShardError(self.path) from error

    def take(self, rows: LabelArray) -> HalfArray:
        """These rows, a view where they follow each other; raises :class:`DamagedShardError`."""
        chosen = as_slice(rows)
        if isinstance(chosen, slice):
            self._prove(range(chosen.start // BLOCK, (chosen.stop - 1) // BLOCK + 1))
        else:
            self._prove(np.unique(rows // BLOCK).tolist())
        return self._rows[chosen]

    def blocks(self, keep: npt.NDArray[np.bool_]) -> Iterator[HalfArray]:
        """The rows to ``keep``, bool (n,), in parts; raises :class:`DamagedShardError`."""
        for block in range(len(self._proved)):
            part = slice(block * BLOCK, (block + 1) * BLOCK)
            self._prove([block])
            chosen = keep[part]
            yield self._rows[part] if chosen.all() else self._rows[part][chosen]

    def find(self, labels: LabelArray, ids: Ids) -> tuple[npt.NDArray[np.bool_], LabelArray]:
        """Which ids are here, and in which row (where they are)."""
        if len(ids):  # images are mostly asked for in the order in which they were added
            first = int(
                self._order[min(np.searchsorted(self._sorted, labels[0]), len(self.ids) - 1)]
            )
            if np.array_equal(self.ids[first : first + len(ids)], ids):
                return np.ones(len(ids), np.bool_), np.arange(first, first + len(ids))
        rising = np.argsort(labels)  # neighbours are then found in the processor's cache
        places = np.empty_like(rising)
        places[rising] = np.searchsorted(self._sorted, labels[rising])
        row = self._order[np.minimum(places, len(self._sorted) - 1)].astype(np.int64)
        return self.ids[row] == ids, row

    def names(self, labels: LabelArray) -> list[str]:
        """Content ids of FAISS's labels."""
        rows = self._order[np.searchsorted(self._sorted, labels)]
        return [id_.tobytes().hex() for id_ in self.ids[rows]]

    def _prove(self, blocks: Sequence[int]) -> None:
        for block in blocks:
            if not self._proved[block]:
                part = self._rows[block * BLOCK : (block + 1) * BLOCK]
                if crc32(part.data) != self.facts.row_crcs[block]:
                    raise DamagedShardError(self.path)
                self._proved[block] = True


def write_shard(
    folder: Path, fingerprint: str, dimension: int, ids: Ids, parts: Iterable[HalfArray]
) -> None:
    """A new shard in the folder; ``parts`` hold its rows, one part after the other, and are written
    as they come, so that a shard may be larger than memory.

    Raises:
        StoreError: it cannot be written; nothing is left that would be taken for a shard.
    """
    private_folder(folder)
    path = folder / f"{uuid.uuid4().hex}.json"
    index_file, ids_file = path.with_suffix(".faiss"), path.with_suffix(".ids")
    crcs: list[int] = []
    write_atomically(index_file, lambda file: crcs.extend(_write_rows(file, dimension, ids, parts)))
    write_atomically(ids_file, ids.tofile)
    facts = ShardFacts(
        fingerprint,
        dimension,
        len(ids),
        index_file.stat().st_size,
        _frame_crc(index_file, len(ids), dimension),
        crcs,
        checksum(ids_file),
    )
    text = json.dumps(asdict(facts))
    write_atomically(path, lambda file: _write_text(file, text))


def remove_shard(shard: Shard) -> None:
    """Deletes its files; its ``.json`` first, so that nobody opens what is half gone."""
    for suffix in (".json", ".faiss", ".ids"):
        shard.path.with_suffix(suffix).unlink(missing_ok=True)


def as_slice(rows: LabelArray) -> slice | LabelArray:
    """The same rows as a slice, which numpy need not gather, where they follow each other."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def raw_ids(ids: Sequence[str]) -> Ids:
    """Content ids, 64 hex digits each, as 32 bytes each."""
    return np.frombuffer(bytes.fromhex("".join(ids)), dtype=f"V{_ID_BYTES}")


def labels_of(ids: Ids) -> LabelArray:
    """FAISS labels: the first 63 bits of the content id, so that a shard tells what it holds."""
    first = ids.view(">u8").reshape(-1, _ID_BYTES // 8)[:, 0]
    return (first >> np.uint64(1)).astype(np.int64)


def load_faiss() -> Any:
    """The library; raises :class:`MissingDependencyError`."""
    try:
        import faiss
    except ImportError as error:
        raise MissingDependencyError(
            "embeddings need FAISS: pip install faiss-gpu (Linux x86-64), else faiss-cpu"
        ) from error
    return faiss


def _rows_start(size: int, count: int, dimension: int) -> int:
    """Where the rows begin in an index file: FAISS writes headers, rows, the labels' number, and
    the labels. Raises ValueError where the file is too small."""
    start = size - 2 * count * dimension - 8 * (count + 1)
    if start < 0:
        raise ValueError("the size is wrong")
    return start


def _frame_crc(path: Path, count: int, dimension: int) -> int:
    """CRC-32 of an index file without its rows."""
    with path.open("rb") as file:
        crc = crc32(file.read(_rows_start(path.stat().st_size, count, dimension)))
        file.seek(2 * count * dimension, os.SEEK_CUR)
        return crc32(file.read(), crc)


def _write_rows(path: Path, dimension: int, ids: Ids, parts: Iterable[HalfArray]) -> list[int]:
    """An index file as FAISS writes it: headers, rows, labels. CRC-32 of each block of rows.

    FAISS itself would hold all rows in memory; its code of a half-precision number is the number.
    """
    block, crcs, rows = BLOCK * 2 * dimension, [0], 0
    room = block
    with path.open("wb") as file:
        file.write(_header(dimension, len(ids)))
        for part in parts:
            rows += len(part)
            left = np.ascontiguousarray(part).view(np.uint8).reshape(-1).data
            file.write(left)
            while len(left):
                if not room:
                    crcs.append(0)
                    room = block
                crcs[-1] = crc32(left[:room], crcs[-1])
                room, left = room - len(left[:room]), left[room:]
        if rows != len(ids):
            raise ValueError(f"{rows} rows are not {len(ids)}")
        file.write(struct.pack("<q", len(ids)))
        for first in range(0, len(ids), _ROWS_AT_ONCE):
            labels_of(ids[first : first + _ROWS_AT_ONCE]).tofile(file)
    return crcs if rows else []


def _header(dimension: int, count: int) -> bytes:
    """What FAISS writes before the rows of an index of so many."""
    faiss = load_faiss()
    plain = faiss.IndexScalarQuantizer(
        dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    empty = faiss.serialize_index(faiss.IndexIDMap(plain)).tobytes()
    header = bytearray(empty[: _rows_start(len(empty), 0, dimension)])
    for offset, value in zip(_COUNTS_AT, (count, count, 2 * dimension * count), strict=True):
        if header[offset : offset + 8] != bytes(8):
            raise MissingDependencyError(
                "this version of FAISS writes its files in another way; type: "
                "pip install 'faiss-cpu<2' (faiss-gpu on Linux x86-64)"
            )
        header[offset : offset + 8] = struct.pack("<q", value)
    return bytes(header)


@contextmanager
def _utf8_name(path: Path, flags: int) -> Iterator[str]:
    """A name for FAISS, which takes UTF-8 alone: where the path is not, that of the open file."""
    if os.fsencode(path).decode("utf-8", "ignore") == os.fspath(path):
        yield os.fspath(path)
        return
    handle = os.open(path, flags, 0o600)
    try:
        yield f"/dev/fd/{handle}"
    finally:
        os.close(handle)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
