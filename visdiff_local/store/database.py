"""One SQLite file that several processes write at once and that outlives being killed.

Write-ahead log; every batch is one transaction, so a killed process loses at most the batch in
flight. Accepted: after a power cut the last batches may be missing (``synchronous=NORMAL``), and
the store must not lie on a network file system, where SQLite's locks do not hold.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from visdiff_local.errors import StoreError
from visdiff_local.store.disk import cannot, locked, may_write

Result = TypeVar("Result")
Row = tuple[Any, ...]

BUSY_SECONDS = 60.0
"""How long a writer waits for its turn."""
DAY = 86_400
"""Seconds; the time of last use is written at most once a day."""
SCHEMA_VERSION = 1
_VARIABLES = 8192 if sqlite3.sqlite_version_info >= (3, 32) else 500
"""Asked for together; SQLite takes 32,766 at most, and took 999 before."""
_CACHE_KIB = 65_536
"""Of pages that are kept: look-ups by content id come from all over a table."""
_STREAMED = 10_000
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Database:
    """Opened on first use. A file that is damaged is moved aside, named, and begun anew."""

    def __init__(self, path: Path, schema: str, report: Callable[[str], None]) -> None:
        self.path = path
        self._schema = schema
        self._report = report
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self.read_only = False
        """Whether the file that is open may be read alone; known once it is."""
        self._told_of_reading = False

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """What a query finds. Raises :class:`StoreError`."""
        return self._run(lambda connection: connection.execute(statement, values).fetchall())

    def rows_in(
        self, statement: str, wanted: Sequence[Any], first: Sequence[Any] = ()
    ) -> list[Row]:
        """As :meth:`rows`, for a query that ends in ``IN``: asked for part after part."""
        found: list[Row] = []
        for start in range(0, len(wanted), _VARIABLES):
            part = wanted[start : start + _VARIABLES]
            marks = ",".join("?" * len(part))
            found += self.rows(f"{statement} ({marks})", (*first, *part))
        return found

    def stream(self, statement: str, *, keys: int = 1) -> Iterator[Row]:
        """The rows of a query, read part after part, so that writers need not wait.

        Args:
            keys: how many columns the rows are ordered by, the first ones; the statement wants
                those after a given row's.
        """
        last: Sequence[object] = (b"",) * keys
        while part := self.rows(f"{statement} LIMIT {_STREAMED}", last):
            yield from part
            last = part[-1][:keys]

    def write(self, *batches: tuple[str, Iterable[Sequence[Any]]]) -> None:
        """Each statement with all its rows, in one transaction. Raises :class:`StoreError`."""
        prepared = [(statement, list(rows)) for statement, rows in batches]
        if not any(rows for _, rows in prepared):
            return
        self._run(lambda connection: connection.execute("SELECT 1"))
        if self.read_only:
            if not self._told_of_reading:
                self._told_of_reading = True
                self._report(
                    f"{self.path} may not be written: what is known there is used, and nothing is "
                    "added to it"
                )
        else:
            self._run(lambda connection: _transact(connection, prepared))

    def extend(self, schema: str) -> None:
        """Makes tables that only some have need of; nothing where the file may only be read."""
        self._run(lambda connection: self.read_only or connection.executescript(schema))

    def shrink(self) -> None:
        """Gives the space of deleted rows back to the disk."""
        self._run(lambda connection: connection.execute("VACUUM"))
        self._run(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _run(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._lock:
            try:
                return action(self._opened())
            except sqlite3.Error as error:
                if not _is_damage(error) or self.read_only:
                    raise self._failure(error) from error
                self._set_aside(error)
            try:
                return action(self._opened())
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.read_only = self.path.is_file() and not may_write(self.path)
            if self.read_only:
                self._connection = self._connect_to_read()
            else:
                with locked(self.path.with_suffix(".lock")):  # one process makes the tables
                    self._connection = self._connect()
            self._check(self._connection)
        return self._connection

    def _connect_to_read(self) -> sqlite3.Connection:
        """What others made, on a medium or with rights that let nothing be added: it is enough for
        a run that they have done before."""
        name = quote(os.fsencode(self.path))
        waiting = self.path.with_name(f"{self.path.name}-wal")
        # Without a log to replay the file is whole, and needs no lock files beside it.
        whole = not waiting.exists() or waiting.stat().st_size == 0
        connection = sqlite3.connect(
            f"file:{name}?mode=ro{'&immutable=1' if whole else ''}",
            uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS,
        )  # fmt: skip
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        """Raises :class:`StoreError` where another version of the program made the tables."""
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        found, ours = _columns(connection), self._expected_columns()
        other = sorted(name for name in ours if name in found and found[name] != ours[name])
        if version <= SCHEMA_VERSION and not other:
            return
        self.close()
        newer = version > SCHEMA_VERSION or any(
            len(found[name]) > len(ours[name]) for name in other
        )
        raise StoreError(
            f"the store {self.path.parent} was made by {'a newer' if newer else 'another'} version "
            f"of this program (schema {version}, this one knows {SCHEMA_VERSION}); use that "
            "version, or another place with --store DIR"
        )

    def _expected_columns(self) -> dict[str, tuple[str, ...]]:
        with closing(sqlite3.connect(":memory:")) as blank:
            blank.executescript(self._schema)
            return _columns(blank)

    def _connect(self) -> sqlite3.Connection:
        try:  # SQLite gives its other files the mode of this one
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise cannot(self.path, error.strerror or error) from error
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.executescript(self._schema)
            if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _set_aside(self, error: sqlite3.Error) -> None:
        """Moves the damaged file away, unless another process has done so meanwhile."""
        self.close()
        with locked(self.path.with_suffix(".lock")):
            if self._is_sound():
                return
            stamp = f".damaged-{int(time.time())}-{os.getpid()}"
            for suffix in ("", "-wal", "-shm"):
                file = self.path.with_name(self.path.name + suffix)
                if file.exists():
                    file.rename(file.with_name(file.name + stamp))
        self._report(
            f"{self.path} is damaged ({error}); it was moved to {self.path.name}{stamp}, and what "
            "it held is computed again"
        )

    def _is_sound(self) -> bool:
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS)
        except sqlite3.Error:
            return False
        try:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        except sqlite3.Error:
            return False
        finally:
            connection.close()

    def _failure(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(
                f"{self.path} has been in use by another process for {BUSY_SECONDS:.0f} s; wait "
                "for that process, or name another place with --store DIR"
            )
        return cannot(self.path, error, "used")


def _transact(
    connection: sqlite3.Connection, batches: Sequence[tuple[str, Sequence[Sequence[Any]]]]
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement, rows in batches:
            connection.executemany(statement, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _columns(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """The names of each table's columns."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        str(name): tuple(
            str(row[0])
            for row in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))
        )
        for (name,) in tables
    }


def _is_damage(error: sqlite3.Error) -> bool:
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED
