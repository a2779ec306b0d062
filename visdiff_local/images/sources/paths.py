"""Paths as people write them into tables and lists, and the files that they mean."""

import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

from visdiff_local.images.locators import File
from visdiff_local.images.names import absolute, shown
from visdiff_local.types import Locator, Skipped

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_INSIDE = re.compile(r"\.(zip|tar|t[bgx]z2?|tar\.\w+|tzst)[/\\]", re.IGNORECASE)
_UNUSUAL = re.compile(r"[\\~%]|[^\x00-\x7f]")


def located(text: object, folder: Path, row: str) -> Locator | Skipped:
    """The file that a cell names, relative to the table's folder; or why it names none.

    ``file://``, ``~``, backslashes and names in the other Unicode form find their file; so do
    members of archives, ``photos.zip/1.jpg``, as an export names them.
    """
    name = "" if text is None else str(text).strip()
    if not name:
        return Skipped(row, "the path is empty")
    if _DRIVE.match(name) and not os.path.lexists(folder / name):
        return Skipped(
            shown(name),
            "a path of Windows, with a drive: make the paths relative to the table's folder",
        )
    scheme = _SCHEME.match(name)
    if scheme and scheme[1].lower() == "file":
        name = unquote(re.sub(r"^file://(localhost)?", "", name, flags=re.IGNORECASE))
    elif scheme:
        return Skipped(
            shown(name), "a URL: this program uses no network; download it and name the file"
        )
    if "\0" in name:
        return Skipped(shown(name), "no valid file name: it holds a NUL")
    path = folder / name
    if _INSIDE.search(name):
        from visdiff_local.images.sources import archive  # which reads tables, which name paths

        inside = archive.member(path)
        if inside is not None:
            return inside
    if _UNUSUAL.search(name) and not os.path.lexists(path):
        path = next((one for one in _meant(name, folder) if os.path.lexists(one)), path)
    return File(absolute(path))


def _meant(name: str, folder: Path) -> list[Path]:
    """What else the name may mean, in order."""
    slashes = name.replace("\\", "/")
    found = [folder / slashes]
    if slashes.startswith("~"):
        found.append(Path(os.path.expanduser(slashes)))  # noqa: PTH111 (an unknown user is no error)
    found += [folder / unicodedata.normalize(form, slashes) for form in ("NFC", "NFD")]
    return found
