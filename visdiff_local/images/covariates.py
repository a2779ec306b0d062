"""The columns of a table beside its images: what pairs them, groups them, dates or scores them.

One mechanism for ``--paired-by``, ``--cluster-by``, ``--within``, classes, time and scores: a
column is asked for by name and answers by image id. A folder has the column :data:`FOLDER`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Self

import numpy as np
import numpy.typing as npt

from visdiff_local.errors import InputError

Cell = str | int | float | bool | None
"""A value of a column; None where the table has none. The cells of a CSV are text ("001" stays
"001"), dates of a Parquet table are ISO text."""

FOLDER = "folder"
"""The column that every folder has: the folder an image lies in, relative to the set's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column, each distinct value held once.

    Args:
        codes: int32 (N,), the place of each row's value in ``values``; -1 where there is none.
    """

    codes: npt.NDArray[np.int32]
    values: tuple[Cell, ...]

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> Self:
        """Blank text counts as no value."""
        known: dict[tuple[type, Cell], int] = {}
        codes = np.full(len(cells), -1, dtype=np.int32)
        for place, cell in enumerate(cells):
            if cell is None or (isinstance(cell, str) and not cell.strip()) or cell != cell:
                continue
            codes[place] = known.setdefault((type(cell), cell), len(known))
        return cls(codes, tuple(cell for _, cell in known))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, place: int) -> Cell:
        code = int(self.codes[place])
        return None if code < 0 else self.values[code]

    def take(self, places: Sequence[int]) -> "Column":
        """The rows at these places; values that none of them has any more are dropped."""
        codes = self.codes[np.asarray(places, dtype=np.intp)]
        used = np.unique(codes[codes >= 0])
        renamed = np.full(len(self.values) + 1, -1, dtype=np.int32)
        renamed[used] = np.arange(len(used), dtype=np.int32)
        return Column(renamed[codes], tuple(self.values[code] for code in used.tolist()))


@dataclass(frozen=True, slots=True)
class Known:
    """A column in short, for those who look for one that could group or order the images."""

    name: str
    distinct: int
    """How many different values its images have."""
    missing: int
    """How many images have none."""


@dataclass(frozen=True, slots=True, eq=False)
class Covariates:
    """The columns of one set, by image id.

    ``ids[i]`` is the image of every column's row i. Before a set is read its images have no ids,
    and columns can be listed but not asked.
    """

    ids: tuple[str, ...] = ()
    columns: Mapping[str, Column] = field(default_factory=dict)

    @property
    def known(self) -> tuple[Known, ...]:
        """Every column with the number of its distinct and missing values, in the table's order."""
        return tuple(
            Known(name, len(column.values), int(np.count_nonzero(column.codes < 0)))
            for name, column in self.columns.items()
        )

    def column(self, name: str) -> dict[str, Cell]:
        """The value of every image, by id; None where it has none.

        Raises:
            InputError: there is no such column; the message lists those there are.
        """
        column = self._column(name)
        return {id_: column[place] for place, id_ in enumerate(self.ids)}

    def labels(self, name: str) -> dict[str, str]:
        """The values as text by which images are grouped or paired; images without are left out.

        1, 1.0 and "1" are one label: a table may have numbers where another has text.
        """
        column = self._column(name)
        texts = [label(value) for value in column.values]
        return {
            id_: texts[code]
            for id_, code in zip(self.ids, column.codes.tolist(), strict=True)
            if code >= 0
        }

    def groups(self, name: str) -> dict[str, tuple[str, ...]]:
        """Ids of the images that share a label, by label."""
        found: dict[str, list[str]] = defaultdict(list)
        for id_, text in self.labels(name).items():
            found[text].append(id_)
        return {text: tuple(ids) for text, ids in found.items()}

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            raise InputError(no_column(name, tuple(self.columns)))
        if not all(self.ids):
            raise ValueError("the images have no ids yet: read_set gives them")
        return self.columns[name]


def label(value: Cell) -> str:
    """A value as the name of a group."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def no_column(name: str, there: Sequence[str]) -> str:
    """What is said of a column that is not there."""
    near = get_close_matches(name, there, n=1, cutoff=0.6)
    asked = f"; did you mean {near[0]!r}?" if near else ""
    listed = f"the columns are: {', '.join(there)}" if there else "these images have no columns"
    return f"no column is called {name!r}{asked} ({listed})"
