"""What has been measured already, so that an interrupted benchmark goes on where it stopped.

A ledger is a JSON-lines file: one finished trial a line, appended and flushed to the disk. A line
that was cut off by a crash is left out when the file is read, and its trial is run again.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visdiff_local.errors import StoreError
from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError

Json = dict[str, Any]


def key_of(identity: Mapping[str, Any]) -> str:
    """Sha256 (hex) of everything that the outcome of a trial depends on; JSON values only."""
    text = json.dumps(identity, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Ledger:
    """Finished trials by key, kept in ``path``; several processes may append to one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records: dict[str, Json] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = _entry(line)
                if entry is not None:
                    self._records[entry["key"]] = entry["record"]

    def get(self, key: str) -> Json | None:
        """The record of a finished trial, or None."""
        return self._records.get(key)

    def add(self, key: str, record: Json) -> None:
        """Keeps a record; it is on the disk when this returns. Raises StoreError when it cannot."""
        line = json.dumps({"key": key, "record": record}, ensure_ascii=True) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.path.open("a+b") as file:
                # Begin on a line of one's own, even where the last writer was cut off in its line.
                ends_cleanly = file.tell() == 0 or _last_byte(file.fileno()) == b"\n"
                file.write((b"" if ends_cleanly else b"\n") + line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"{self.path}: a result cannot be kept: {error}") from error
        self._records[key] = record

    def __len__(self) -> int:
        return len(self._records)


def _last_byte(descriptor: int) -> bytes:
    return os.pread(descriptor, 1, os.fstat(descriptor).st_size - 1)


def _entry(line: str) -> Json | None:
    try:
        entry = foreign.json_value(line)
    except ForeignError:
        return None  # cut off by a crash
    whole = isinstance(entry, dict) and isinstance(entry.get("record"), dict) and "key" in entry
    return entry if whole else None
