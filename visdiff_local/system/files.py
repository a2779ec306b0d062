"""Files that are there whole or not at all, and on the disk when it matters."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_LONGEST_NAME = 200
"""Bytes; what file systems take, less room for a draft's suffix."""
_MOST_PARTS = 8


def is_plain_name(name: str) -> bool:
    """Whether a name from elsewhere may become one file or folder: no path, nothing hidden, nothing
    that a shell or a terminal would take for something else."""
    return (
        name.isprintable()
        and name == name.strip()
        and not name.startswith((".", "~", "-"))
        and not {"/", "\\"} & set(name)
        and 0 < len(name.encode("utf-8", "replace")) <= _LONGEST_NAME
    )


def is_plain_path(path: str) -> bool:
    """As :func:`is_plain_name`, of a relative path that stays below where it begins."""
    parts = path.split("/")
    return len(parts) <= _MOST_PARTS and all(map(is_plain_name, parts))


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Writes a draft beside ``path`` and moves it there; private to the user.

    Args:
        durable: it is on the disk when this returns; a hundred thumbnails are not worth the wait.
    """
    with replaced(path, durable=durable) as stream:
        stream.write(content)


@contextmanager
def replaced(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A draft beside ``path`` to write to, moved there at the end of the block; as above."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb", closefd=False) as stream:
            yield stream
            stream.flush()
        if durable:
            os.fsync(handle)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """What is in the file, or the folder's list of files, is on the disk when this returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
