"""Answers of models by key: captions, probabilities, completions.

Each row carries a checksum over its key and value. A row that fails it is named and treated as not
there, so that it is computed again.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from visdiff_local.store.database import DAY, Database

Value = str | float | list[str] | list[float]

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, task TEXT NOT NULL, value BLOB NOT NULL,
    checksum BLOB NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
"""
_ROW_OVERHEAD = 100
"""Bytes of a row beside its value, roughly."""


class Records:
    """The table of answers."""

    def __init__(self, database: Database, report: Callable[[str], None]) -> None:
        self._database = database
        self._report = report

    def get_many(self, task: str, keys: Sequence[str]) -> dict[str, Value]:
        """The answers that are there, by key (64 hex digits).

        Raises:
            StoreError: the store cannot be read.
        """
        now = int(time.time())
        found: dict[str, Value] = {}
        stale: list[tuple[int, bytes]] = []
        query = "SELECT key, value, checksum, used FROM answers WHERE task = ? AND key IN"
        for key, value, proof, used in self._database.rows_in(query, _raw(keys), (task,)):
            if checksum(key, value) != proof:
                self._report(
                    f"a damaged answer ({task}, key {key.hex()}) was found in "
                    f"{self._database.path}; it is computed again"
                )
                continue
            found[key.hex()] = json.loads(value)
            if used < now - DAY:
                stale.append((now, key))
        self._database.write(("UPDATE answers SET used = ? WHERE key = ?", stale))
        return found

    def put_many(self, task: str, items: Mapping[str, Value]) -> None:
        """Stores answers in one transaction. What is no answer (NaN, say) must not come here.

        Raises:
            StoreError: the store cannot be written.
            ValueError: a value holds NaN or an infinity.
        """
        now = int(time.time())
        rows = []
        for key, value in items.items():
            raw = bytes.fromhex(key)
            encoded = json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
            rows.append((raw, task, encoded, checksum(raw, encoded), now))
        self._database.write(("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", rows))

    def all(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Key, task and value (JSON) of every answer, in the order of the keys."""
        query = "SELECT key, CAST(task AS BLOB), value FROM answers WHERE key > ? ORDER BY key"
        yield from self._database.stream(query)

    def counts(self) -> dict[str, int]:
        """How many answers there are, by task."""
        rows = self._database.rows("SELECT task, COUNT(*) FROM answers GROUP BY task ORDER BY task")
        return dict(rows)

    def ages(self) -> list[tuple[int, int]]:
        """(Unix time of last use, bytes), summed by second, oldest first."""
        return [
            (used, size)
            for used, size in self._database.rows(
                "SELECT used, SUM(LENGTH(value) + ?) FROM answers GROUP BY used ORDER BY used",
                (_ROW_OVERHEAD,),
            )
        ]

    def forget(self, before: float) -> None:
        """Deletes the answers last used before a Unix time."""
        self._database.write(("DELETE FROM answers WHERE used < ?", [(before,)]))


def _raw(keys: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(key) for key in dict.fromkeys(keys)]


def checksum(key: bytes, value: bytes) -> bytes:
    """8 bytes that a row carries over its key and value."""
    return hashlib.blake2b(key + value, digest_size=8).digest()
