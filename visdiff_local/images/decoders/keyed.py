"""Numbers in the place of values that may name a person: the same value has the same number.

They are keyed with a secret of this user on this machine, so that nobody who has a result can try
values until one fits.
"""

import hashlib
import os
import secrets
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

_KEY_BYTES = 32
_lock = threading.Lock()


def keyed(value: str) -> str:
    """Twelve hex digits that stand for the value."""
    with _lock:  # threads that ask first all at once would each make one
        key = _secret()
    return hashlib.blake2b(value.encode(), key=key, digest_size=6).hexdigest()


@cache
def _secret() -> bytes:
    """Made once for this user, readable for no other; where it cannot be kept, for this process."""
    path = platformdirs.user_data_path("visdiff-local") / "patients.key"
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        found = path.read_bytes()
        if len(found) == _KEY_BYTES:
            return found
    return secrets.token_bytes(_KEY_BYTES)


def _make(path: Path) -> None:
    """Never over one that another process has made meanwhile: all must use the same."""
    with tempfile.NamedTemporaryFile(dir=path.parent) as made:
        made.write(secrets.token_bytes(_KEY_BYTES))
        made.flush()
        with suppress(FileExistsError):
            os.link(made.name, path)
