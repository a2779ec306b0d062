"""Atomic writes, private folders, and a lock between processes."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zlib_ng.zlib_ng import crc32

from visdiff_local.errors import StoreError
from visdiff_local.system.files import sync

_CHUNK = 1 << 22


def cannot(path: Path, error: object, doing: str = "written") -> StoreError:
    """The error for a store that cannot be used, which says what to type."""
    return StoreError(
        f"the store cannot be {doing}: {path}: {error}; check that the disk has space and that "
        "you may write there, or name another place with --store DIR or VISDIFF_STORE"
    )


def private_folder(path: Path) -> None:
    """Makes the folder and those above it that are missing, readable by their user alone.

    A folder that holds files keeps its mode.

    Raises:
        StoreError: it cannot be made or entered.
    """
    try:
        for folder in reversed([path, *path.parents]):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not any(path.iterdir()):
            path.chmod(0o700)
    except OSError as error:
        raise cannot(path, error.strerror or error) from error


def may_write(path: Path) -> bool:
    """Whether the file and its folder can be written: rights, and a medium that takes it."""
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return False
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError:
        return False
    return True


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Holds a lock among processes; yields False where it is held already and ``wait`` is off.

    The system frees it when a process dies.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise cannot(path, error.strerror or error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """``write`` fills a temporary file beside ``path``, which then takes its name.

    Raises:
        StoreError: it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        sync(temporary)
        temporary.chmod(0o600)
        temporary.replace(path)
        sync(path.parent)
    except (OSError, RuntimeError) as error:  # FAISS reports a full disk as a RuntimeError
        raise cannot(path, _short(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def checksum(path: Path) -> int:
    """CRC-32 of a file: it is to find damage, not malice."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            crc = crc32(block, crc)
    return crc


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where there is none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # another process tidied up meanwhile
            continue
    return total


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
