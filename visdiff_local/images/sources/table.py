"""Tables: CSV and its relatives, Parquet, JSON lines; with paths in a column, or the bytes."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visdiff_local.errors import InputError
from visdiff_local.images import arrow
from visdiff_local.images.covariates import Cell, Column
from visdiff_local.images.names import is_stream, shown
from visdiff_local.images.sources import delimited, features
from visdiff_local.images.sources.base import Columns, Options, Places, Source, Table
from visdiff_local.images.sources.paths import located
from visdiff_local.system import foreign
from visdiff_local.types import Locator, Skipped

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = frozenset((".csv", ".tsv", ".parquet", ".jsonl", ".ndjson"))
PATHS = ("path", "file", "file_name", "filename", "image", "filepath", "image_path", "img")
"""Usual names of the column of paths; ``path`` is taken before the others."""
CAPTION = "caption"
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".dcm", ".webp", ".heic", ".bmp", ".gif")
_LONGEST_LINE = 1 << 24


@dataclass(frozen=True, slots=True)
class Arrow:
    """An Arrow table as a :class:`Table`; what is nested or binary has no cells."""

    content: "pa.Table"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(
            name for name in self.content.column_names if not opaque(self.content.schema, name)
        )

    def __len__(self) -> int:
        return int(self.content.num_rows)

    def cells(self, name: str, places: Places | None = None) -> list[Cell]:
        return [cell(value) for value in self._taken(name, places).to_pylist()]

    def column(self, name: str, places: Places) -> Column:
        import pyarrow as pa

        taken = self._taken(name, places)
        if not isinstance(taken.type, pa.DictionaryType):
            taken = taken.dictionary_encode()
        whole = taken.unify_dictionaries().combine_chunks()
        if isinstance(whole, pa.ChunkedArray):  # older versions leave one chunk, or none
            if not len(whole):
                return Column.of(())
            whole = whole.chunk(0)
        distinct = Column.of([cell(value) for value in whole.dictionary.to_pylist()])
        codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Column(np.array([*distinct.codes, -1], np.int32)[codes], distinct.values)

    def _taken(self, name: str, places: Places | None) -> "pa.ChunkedArray":
        column = self.content.column(name)
        return (
            column if places is None else column.take(arrow.numbers(np.asarray(places, np.int64)))
        )


def cell(value: object) -> Cell:
    """A plain value; dates as ISO text, all else that is no number as text."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def read(path: Path, options: Options) -> Source:
    """A table with paths.

    Raises:
        InputError: it cannot be read, or has no column of paths (the message lists its columns).
    """
    if not path.exists():
        raise InputError(f"{shown(path)}: there is no such table")
    if is_stream(path):
        raise InputError(f"{shown(path)}: a pipe is no table; write it to a file first")
    skipped: tuple[Skipped, ...] = ()
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        table: Table = json_lines(path)
    elif path.suffix.lower() == ".parquet":
        from visdiff_local.images.sources import stored

        held = stored.parquet([path], shown(path), path.stem, options)
        if held is not None:
            return held
        table = Arrow(_parquet(path))
    else:
        content, skipped = delimited.read(path)
        table = Arrow(unambiguous(shown(path), content))
    return of_paths(table, path, options, skipped=skipped)


def plain(path: Path) -> Table:
    """A table of whatever columns: CSV and its relatives, JSON lines, Parquet.

    Raises:
        InputError: it cannot be read.
    """
    if not path.exists():
        raise InputError(f"{shown(path)}: there is no such table")
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return json_lines(path)
    if path.suffix.lower() == ".parquet":
        return Arrow(_parquet(path))
    return Arrow(unambiguous(shown(path), delimited.read(path)[0]))


