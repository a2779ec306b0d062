"""The columns of a table beside its images: what pairs them, groups them, dates or scores them.

One mechanism for ``--paired-by``, ``--cluster-by``, ``--within``, classes, time and scores: a
column is asked for by name and answers by image id. A folder has the column :data:`FOLDER`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from visdiff_local.errors import InputError
from visdiff_local.images.listing import ids_of, ranks
from visdiff_local.types import ImageRef

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

    @classmethod
    def none(cls, rows: int) -> Self:
        """Of so many rows, no value."""
        return cls(np.full(rows, -1, dtype=np.int32), ())

    @classmethod
    def joined(cls, parts: Sequence["Column"]) -> Self:
        """The rows of one part after those of the other."""
        known: dict[tuple[type, Cell], int] = {}
        codes = []
        for part in parts:
            names = [known.setdefault((type(cell), cell), len(known)) for cell in part.values]
            codes.append(np.array([*names, -1], np.int32)[part.codes])
        return cls(np.concatenate(codes), tuple(cell for _, cell in known))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, place: int) -> Cell:
        code = int(self.codes[place])
        return None if code < 0 else self.values[code]

    def take(self, places: Sequence[int] | npt.NDArray[np.int64]) -> "Column":
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


@dataclass(frozen=True, eq=False)
class Labels(Mapping[str, str]):
    """Labels by image id, each distinct one held once; an image that has none is not there.

    Args:
        images: with content ids, or the ids; equal ones have equal labels, the last one's.
        codes: int32 (n,), the index of each image's label in ``texts``; -1 where it has none.
    """

    images: Sequence[ImageRef] | Sequence[str]
    codes: npt.NDArray[np.int32]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """From labels by id."""
        texts: dict[str, int] = {}
        codes = [texts.setdefault(text, len(texts)) for text in given.values()]
        return cls(tuple(given), np.array(codes, np.int32), tuple(texts))

    def codes_of(self, images: Sequence[ImageRef]) -> npt.NDArray[np.int64]:
        """(m,) the index of each of these images' label in ``texts``; -1 where it has none."""
        known, asked = ranks(self.images, images)
        most = max(int(known.max(initial=-1)), int(asked.max(initial=-1))) + 1
        code = np.full(most, -1)
        has = self.codes >= 0
        code[known[has]] = self.codes[has]
        return code[asked]

    @cached_property
    def _by_id(self) -> dict[str, str]:
        return {
            id_: self.texts[code]
            for id_, code in zip(ids_of(self.images), self.codes.tolist(), strict=True)
            if code >= 0
        }

    def __getitem__(self, id_: str) -> str:
        return self._by_id[id_]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)


@dataclass(frozen=True, slots=True, eq=False)
class Covariates:
    """The columns of one set, by image id.

    ``images[i]`` is the image of every column's row i. Before a set is read its images have no ids,
    and columns can be listed but not asked.
    """

    images: Sequence[ImageRef] = ()
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
        return {id_: column[place] for place, id_ in enumerate(ids_of(self.images))}

    def labels(self, name: str) -> Labels:
        """The values as text by which images are grouped or paired; images without are left out.

        1, 1.0 and "1" are one label: a table may have numbers where another has text.
        """
        column = self._column(name)
        texts: dict[str, int] = {}
        renamed = [texts.setdefault(label(value), len(texts)) for value in column.values]
        codes = np.array([*renamed, -1], np.int32)[column.codes]
        return Labels(self.images, codes, tuple(texts))

    def groups(self, name: str) -> dict[str, tuple[str, ...]]:
        """Ids of the images that share a label, by label."""
        found: dict[str, list[str]] = defaultdict(list)
        for id_, text in self.labels(name).items():
            found[text].append(id_)
        return {text: tuple(ids) for text, ids in found.items()}

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            raise InputError(no_column(name, tuple(self.columns)))
        if len(self.images) and not self.images[0].id:
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
