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

from visdiff_local.images import Facts, Levels, Stamp, shown
from visdiff_local.store.database import DAY, Database
from visdiff_local.types import Window

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


class Files:
    """The tables of files and facts."""

    def __init__(self, database: Database, report: Callable[[str], None]) -> None:
        self._database = database
        self._report = report

    def recall(self, stamps: Sequence[Stamp], version: str) -> dict[Stamp, tuple[str, Facts]]:
        """Content id and facts of the files that are known and unchanged.

        Raises:
            StoreError: the store cannot be read.
        """
        wanted = {os.fsencode(stamp.path): stamp for stamp in stamps}
        query = (
            "SELECT path, size, mtime_ns, files.id, files.checksum, facts, facts.checksum, used "
            "FROM files JOIN facts ON facts.id = files.id AND facts.version = ? WHERE path IN"
        )
        now, marked = int(time.time()), _version(version)
        sound_ones: list[tuple[Stamp, bytes, bytes]] = []
        stale: list[tuple[int, bytes]] = []
        for path, size, mtime_ns, id_, file_sum, facts, facts_sum, used in self._database.rows_in(
            query, list(wanted), (marked,)
        ):
            stamp = wanted[path]
            if (stamp.size, stamp.mtime_ns) != (size, mtime_ns):
                continue
            sound = _checksum(path, size, mtime_ns, id_) == file_sum
            if not sound or _checksum(id_, marked, facts) != facts_sum:
                self._report(f"a damaged row was found in {self._database.path}; file read again")
                continue
            sound_ones.append((stamp, id_, facts))
            if used < now - DAY:
                stale.append((now, path))
        self._database.write(("UPDATE files SET used = ? WHERE path = ?", stale))
        known = json.loads(b"[%s]" % b",".join(facts for _, _, facts in sound_ones))
        return {
            stamp: (id_.hex(), _facts(fields))
            for (stamp, id_, _), fields in zip(sound_ones, known, strict=True)
        }

    def remember(self, items: Sequence[tuple[Stamp, str, Facts]], version: str) -> None:
        """Stores what was read, in one transaction.

        Raises:
            StoreError: the store cannot be written.
        """
        now, marked = int(time.time()), _version(version)
        files, facts = [], []
        for stamp, id_, known in items:
            path, raw, encoded = os.fsencode(stamp.path), bytes.fromhex(id_), _encoded(known)
            proof = _checksum(path, stamp.size, stamp.mtime_ns, raw)
            files.append((path, stamp.size, stamp.mtime_ns, raw, proof, now))
            facts.append((raw, marked, encoded, _checksum(raw, marked, encoded)))
        self._database.write(
            ("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", facts),
            ("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", files),
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
        self._database.write(
            ("DELETE FROM files WHERE used < ?", [(before,)]),
            ("DELETE FROM facts WHERE id NOT IN (SELECT id FROM files)", [()]),
        )


def _version(version: str) -> bytes:
    return hashlib.blake2b(version.encode(), digest_size=16).digest()


def _checksum(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()


def _encoded(facts: Facts) -> bytes:
    spread = None if facts.levels is None else list(astuple(facts.levels))
    fields = [
        *(facts.width, facts.height, facts.format, facts.phash, facts.values),
        *(facts.frames, facts.bands, spread, facts.tags),
    ]
    return json.dumps(fields, separators=(",", ":")).encode("ascii")  # floats round-trip, NaN too


def _decoded(raw: bytes) -> Facts:
    return _facts(json.loads(raw))


def _facts(fields: Sequence[Any]) -> Facts:
    width, height, format_name, phash, values, frames, bands, spread, tags = fields
    levels = None
    if spread is not None:
        kind, low, high, own, bits = spread
        levels = Levels(kind, low, high, None if own is None else Window(*own), bits)
    return Facts(width, height, format_name, phash, tuple(values), frames, bands, levels, tags)


def facts_as_text(facts: Facts) -> str:
    """JSON, as the store keeps it."""
    return _encoded(facts).decode("ascii")


def facts_of_text(text: str) -> Facts:
    """The facts again; raises ValueError or TypeError where they are none."""
    return _decoded(text.encode())
