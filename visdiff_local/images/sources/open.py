"""Which files make up a set: a folder, a glob or a table. Files are listed here, not read."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from visdiff_local.errors import InputError
from visdiff_local.images.decoders.pillow import shown
from visdiff_local.types import ImageRef, Skipped

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp", ".avif"),
        *(".heic", ".heif", ".tif", ".tiff", ".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm"),
        *(".tga", ".ico", ".jp2", ".j2k", ".jpx", ".qoi"),
    )
)
"""What looks like an image; other files of a folder are counted, not listed."""
TABLES = frozenset((".csv", ".tsv", ".parquet"))


@dataclass(frozen=True, slots=True)
class ImageSet:
    """One side of a comparison, as listed. ``id`` of its images is "" until :func:`read_set`."""

    name: str
    images: tuple[ImageRef, ...]
    skipped: tuple[Skipped, ...] = ()
    ignored: int = 0
    """Files in the folder that do not look like images by their suffix."""

    @classmethod
    def open(
        cls, source: str | Path, where: str | None = None, *, paired_by: str | None = None
    ) -> Self:
        """A folder, an image, a table (with ``where``) or a glob, told apart by what there is.

        Raises:
            InputError: there is nothing of that name, or no image in it.
        """
        path = Path(source).expanduser()
        if path.suffix.lower() in TABLES and not path.is_dir():
            return cls.from_table(path, where, paired_by=paired_by)
        if where is not None:
            raise InputError(
                f"{shown(path)} is no table: a choice of rows ({where!r}) needs a .csv or .parquet"
            )
        if path.is_dir():
            return cls.from_folder(path)
        if path.exists():
            return cls(path.stem, (ImageRef("", _absolute(path)),))
        if glob.has_magic(str(source)):
            return cls.from_glob(str(source))
        raise InputError(
            f"{shown(path)}: there is no such folder; give a folder of images, a quoted glob such "
            'as "photos/*.jpg", or a .csv or .parquet table with --a and --b'
        )

    @classmethod
    def from_folder(cls, path: str | Path, name: str | None = None) -> Self:
        """All images in a folder and the folders below it, in natural order (2 before 10).

        Raises:
            InputError: there is no such folder, or no image in it.
        """
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise InputError(f"{shown(folder)}: there is no such folder")
        skipped: list[Skipped] = []
        files = list(_walk(folder, skipped))
        return cls._listed(name or _absolute(folder).name, folder, files, skipped)

    @classmethod
    def from_glob(cls, pattern: str, name: str | None = None) -> Self:
        """All images that match, ``**`` for any depth.

        Raises:
            InputError: no image matches.
        """
        expanded = os.fspath(Path(pattern).expanduser())
        found = map(Path, glob.glob(expanded, recursive=True))  # noqa: PTH207 (may be absolute)
        files = [path for path in found if not path.is_dir()]
        return cls._listed(name or pattern, Path(pattern), files, [])

    @classmethod
    def from_table(
        cls,
        path: str | Path,
        where: str | None,
        *,
        name: str | None = None,
        paired_by: str | None = None,
    ) -> Self:
        """The rows of a CSV or Parquet table that ``where`` chooses.

        Columns: ``path`` (relative to the table's folder), ``group_name``, and where there are,
        ``caption`` and any others. ``where`` is a ``group_name`` or a condition on the columns,
        such as ``difficulty == "easy" and group_name != "dogs"``.

        Raises:
            InputError: a column is missing (the message lists those there are), the condition
                cannot be understood, or no row is chosen.
        """
        from visdiff_local.images.sources.table import read_rows

        table = Path(path).expanduser()
        rows, skipped = read_rows(table, where, paired_by)
        images = tuple(
            ImageRef("", _absolute(table.parent / row.path), row.caption, row.pair) for row in rows
        )
        return cls(name or where or table.stem, images, skipped)

    @classmethod
    def _listed(cls, name: str, where: Path, files: Iterable[Path], skipped: list[Skipped]) -> Self:
        files = list(files)
        chosen = sorted((p for p in files if p.suffix.lower() in SUFFIXES), key=natural_key)
        ignored = len(files) - len(chosen)
        if not chosen:
            other = f"; {ignored} other files are there" if ignored else ""
            raise InputError(
                f"{shown(where)}: no image is there (by suffix, such as .jpg or .png){other}; "
                'give a folder of images, or a quoted glob such as "photos/**/*.jpg"'
            )
        images = tuple(ImageRef("", _absolute(path)) for path in chosen)
        return cls(name, images, tuple(skipped), ignored)


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Sorts img2 before img10; any two different paths have different keys."""
    parts = re.split(r"(\d+)", os.fsdecode(path))
    return tuple(
        (0, int(part), part) if part.isdecimal() and part.isascii() else (1, 0, part)
        for part in parts
    )


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
        folders.sort()
        yield from (Path(root, file) for file in files)


def _absolute(path: Path) -> Path:
    """Without resolving links: what the user sees is what is shown."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow links)
