"""Folders and globs: which of their files are listed as images, and what is left out."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self

from visdiff_local.images import compressed
from visdiff_local.images.covariates import FOLDER, Column
from visdiff_local.images.decoders.video import SUFFIXES as VIDEOS
from visdiff_local.images.located import Files
from visdiff_local.images.names import absolute, natural_key, of_one_shape, shown
from visdiff_local.images.sources.base import Columns, Source
from visdiff_local.system import run_folders
from visdiff_local.types import Skipped

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp", ".avif"),
        *(".heic", ".heif", ".hif", ".jxl", ".tif", ".tiff", ".bmp", ".dib", ".ppm", ".pgm"),
        *(".pbm", ".pnm", ".tga", ".ico", ".jp2", ".j2k", ".jpx", ".qoi"),
        *(".dcm", ".dicom", ".ima", ".nii", ".gz"),
    )
)
"""What looks like an image; other files of a folder are counted, not listed."""
IMAGES = SUFFIXES | VIDEOS
_MADE_BY_OTHERS = frozenset(("@eaDir", "__MACOSX", "__pycache__", "$RECYCLE.BIN"))
_STORED = (".parquet", ".arrow", ".zip", ".tar", *compressed.SUFFIXES)
_DICOM_AT, _DICOM = 128, b"DICM"


@dataclass(slots=True)
class Found:
    """The images of a folder, and what else is there."""

    images: list[tuple[str, str]] = field(default_factory=list)
    """The folder of each as it was named, and its name there."""
    ignored: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    stored: Path | None = None
    """The first file that may hold a data set: an archive, a Parquet file."""

    def add(self, folder: str, name: str) -> None:
        if not looks_like_image(folder, name):
            self.ignored += 1
            if self.stored is None and name.lower().endswith(_STORED):
                self.stored = Path(folder, name)
        elif name.startswith("."):
            self.left_out["hidden files"] += 1
        else:
            self.images.append((folder, name))

    def sorted(self) -> Self:
        """In natural order (2 before 10)."""
        paths = [f"{folder}/{name}" for folder, name in self.images]
        if of_one_shape(paths):
            order = sorted(range(len(paths)), key=paths.__getitem__)
        else:
            order = sorted(range(len(paths)), key=list(map(natural_key, paths)).__getitem__)
        self.images = [self.images[place] for place in order]
        return self


def looks_like_image(folder: str, name: str) -> bool:
    """By the suffix; a file without one is looked into, for DICOM has none."""
    stem, _, suffix = name.rpartition(".")
    if stem and suffix:
        return _is_suffix(suffix) and (suffix.lower() != "gz" or stem.lower().endswith(".nii"))
    path = Path(folder, name)
    try:
        with path.open("rb") as stream:
            return path.is_file() and stream.read(_DICOM_AT + 4)[_DICOM_AT:] == _DICOM
    except OSError:
        return False


@lru_cache(1024)
def _is_suffix(suffix: str) -> bool:
    return f".{suffix.lower()}" in IMAGES


def why_left_out(parts: Sequence[str]) -> str:
    """Why a file below these folders is not looked at; "" where it is."""
    for name in parts[:-1]:
        if name in _MADE_BY_OTHERS:
            return f"in {name} folders"
        if name.startswith(".") and name not in (".", ".."):
            return "in hidden folders"
    return "hidden files" if parts and parts[-1].startswith(".") else ""


def listed(folder: Path) -> Found:
    """All images in a folder and the folders below it, in natural order (2 before 10)."""
    found = Found()
    for where, name in _walk(folder, found):
        found.add(where, name)
    return found.sorted()


def among(files: Iterable[Path]) -> Found:
    """Those of these files that are images."""
    found = Found()
    for path in files:
        found.add(*os.path.split(path))
    return found.sorted()


def source(found: Found, folder: Path, where: str, name: str) -> Source:
    """The images of a folder or a glob, with the folder that each lies in."""
    base = absolute(folder)
    whole: dict[str, str] = {}  # once a folder, not once an image
    for head, _ in found.images:
        if head not in whole:
            whole[head] = os.fspath(absolute(Path(head)))
    files = Files.of((whole[head], tail) for head, tail in found.images)
    named = Column.of([shown(os.path.relpath(path, base)) for path in files.folders])
    return Source(
        name,
        where,
        Columns({FOLDER: Column(named.codes[files.folder], named.values)}, len(files)),
        files.__getitem__,
        skipped=tuple(found.skipped),
        ignored=found.ignored,
        left_out=dict(found.left_out),
        at=files,
    )


def _walk(folder: Path, found: Found) -> Iterator[tuple[str, str]]:
    """All files below, through links too, each folder once even where links make a ring."""

    def refuse(error: OSError) -> None:
        reason = os.strerror(error.errno) if error.errno else str(error)
        found.skipped.append(Skipped(shown(error.filename), f"folder cannot be read: {reason}"))

    seen: set[tuple[int, int]] = set()
    waiting = [os.fspath(folder)]
    while waiting:  # not os.walk, which recurses: folders may lie deeper than Python can
        root = waiting.pop()
        try:
            facts = os.stat(root)  # noqa: PTH116 (strings: objects take longer than the system)
            if (facts.st_dev, facts.st_ino) in seen:
                continue
            seen.add((facts.st_dev, facts.st_ino))
            with os.scandir(root) as listing:
                entries = sorted([(one.name, _is_folder(one)) for one in listing])
        except OSError as error:  # a ring of links, or a path longer than the system takes
            refuse(error)
            continue
        inner = [Path(root, name) for name, is_folder in entries if is_folder]
        waiting += [os.fspath(p) for p in reversed(inner) if not _leaves_out(p, found)]
        yield from ((root, name) for name, is_folder in entries if not is_folder)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a ring of links
        return False


def _leaves_out(folder: Path, found: Found) -> bool:
    """Whether a folder is not gone into; its images are counted."""
    reason = why_left_out((folder.name, ""))
    if not reason and run_folders.is_run_folder(folder):
        found.skipped.append(Skipped(shown(folder), "a run folder of this program"))
        return True
    if reason:
        below = (Path(root, f) for root, _, files in os.walk(folder) for f in files)
        found.left_out[reason] += sum(path.suffix.lower() in IMAGES for path in below)
    return bool(reason)
