"""Names of files as text for people, and in the order people expect."""

import os
import re
from pathlib import Path

_DIGITS = re.compile(r"([0-9]+)")


def shown(path: Path | str) -> str:
    """A path as text that any terminal and any JSON can hold: odd bytes become ``\\xff``."""
    plain = os.fspath(path)
    if plain.isprintable():  # nearly all, and a hundred times as fast; odd bytes are not printable
        return plain
    text = os.fsencode(plain).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def natural_key(path: Path | str) -> list[str | int]:
    """Sorts img2 before img10; any two different paths have different keys."""
    parts = _DIGITS.split(os.fsdecode(path))
    key: list[str | int] = parts[:1]  # text, number, its digits, text, …
    for place in range(1, len(parts), 2):
        key += (int(parts[place]), parts[place], parts[place + 1])
    return key


def absolute(path: Path) -> Path:
    """Without resolving links: what the user sees is what is shown."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow links)
