"""What some thousand files hold, kept once more in one piece, for those who ask for the same again.

A set is listed in the same order every time, so that its files are asked about in the same blocks.
The rows of :mod:`.files` are what is known; a block is a copy of some thousand of them in columns,
under a hash of all their paths, sizes and times, which is read in a tenth of the time. It is made
when all of a block's rows were found, holds for a day (then the rows are asked, whose time of last
use is what ``gc`` goes by), and may be dropped at any time.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from visdiff_local.images import FactColumns, Levels, Stamp
from visdiff_local.images.covariates import Column
from visdiff_local.images.facts import Known
from visdiff_local.images.listing import ID_BYTES
from visdiff_local.store.database import DAY, Database
from visdiff_local.store.records import checksum
from visdiff_local.system import foreign
from visdiff_local.types import Window

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blocks (
    key BLOB PRIMARY KEY, used INTEGER NOT NULL, bytes INTEGER NOT NULL, checksum BLOB NOT NULL,
    value BLOB NOT NULL
);
"""
LEAST = 512
"""Files: fewer are found by their rows as fast."""
_SHARE = 0.5
"""Of the database's file that blocks may take: two or three orders of every set in it."""
_COLUMNS = ("sizes", "phash", "values", "format", "frames", "bands")


class Blocks:
    """The table of blocks, made for the first one."""

    def __init__(self, database: Database, report: Callable[[str], None]) -> None:
        self._database = database
        self._report = report

    def get(self, key: bytes) -> Known | None:
        """What all files of the block hold; None where it is not there, damaged or of yesterday."""
        if not self.any():
            return None
        query = "SELECT value, checksum FROM blocks WHERE key = ? AND used >= ?"
        for value, proof in self._database.rows(query, (key, int(time.time()) - DAY)):
            if checksum(key, value) == proof:
                return _known(value)
            self._report(
                f"a damaged block was found in {self._database.path}; its rows are read instead"
            )
        return None

    def put(self, key: bytes, known: Known) -> None:
        """Keeps a block, and drops the oldest where they take too much of the disk."""
        self._database.extend(_SCHEMA)
        if self._database.read_only:
            return
        value = _as_bytes(known)
        row = (key, int(time.time()), len(value), checksum(key, value), value)
        ((pages, size),) = self._database.rows(
            "SELECT page_count, page_size FROM pragma_page_count(), pragma_page_size()"
        )
        room, old = _SHARE * pages * size - len(value), []
        there = self._database.rows("SELECT bytes, key FROM blocks ORDER BY used DESC, rowid DESC")
        for taken, other in there:
            room -= taken if other != key else 0
            if room < 0:
                old.append((other,))
        self._database.write(
            ("DELETE FROM blocks WHERE key = ?", old),
            ("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?)", [row]),
        )

    def any(self) -> bool:
        """Whether there is one."""
        made = "SELECT 1 FROM sqlite_master WHERE name = 'blocks'"
        return bool(
            self._database.rows(made) and self._database.rows("SELECT 1 FROM blocks LIMIT 1")
        )

    def forget(self) -> None:
        """Drops all of them, as must be where a row says something else than before."""
        if self.any():
            self._database.write(("DELETE FROM blocks", [()]))


def key_of(stamps: Sequence[Stamp], version: bytes) -> bytes:
    """32 bytes over all paths, sizes and times, in their order."""
    paths = "\0".join([stamp.path for stamp in stamps]).encode("utf-8", "surrogateescape")
    numbers = np.array([(stamp.size, stamp.mtime_ns) for stamp in stamps], np.int64)
    hashed = hashlib.blake2b(version, digest_size=32)
    for part in (len(stamps).to_bytes(8, "little"), paths, numbers.tobytes()):
        hashed.update(part)
    return hashed.digest()


def _as_bytes(known: Known) -> bytes:
    facts = known.facts
    told = {
        "formats": facts.formats,
        "deep": {index: astuple(levels) for index, levels in facts.deep.items()},
        "tags": {name: column.values for name, column in facts.tags.items()},
    }
    columns = {name: getattr(facts, name) for name in _COLUMNS}
    codes = {f"tag{i}": column.codes for i, column in enumerate(facts.tags.values())}
    made = io.BytesIO()
    np.savez(
        made,
        allow_pickle=False,
        ids=known.ids.view(np.uint8),
        told=np.frombuffer(json.dumps(told).encode("ascii"), np.uint8),
        **columns,
        **codes,
    )
    return made.getvalue()


def levels_of(fields: Sequence[Any]) -> Levels:
    """Again, from what ``dataclasses.astuple`` made of them."""
    kind, low, high, own, bits = fields
    return Levels(kind, low, high, None if own is None else Window(*own), bits)


def _known(value: bytes) -> Known:
    with np.load(io.BytesIO(value), allow_pickle=False) as columns:
        told = foreign.json_object(columns["told"].tobytes())
        tags = {
            name: Column(columns[f"tag{i}"], tuple(values))
            for i, (name, values) in enumerate(told["tags"].items())
        }
        ids = columns["ids"].view(f"V{ID_BYTES}")
        facts = FactColumns(
            **{name: columns[name] for name in _COLUMNS},
            formats=tuple(told["formats"]),
            deep={int(index): levels_of(fields) for index, fields in told["deep"].items()},
            tags=tags,
        )
    return Known(np.arange(len(ids)), ids, facts)
