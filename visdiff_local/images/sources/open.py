"""Which images make up a set. They are listed here, not read; a row a kind of source."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from visdiff_local.errors import InputError
from visdiff_local.images import arrow, gather
from visdiff_local.images.covariates import Column, Covariates, no_column
from visdiff_local.images.listing import Listing, taken
from visdiff_local.images.located import Located
from visdiff_local.images.names import shown
from visdiff_local.images.sources import expand, memory
from visdiff_local.images.sources import table as tables
from visdiff_local.images.sources.base import Options, Source
from visdiff_local.images.sources.choice import answers, chosen
from visdiff_local.images.sources.kinds import of_folder, of_glob, source_of
from visdiff_local.types import ImageRef, Skipped

Many = TypeVar("Many", Located, expand.Expanded)


@dataclass(frozen=True, slots=True)
class ImageSet:
    """One side of a comparison, as listed. ``id`` of its images is "" until :func:`read_set`."""

    name: str
    images: Sequence[ImageRef]
    """In columns (:class:`.listing.Listing`) where a source has listed them."""
    skipped: tuple[Skipped, ...] = ()
    ignored: int = 0
    """Files that do not look like images by their suffix."""
    columns: Mapping[str, Column] = field(default_factory=dict, compare=False, repr=False)
    """What the source says of the images, a row an image; asked for through ``covariates``."""
    default_cluster: str | None = None
    """The column whose images belong together unless the user names another."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Images that were not looked at, by reason: in hidden folders, not drawn by --max-images."""

    @property
    def listing(self) -> Listing:
        """The images in columns."""
        return self.images if isinstance(self.images, Listing) else Listing.of(self.images)

    @property
    def covariates(self) -> Covariates:
        """The columns by image id."""
        return Covariates(self.images, self.columns)

    def keeping(self, indices: npt.NDArray[np.int64]) -> Self:
        """The images at these indices, with their rows of the columns."""
        if len(indices) == len(self.images) and (np.diff(indices) > 0).all():
            return self
        columns = {name: column.take(indices) for name, column in self.columns.items()}
        return replace(self, images=taken(self.images, indices), columns=columns)

    def requiring(self, column: str) -> Self:
        """The images that have a value in the column; the others are listed as skipped.

        Raises:
            InputError: there is no such column.
        """
        if column not in self.columns:
            raise InputError(f"{self.name}: {no_column(column, tuple(self.columns))}")
        has = self.columns[column].codes >= 0
        why = f"no value in the column {column!r}"
        lost = [Skipped(self.images[i].name, why) for i in np.flatnonzero(~has).tolist()]
        kept = self.keeping(np.flatnonzero(has))
        return replace(kept, skipped=(*self.skipped, *lost))

    @classmethod
    def open(
        cls, source: str | Path, where: str | None = None, options: Options | None = None
    ) -> Self:
        """Images wherever they are: see :data:`.kinds.KINDS`. ``where`` chooses among their rows.

        Raises:
            InputError: there is nothing of that name, or no image in it.
        """
        options = options or Options()
        return cls.of(source_of(os.fspath(source), options), where, options)

    @classmethod
    def from_folder(cls, path: str | Path, name: str | None = None) -> Self:
        """All images in a folder and the folders below it, in natural order (2 before 10).

        Raises:
            InputError: there is no such folder, or no image in it.
        """
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise InputError(f"{shown(folder)}: there is no such folder")
        return cls.of(of_folder(folder), name=name)

    @classmethod
    def from_glob(cls, pattern: str, name: str | None = None) -> Self:
        """All images that match, ``**`` for any depth.

        Raises:
            InputError: no image matches.
        """
        return cls.of(of_glob(pattern, Options()), name=name)

    @classmethod
    def from_table(
        cls,
        path: str | Path,
        where: str | None = None,
        *,
        name: str | None = None,
        options: Options | None = None,
    ) -> Self:
        """The rows of a table (CSV, TSV, Parquet, JSON lines) that ``where`` chooses, or all.

        Columns: ``path`` (relative to the table's folder), ``group_name``, and where there are,
        ``caption`` and any others. ``where`` is a ``group_name`` or a condition on the columns,
        such as ``difficulty == "easy" and group_name != "dogs"``.

        Raises:
            InputError: a column is missing (the message lists those there are), the condition
                cannot be understood, or no row is chosen.
        """
        table, options = Path(path).expanduser(), options or Options()
        return cls.of(tables.read(table, options), where, options, name=name)

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
    def of(
        cls,
        source: Source,
        where: str | None = None,
        options: Options | None = None,
        *,
        name: str | None = None,
    ) -> Self:
        """The set of a source's rows: chosen, sampled, each with its caption and columns."""
        options = options or Options()
        later = where is not None and not answers(source.table, where)
        rows = np.arange(len(source.table))
        if where is not None and not later:
            rows = np.array(chosen(source.shown, source.table, where), np.int64)
        left_out = dict(source.left_out)
        skipped: list[Skipped] = []
        if source.at is None:
            found = [(int(row), source.locate(int(row))) for row in rows]
            skipped = [at for _, at in found if isinstance(at, Skipped)]
            there = [(row, at) for row, at in found if not isinstance(at, Skipped)]
            rows = np.array([row for row, _ in there], np.int64)
            at = gather.located(at for _, at in there)
        else:
            at = source.at if len(rows) == len(source.at) else source.at.take(rows)
        if not later:
            rows, at = _drawn(rows, at, options, left_out)
        images = expand.expanded(at, options)
        if where is not None and later:  # by what the files say of themselves
            known = expand.table_of(images, source.table, rows)
            images = images.take(np.array(chosen(source.shown, known, where), np.int64))
        kept, images = _drawn(rows[images.row], images, options, left_out)
        captions = None
        if source.caption is not None:
            said = [_text(cell) for cell in source.table.cells(source.caption, kept)]
            captions = arrow.texts(said) if any(text is not None for text in said) else None
        columns = {
            column: source.table.column(column, kept)
            for column in source.table.names
            if column not in source.hidden
        }
        columns |= {n: Column.of(cells) for n, cells in expand.columns_of(images).items()}
        return cls(
            name or where or source.name,
            Listing(images.at, captions=captions),
            (*source.skipped, *skipped, *images.skipped),
            source.ignored,
            columns,
            source.cluster or images.cluster,
            left_out,
        )


def _drawn(
    rows: npt.NDArray[np.int64], items: Many, options: Options, left_out: dict[str, int]
) -> tuple[npt.NDArray[np.int64], Many]:
    """At most ``max_images`` of them, drawn by the seed, in their order."""
    most = options.max_images
    if most is None or len(rows) <= most:
        return rows, items
    rng = np.random.default_rng(options.seed)
    indices = np.sort(rng.permutation(len(rows))[:most])
    reason = f"not drawn (--max-images {most})"
    left_out[reason] = left_out.get(reason, 0) + len(rows) - most
    return rows[indices], items.take(indices)


def _text(cell: object) -> str | None:
    text = "" if cell is None else str(cell).strip()
    return text or None
