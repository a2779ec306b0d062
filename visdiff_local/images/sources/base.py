"""What every source gives: rows that may be images, and what is known of each.

A source says how many rows there are, what their columns hold, and where the bytes of a row are. A
choice of rows, a sample, captions and columns are then the same for all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from visdiff_local.images.covariates import Cell, Column
from visdiff_local.images.located import Located
from visdiff_local.types import Locator, Skipped

Frames = Literal["first", "all"]
Places = Sequence[int] | npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Options:
    """How a source is listed.

    Args:
        path_column: the table's column of paths or of bytes, where it has no usual name.
        caption_column: the column of captions, where it is not called ``caption``.
        crops: one image a box, of a COCO file.
        every: seconds between the frames of a video.
        frames: of files with several pages, slices or frames the first, or each.
        bands: of images with many, one or three, from 0.
        max_images: at most so many, drawn at random.
        seed: of that draw.
    """

    path_column: str | None = None
    caption_column: str | None = None
    crops: bool = False
    every: float = 1.0
    frames: Frames = "first"
    bands: tuple[int, ...] = ()
    max_images: int | None = None
    seed: int = 0


class Table(Protocol):
    """Columns by name, read when they are asked for."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...

    def cells(self, name: str, places: Places | None = None) -> list[Cell]:
        """The cells of a column, all of them or those at these places."""

    def column(self, name: str, places: Places) -> Column:
        """The cells at these places, each distinct one held once."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A :class:`Table` in memory."""

    of: Mapping[str, Sequence[Cell] | Column]
    rows: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.of)

    def __len__(self) -> int:
        return self.rows

    def cells(self, name: str, places: Places | None = None) -> list[Cell]:
        column = self.of[name]
        return [column[int(place)] for place in (range(self.rows) if places is None else places)]

    def column(self, name: str, places: Places) -> Column:
        column = self.of[name]
        if isinstance(column, Column):
            same = len(places) == len(column) and np.array_equal(places, np.arange(len(column)))
            return column if same else column.take(places)
        return Column.of(self.cells(name, places))


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that may be images.

    Args:
        name: what the set is called.
        shown: the source itself, for messages.
        locate: where the bytes of a row are, or why there are none.
        hidden: columns that are not offered, such as the paths.
        ignored: files that are no images.
        left_out: files that were not looked at, by reason.
        cluster: the column whose images belong together.
    """

    name: str
    shown: str
    table: Table
    locate: Callable[[int], Locator | Skipped]
    caption: str | None = None
    hidden: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    ignored: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    cluster: str | None = None
    at: Located | None = None
    """Where the bytes of all rows are, in columns, where each has some; ``locate`` is not asked."""
