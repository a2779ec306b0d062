"""Which images make up a set. They are listed here, not read; a row a kind of source."""

import glob
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from visdiff_local.errors import InputError
from visdiff_local.images.covariates import FOLDER, Column, Covariates, no_column
from visdiff_local.images.locators import File
from visdiff_local.images.names import absolute, shown
from visdiff_local.images.sources import folder as folders
from visdiff_local.images.sources import memory
from visdiff_local.types import ImageRef, Skipped

TABLES = frozenset((".csv", ".tsv", ".parquet"))


@dataclass(frozen=True, slots=True)
class ImageSet:
    """One side of a comparison, as listed. ``id`` of its images is "" until :func:`read_set`."""

    name: str
    images: tuple[ImageRef, ...]
    skipped: tuple[Skipped, ...] = ()
    ignored: int = 0
    """Files in the folder that do not look like images by their suffix."""
    columns: Mapping[str, Column] = field(default_factory=dict, compare=False, repr=False)
    """What the source says of the images, a row an image; asked for through ``covariates``."""
    default_cluster: str | None = None
    """The column whose images belong together unless the user names another."""

    @property
    def covariates(self) -> Covariates:
        """The columns by image id."""
        return Covariates(tuple(ref.id for ref in self.images), self.columns)

    def keeping(self, places: list[int], images: tuple[ImageRef, ...] | None = None) -> Self:
        """The images at these places, with their rows of the columns.

        Args:
            images: what they are from now on; the same images where it is None.
        """
        chosen = tuple(self.images[place] for place in places) if images is None else images
        columns = {name: column.take(places) for name, column in self.columns.items()}
        return replace(self, images=chosen, columns=columns)

    def requiring(self, column: str) -> Self:
        """The images that have a value in the column; the others are listed as skipped.

        Raises:
            InputError: there is no such column.
        """
        if column not in self.columns:
            raise InputError(f"{self.name}: {no_column(column, tuple(self.columns))}")
        has = (self.columns[column].codes >= 0).tolist()
        why = f"no value in the column {column!r}"
        lost = [Skipped(self.images[i].name, why) for i, there in enumerate(has) if not there]
        kept = self.keeping([i for i, there in enumerate(has) if there])
        return replace(kept, skipped=(*self.skipped, *lost))

    @classmethod
    def open(cls, source: str | Path, where: str | None = None) -> Self:
        """A folder, an image, a table (with ``where``) or a glob, told apart by what there is.

        Raises:
            InputError: there is nothing of that name, or no image in it.
        """
        path = Path(source).expanduser()
        for kind in _KINDS:
            if kind.fits(path, str(source)):
                if where is not None and not kind.has_rows:
                    raise InputError(
                        f"{shown(path)} is no table: a choice of rows ({where!r}) needs a .csv "
                        "or .parquet"
                    )
                return kind.list(cls, source, where)  # type: ignore[return-value]
        if where is not None:
            raise InputError(
                f"{shown(path)} is no table: a choice of rows ({where!r}) needs a .csv or .parquet"
            )
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
        return cls._listed(name or absolute(folder).name, folder, folders.listed(folder))

    @classmethod
    def from_glob(cls, pattern: str, name: str | None = None) -> Self:
        """All images that match, ``**`` for any depth.

        Raises:
            InputError: no image matches.
        """
        expanded = os.fspath(Path(pattern).expanduser())
        found = map(Path, glob.glob(expanded, recursive=True))  # noqa: PTH207 (may be absolute)
        files = [path for path in found if not path.is_dir()]
        return cls._listed(name or pattern, Path(pattern), folders.Found.among(files, []))

    @classmethod
    def from_table(cls, path: str | Path, where: str | None, *, name: str | None = None) -> Self:
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
        rows = read_rows(table, where)
        images = tuple(
            ImageRef("", File(absolute(table.parent / file)), caption)
            for file, caption in zip(rows.paths, rows.captions, strict=True)
        )
        return cls(name or where or table.stem, images, rows.skipped, columns=rows.columns)

    @classmethod
    def from_paths(cls, paths: Iterable[str | Path], name: str = "") -> Self:
        """The images at these paths, in this order.

        >>> ImageSet.from_paths(["photos/1.jpg", "photos/2.jpg"], name="mine").name
        'mine'

        Raises:
            InputError: there is no path.
        """
        return cls._given(name, memory.of_paths(paths))

    @classmethod
    def from_images(cls, pictures: Iterable[Any], name: str = "") -> Self:
        """Pictures in memory: PIL images, or uint8 arrays of shape (height, width, 3).

        >>> from PIL import Image
        >>> ImageSet.from_images([Image.new("RGB", (8, 8))]).images[0].name
        'image 0'

        Raises:
            InputError: there is none, or one of them is something else.
        """
        return cls._given(name, memory.of_pictures(pictures))

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        name: str = "",
        *,
        path_column: str = "path",
        caption_column: str = "caption",
    ) -> Self:
        """All rows of a data frame: paths, or pictures, in ``path_column``; relative ones start
        from the working folder. The other columns may pair, group or date the images.

        Raises:
            InputError: there is no such column, or no row.
        """
        images, columns, skipped = memory.of_frame(frame, path_column, caption_column)
        return replace(cls._given(name, images), columns=columns, skipped=skipped)

    @classmethod
    def _given(cls, name: str, images: tuple[ImageRef, ...]) -> Self:
        if not images:
            raise InputError(f"{name or 'the list'}: no image is in it")
        return cls(name, images)

    @classmethod
    def _listed(cls, name: str, where: Path, found: folders.Found) -> Self:
        if not found.images:
            other = f"; {found.ignored} other files are there" if found.ignored else ""
            raise InputError(
                f"{shown(where)}: no image is there (by suffix, such as .jpg or .png){other}; "
                'give a folder of images, or a quoted glob such as "photos/**/*.jpg"'
            )
        images = tuple(ImageRef("", File(absolute(path))) for path in found.images)
        parents = [shown(os.path.relpath(path.parent, where)) for path in found.images]
        columns = {FOLDER: Column.of(parents)}
        return cls(name, images, found.skipped, found.ignored, columns)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of source: how it is known, and how it is listed."""

    fits: Callable[[Path, str], bool]
    list: Callable[[type[ImageSet], str | Path, str | None], ImageSet]
    has_rows: bool = False


_KINDS = (
    _Kind(
        lambda path, _: path.suffix.lower() in TABLES and not path.is_dir(),
        lambda cls, source, where: cls.from_table(source, where),
        has_rows=True,
    ),
    _Kind(lambda path, _: path.is_dir(), lambda cls, source, _: cls.from_folder(source)),
    _Kind(
        lambda path, _: path.exists(),
        lambda cls, source, _: cls(
            Path(source).stem, (ImageRef("", File(absolute(Path(source).expanduser()))),)
        ),
    ),
    _Kind(
        lambda _, text: glob.has_magic(text),
        lambda cls, source, _: cls.from_glob(str(source)),
    ),
)
"""Tried in this order."""