def of_paths(
    table: Table,
    path: Path,
    options: Options,
    *,
    skipped: tuple[Skipped, ...] = (),
    caption: str | None = None,
    where: Callable[[str], Path] | None = None,
) -> Source:
    """The source of a table whose rows name files relative to its folder.

    Args:
        caption: the column of captions that this kind of table has by custom.
    """
    column = path_column(shown(path), table.names, options)
    paths = table.cells(column)

    def locate(place: int) -> Locator | Skipped:
        return located(paths[place], path.parent, f"{shown(path)}, row {place + 1}")

    return Source(
        path.stem,
        shown(path),
        table,
        locate,
        caption=caption_column(shown(path), table.names, options, caption),
        hidden=(column,),
        skipped=skipped,
    )


def path_column(where: str, names: Sequence[str], options: Options) -> str:
    """Which column holds the paths."""
    if options.path_column is not None:
        if options.path_column not in names:
            raise InputError(
                f"{where}: no column is called {options.path_column!r} (--path-column); "
                f"the columns are: {', '.join(names)}"
            )
        return options.path_column
    found = [name for name in names if name.strip().lower() in PATHS]
    exact = [name for name in found if name == "path"]
    if len(exact or found) == 1:
        return (exact or found)[0]
    listed = f"the columns are: {', '.join(names)}"
    if not found and any(Path(name.strip()).suffix.lower() in _PICTURES for name in names):
        raise InputError(
            f"{where}: its first row names an image ({', '.join(names)[:200]}): put a row with the "
            "names of the columns above it, such as path,group_name"
        )
    if not found:
        raise InputError(
            f"{where}: no column is called 'path' or alike; name it with --path-column; {listed}"
        )
    raise InputError(
        f"{where}: {' and '.join(map(repr, found))} may all hold the paths; "
        f"name one with --path-column; {listed}"
    )


def caption_column(
    where: str, names: Sequence[str], options: Options, custom: str | None = None
) -> str | None:
    """Which column holds the captions, where one does."""
    if options.caption_column is not None:
        if options.caption_column not in names:
            raise InputError(
                f"{where}: no column is called {options.caption_column!r} (--caption-column); "
                f"the columns are: {', '.join(names)}"
            )
        return options.caption_column
    return next((name for name in (CAPTION, custom) if name and name in names), None)


def json_lines(path: Path) -> Table:
    """One object a line; nested values are left out."""
    rows: list[dict[str, Any]] = []
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                row = foreign.json_value(line) if len(line) <= _LONGEST_LINE else None
                if not isinstance(row, dict):
                    raise InputError(f"{shown(path)}: line {number} is no JSON object")
                rows.append(row)
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{shown(path)}: cannot be read as JSON lines: line {len(rows) + 1}: {reason}"
        ) from error
    if not rows:
        raise InputError(f"{shown(path)}: cannot be read as a table: it is empty")
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    plain = {
        name: [None if isinstance(row.get(name), dict | list) else row.get(name) for row in rows]
        for name in names
        if not all(isinstance(row.get(name), dict | list | None) for row in rows)
    }
    return Columns(plain, len(rows))


def _parquet(path: Path) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import parquet

    try:
        found = parquet.read_table(path, partitioning=None)
        found.validate(full=True)  # texts that are no UTF-8, too
        return unambiguous(shown(path), features.named(found))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise delimited.unreadable(path, error) from error


def unambiguous(where: str, table: "pa.Table") -> "pa.Table":
    """Columns of the same name get numbers; two of paths are refused, for none is the right one."""
    names = [str(name) for name in table.column_names]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not twice:
        return table
    paths = [name for name in twice if name.strip().lower() in PATHS]
    if paths:
        places = [str(place + 1) for place, name in enumerate(names) if name == paths[0]]
        raise InputError(
            f"{where}: the columns {' and '.join(places)} are both called {paths[0]!r}; "
            "rename or remove one"
        )
    seen: Counter[str] = Counter()
    renamed = []
    for name in names:
        seen[name] += 1
        renamed.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return table.rename_columns(renamed)


def opaque(schema: "pa.Schema", name: str) -> bool:
    """Whether the column holds nested values or bytes."""
    import pyarrow as pa

    kind = schema.field(name).type
    tests = (
        *(pa.types.is_nested, pa.types.is_binary),
        *(pa.types.is_large_binary, pa.types.is_fixed_size_binary),
    )
    return any(test(kind) for test in tests)
