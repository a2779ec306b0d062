"""Names of files as text for people, and in the order people expect."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

_DIGITS = re.compile(r"([0-9]+)")
_SHAPE = bytes(0 if c == 0 else 48 if 48 <= c < 58 else 120 for c in range(256))
"""Bytes of UTF-8: NUL for NUL, 0 for a digit, x for any other."""


def shown(path: Path | str) -> str:
    """A path as text that any terminal and any JSON can hold: odd bytes become ``\\xff``."""
    plain = os.fspath(path)
    if plain.isprintable():  # nearly all, and a hundred times as fast; odd bytes are not printable
        return plain
    text = os.fsencode(plain).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def all_shown(paths: Sequence[str]) -> list[str]:
    """As :func:`shown` each."""
    return list(paths) if "".join(paths).isprintable() else [shown(path) for path in paths]


def is_stream(path: Path) -> bool:
    """Whether it is a pipe or a socket, which would be waited for and cannot be read twice."""
    return path.is_fifo() or path.is_socket()


def natural_key(path: Path | str) -> list[str | int]:
    """Sorts img2 before img10; any two different paths have different keys."""
    parts = _DIGITS.split(os.fsdecode(path))
    key: list[str | int] = parts[:1]  # text, number, its digits, text, …
    for place in range(1, len(parts), 2):
        key += (int(parts[place]), parts[place], parts[place + 1])
    return key


def of_one_shape(names: Sequence[str]) -> bool:
    """Whether all have their digits at the same places, as a camera numbers its files: the order of
    the texts is then the natural order."""
    whole = "\0".join(names).encode("utf-8", "surrogatepass")
    return len(set(whole.translate(_SHAPE).split(b"\0"))) <= 1


def absolute(path: Path) -> Path:
    """Without resolving links: what the user sees is what is shown."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow links)
