"""Checksums of weights, which take a minute for tens of gigabytes, and so are remembered.

What is remembered holds for one file in one state: its device and inode, its size, and the times of
its last change, also that of its inode, which no program can set back. All the same it is read
again after :data:`TRUSTED_DAYS`, and at once where the user asks for it (``--verify``).
"""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from visdiff_local.models.backends.notes import recall, remember
from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError

TRUSTED_DAYS = 7
_DAY = 86_400
_CHUNK = 1 << 22


class _Trust:
    """Whether what is remembered is taken; off inside :func:`rechecked`."""

    remembered = True
    checked: set[str] = set()  # noqa: RUF012 - of this process, by design
    """Files that were read while it was off: once is enough."""


@contextmanager
def rechecked(wanted: bool = True) -> Iterator[None]:
    """Inside, every file is read once, whatever is remembered of it."""
    before = _Trust.remembered
    _Trust.remembered = before and not wanted
    _Trust.checked = set()
    try:
        yield
    finally:
        _Trust.remembered = before


def sha256(path: Path, *, fresh: bool = False) -> str:
    """The file's sha256 (hex), remembered for this very state of the file.

    The memory is one small file per weight file; one that cannot be read or written (a read-only
    home), or is damaged, only costs the time to hash again.

    Args:
        fresh: read the file, whatever is remembered.
    """
    path = path.resolve()
    key = _state(path)
    note = Path("checksums") / hashlib.sha256(key.encode()).hexdigest()
    trusted = (_Trust.remembered or key in _Trust.checked) and not fresh
    known = _known(recall(note), key) if trusted else None
    if known is not None:
        return known
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    found = digest.hexdigest()
    with suppress(OSError):
        if _state(path) == key:  # nobody wrote to it meanwhile
            remember(note, _written(found, key))
            _Trust.checked.add(key)
    return found


def _state(path: Path) -> str:
    facts = path.stat()
    numbers = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    return "\0".join([str(path), *map(str, numbers)])


def _written(digest: str, key: str) -> str:
    now = int(time.time())
    proof = _proof(digest, now, key)
    return json.dumps({"sha256": digest, "checked": now, "proof": proof})


def _known(text: str | None, key: str) -> str | None:
    """What a note says; None where there is none, or it is damaged, of another file, or too old."""
    try:
        note = foreign.typed(dict[str, str | int], foreign.json_value(text or "null"))
    except ForeignError:
        return None
    digest, checked = str(note.get("sha256", "")), note.get("checked")
    if not isinstance(checked, int) or note.get("proof") != _proof(digest, checked, key):
        return None
    return digest if 0 <= time.time() - checked < TRUSTED_DAYS * _DAY else None


def _proof(digest: str, checked: int, key: str) -> str:
    """Against damage; whoever can write our cache can also write its proof."""
    return hashlib.sha256(f"{digest}\0{checked}\0{key}".encode()).hexdigest()[:32]
