"""Small things that are remembered in the user's cache folder: losing one costs time, no result."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs

_LONGEST = 1 << 20


def cache_folder() -> Path:
    """Where checksums and passed self-tests are remembered, private to the user."""
    folder = platformdirs.user_cache_path("visdiff-local")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def recall(note: Path) -> str | None:
    """What was remembered under this name; None where nothing was, or it is no text of ours."""
    with suppress(OSError, UnicodeDecodeError):
        path = cache_folder() / note
        if path.is_file() and path.stat().st_size <= _LONGEST:
            return path.read_text(encoding="ascii")
    return None


def remember(note: Path, text: str) -> None:
    """Keeps a short ASCII text, atomically; a cache, so it may fail."""
    with suppress(OSError, UnicodeEncodeError):
        path = cache_folder() / note
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(text)
        Path(draft).replace(path)
