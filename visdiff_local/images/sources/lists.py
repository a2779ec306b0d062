"""A list of paths in a text file, or on standard input as ``-``."""

import sys
from pathlib import Path

from visdiff_local.errors import InputError
from visdiff_local.images.names import shown
from visdiff_local.images.sources.base import Columns, Source
from visdiff_local.images.sources.paths import located
from visdiff_local.types import Locator, Skipped

STDIN = "-"
_MOST = 1 << 30


def read(path: Path) -> Source:
    """One path a line, relative to the list's folder; blank lines and # comments do not count."""
    try:
        if path.stat().st_size > _MOST:
            raise InputError(f"{shown(path)}: larger than {_MOST >> 30} GiB")
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror})") from error
    return _source(raw, path.parent, shown(path), path.stem)


def standard_input() -> Source:
    """The paths on standard input, relative to the working folder."""
    return _source(sys.stdin.buffer.read(_MOST), Path(), "standard input", "stdin")


def _source(raw: bytes, folder: Path, where: str, name: str) -> Source:
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = raw.decode(encoding, "surrogateescape" if encoding == "utf-8" else "replace")
    mark = "\0" if "\0" in text else "\n"  # find -print0
    lines = [line.strip("\r\n\ufeff ") for line in text.split(mark)]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise InputError(f"{where}: it lists no path; type one a line")

    def locate(place: int) -> Locator | Skipped:
        return located(lines[place], folder, f"{where}, line {place + 1}")

    return Source(name, where, Columns({}, len(lines)), locate)
