"""Folders and globs: which of their files are listed as images, in which order."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from visdiff_local.images.names import natural_key, shown
from visdiff_local.system import run_folders
from visdiff_local.types import Skipped

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp", ".avif"),
        *(".heic", ".heif", ".tif", ".tiff", ".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm"),
        *(".tga", ".ico", ".jp2", ".j2k", ".jpx", ".qoi"),
    )
)
"""What looks like an image; other files of a folder are counted, not listed."""


@dataclass(frozen=True, slots=True)
class Found:
    """The images of a folder in natural order (2 before 10), and what else is there."""

    images: tuple[Path, ...]
    ignored: int
    skipped: tuple[Skipped, ...] = ()

    @classmethod
    def among(cls, files: list[Path], skipped: list[Skipped]) -> "Found":
        chosen = sorted((p for p in files if p.suffix.lower() in SUFFIXES), key=natural_key)
        return cls(tuple(chosen), len(files) - len(chosen), tuple(skipped))


def listed(folder: Path) -> Found:
    """All images in a folder and the folders below it."""
    skipped: list[Skipped] = []
    return Found.among(list(_walk(folder, skipped)), skipped)


def _walk(folder: Path, skipped: list[Skipped]) -> Iterator[Path]:
    """All files below, through links too, each folder once even where links make a ring."""

    def refuse(error: OSError) -> None:
        reason = os.strerror(error.errno) if error.errno else str(error)
        skipped.append(Skipped(shown(error.filename), f"folder cannot be read: {reason}"))

    seen: set[tuple[int, int]] = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        facts = Path(root).stat()
        if (facts.st_dev, facts.st_ino) in seen:
            folders.clear()
            continue
        seen.add((facts.st_dev, facts.st_ino))
        if Path(root) != folder and run_folders.is_run_folder(Path(root)):
            folders.clear()
            skipped.append(Skipped(shown(root), "a run folder of this program"))
            continue
        folders.sort()
        yield from (Path(root, file) for file in files)
