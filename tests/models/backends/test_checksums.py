"""Bytes that change are seen, whatever the time of a file says."""

import os
from pathlib import Path

import pytest

from visdiff_local.models.backends import checksums
from visdiff_local.models.backends.notes import cache_folder


def test_bytes_changed_under_a_kept_time_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"a" * 10_000)
    facts = path.stat()
    first = checksums.sha256(path)
    with path.open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"b" * 4000)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_mtime_ns == facts.st_mtime_ns
    assert checksums.sha256(path) != first


def test_another_file_moved_to_its_place_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "w", tmp_path / "v"
    path.write_bytes(b"a")
    other.write_bytes(b"b")
    facts = path.stat()
    first = checksums.sha256(path)
    other.replace(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert checksums.sha256(path) != first


def _reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    seen: list[Path] = []
    opened = Path.open

    def watched(self: Path, *words: object, **named: object) -> object:
        if self == path:
            seen.append(self)
        return opened(self, *words, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", watched)
    return seen


def test_it_is_read_again_on_a_schedule_and_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"a")
    reads = _reads(path, monkeypatch)
    for _ in range(3):
        checksums.sha256(path)
    assert len(reads) == 1
    with checksums.rechecked():
        for _ in range(3):
            checksums.sha256(path)
    assert len(reads) == 2
    later = checksums.time.time() + (checksums.TRUSTED_DAYS + 1) * 86_400
    monkeypatch.setattr(checksums.time, "time", lambda: later)
    checksums.sha256(path)
    assert len(reads) == 3


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"", b"null", b"[", b'{"sha256": 1}', b"0" * 64])
def test_a_damaged_note_only_costs_time(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(damage + b"!")
    first = checksums.sha256(path)
    for note in (cache_folder() / "checksums").iterdir():
        note.write_bytes(damage)
    assert checksums.sha256(path) == first
