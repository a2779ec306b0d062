"""What files hold: path, size and modification time → content id → facts of the image.

The store's part of reading a set (:class:`visdiff_local.images.FileMemory`).
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from visdiff_local.images import FactColumns, Facts, Stamp, shown
from visdiff_local.images.facts import Known
from visdiff_local.images.listing import ID_BYTES
from visdiff_local.store import blocks
from visdiff_local.store.database import DAY, Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, id BLOB NOT NULL,
    checksum BLOB NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (
    id BLOB NOT NULL, version BLOB NOT NULL, facts BLOB NOT NULL, checksum BLOB NOT NULL,
    PRIMARY KEY (id, version)
) WITHOUT ROWID;
"""

_LEVELS = 7
"""Their place among the fields of facts."""


class Files:
    """The tables of files and facts."""

    def __init__(self, database: Database, report: Callable[[str], None]) -> None:
        self._database = database
        self._report = report
        self._blocks = blocks.Blocks(database, report)

    def recall(self, stamps: Sequence[Stamp], version: str) -> Known:
        """Content ids and facts of the files that are known and unchanged, by index among the
        stamps. No object an image is made but what SQLite and JSON make themselves, and none where
        all of the same stamps were known before.

        Raises:
            StoreError: the store cannot be read.
        """
        if len(stamps) < blocks.LEAST:
            return self._recalled(stamps, version)
        key = blocks.key_of(stamps, _version(version))
        known = self._blocks.get(key)
        if known is None:
            known = self._recalled(stamps, version)
            if len(known.at) == len(stamps):
                self._blocks.put(key, known)
        return known

    def _recalled(self, stamps: Sequence[Stamp], version: str) -> Known:
        """By the rows of the files, one by one."""
        paths = _encoded([stamp.path for stamp in stamps])
        wanted = dict(zip(paths, stamps, strict=True))
        query = (
            "SELECT path, size, mtime_ns, files.id, files.checksum, facts, facts.checksum, used "
            "FROM files JOIN facts ON facts.id = files.id AND facts.version = ? WHERE path IN"
        )
        now, marked = int(time.time()), _version(version)
        place: dict[bytes, int] = {}
        ids: list[bytes] = []
        known: list[bytes] = []
        stale: list[tuple[int, bytes]] = []
        for path, size, mtime_ns, id_, file_sum, facts, facts_sum, used in self._database.rows_in(
            query, list(wanted), (marked,)
        ):
            _, own_size, own_mtime_ns = wanted[path]
            if own_size != size or own_mtime_ns != mtime_ns:
                continue
            sound = _checksum(path, size, mtime_ns, id_) == file_sum
            if not sound or _checksum(id_, marked, facts) != facts_sum:
                self._report(f"a damaged row was found in {self._database.path}; file read again")
                continue
            place[path] = len(ids)
            ids.append(id_)
            known.append(facts)
            if used < now - DAY:
                stale.append((now, path))
        self._database.write(("UPDATE files SET used = ? WHERE path = ?", stale))
        row = np.array([place.get(path, -1) for path in paths], np.int64)
        if len(wanted) < len(paths):  # listed more than once, and maybe written in between
            same = [wanted[path] == stamp for path, stamp in zip(paths, stamps, strict=True)]
            row[~np.array(same)] = -1
        at = np.flatnonzero(row >= 0)
        every = np.frombuffer(b"".join(ids), dtype=f"V{ID_BYTES}")
        facts_of = FactColumns.of_rows(_fields(b"[%s]" % b",".join(known)))
        return Known(at, every[row[at]], facts_of.take(row[at]))

    def remember(self, items: Sequence[tuple[Stamp, str, Facts]], version: str) -> None:
        """Stores what was read, in one transaction.

        Raises:
            StoreError: the store cannot be written.
        """
        now, marked = int(time.time()), _version(version)
        if self._blocks.any() and self._contradicted(items):
            self._blocks.forget()
        files, facts = [], []
        for stamp, id_, known in items:
            path, raw, encoded = os.fsencode(stamp.path), bytes.fromhex(id_), _as_json(known)
            proof = _checksum(path, stamp.size, stamp.mtime_ns, raw)
            files.append((path, stamp.size, stamp.mtime_ns, raw, proof, now))
            facts.append((raw, marked, encoded, _checksum(raw, marked, encoded)))
        self._database.write(
            ("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", facts),
            ("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", files),
        )

    def _contradicted(self, items: Sequence[tuple[Stamp, str, Facts]]) -> bool:
        """Whether a file that is known by the same stamp holds something else now."""
        query = "SELECT path, size, mtime_ns, id FROM files WHERE path IN"
        paths = [os.fsencode(stamp.path) for stamp, _, _ in items]
        known = {path: rest for path, *rest in self._database.rows_in(query, paths)}
        return any(
            known.get(path, now) != now
            for path, now in (
                (path, [stamp.size, stamp.mtime_ns, bytes.fromhex(id_)])
                for path, (stamp, id_, _) in zip(paths, items, strict=True)
            )
        )

    def paths(self, ids: Sequence[str]) -> dict[str, str]:
        """One path of each content id that a file is known to have had."""
        wanted = {bytes.fromhex(identity) for identity in ids}
        if not wanted:
            return {}
        # By path, the key: no table is sorted by ids, and to ask part by part reads it as often.
        query = "SELECT path, id FROM files WHERE path > ? ORDER BY path"
        return {
            identity.hex(): shown(os.fsdecode(path))
            for path, identity in self._database.stream(query)
            if identity in wanted
        }

    def all_facts(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Id, version and facts (JSON) of every image, in the order of the ids."""
        query = "SELECT id, version, facts FROM facts WHERE (id, version) > (?, ?) ORDER BY 1, 2"
        yield from self._database.stream(query, keys=2)

    def count(self) -> int:
        """How many files are known."""
        return int(self._database.rows("SELECT COUNT(*) FROM files")[0][0])

    def forget(self, before: float) -> None:
        """Deletes files last used before a Unix time, and facts that no file has any more."""
        self._blocks.forget()
        self._database.write(
            ("DELETE FROM files WHERE used < ?", [(before,)]),
            ("DELETE FROM facts WHERE id NOT IN (SELECT id FROM files)", [()]),
        )


def _version(version: str) -> bytes:
    return hashlib.blake2b(version.encode(), digest_size=16).digest()


def _checksum(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()


def _encoded(paths: Sequence[str]) -> list[bytes]:
    """As ``os.fsencode`` has them, all at once: no path holds a NUL."""
    return os.fsencode("\0".join(paths)).split(b"\0") if paths else []


def _as_json(facts: Facts) -> bytes:
    spread = None if facts.levels is None else list(astuple(facts.levels))
    fields = [
        *(facts.width, facts.height, facts.format, facts.phash, facts.values),
        *(facts.frames, facts.bands, spread, facts.tags),
    ]
    return json.dumps(fields, separators=(",", ":")).encode("ascii")  # floats round-trip, NaN too


def _fields(raw: bytes) -> list[list[Any]]:
    """Of a JSON list of facts, the fields of each in the order of :class:`Facts`."""
    rows: list[list[Any]] = json.loads(raw)
    for row in rows:
        if row[_LEVELS] is not None:
            row[_LEVELS] = blocks.levels_of(row[_LEVELS])
    return rows


def facts_as_text(facts: Facts) -> str:
    """JSON, as the store keeps it."""
    return _as_json(facts).decode("ascii")


def facts_of_text(text: str) -> Facts:
    """The facts again; raises ValueError or TypeError where they are none."""
    (row,) = _fields(b"[%s]" % text.encode())
    width, height, format_name, phash, values, frames, bands, levels, tags = row
    return Facts(width, height, format_name, phash, tuple(values), frames, bands, levels, tags)
