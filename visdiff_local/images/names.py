"""Names of files as text for people, and in the order people expect."""

import os
import re
from pathlib import Path


def shown(path: Path | str) -> str:
    """A path as text that any terminal and any JSON can hold: odd bytes become ``\\xff``."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def natural_key(path: Path | str) -> tuple[tuple[int, int, str], ...]:
    """Sorts img2 before img10; any two different paths have different keys."""
    parts = re.split(r"(\d+)", os.fsdecode(path))
    return tuple(
        (0, int(part), part) if part.isdecimal() and part.isascii() else (1, 0, part)
        for part in parts
    )


def absolute(path: Path) -> Path:
    """Without resolving links: what the user sees is what is shown."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow links)
