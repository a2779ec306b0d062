"""Rows of a CSV or Parquet table, chosen by a ``group_name`` or a condition on the columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visdiff_local.errors import InputError
from visdiff_local.images.covariates import Cell, Column
from visdiff_local.images.names import shown
from visdiff_local.images.sources.conditions import Condition, parse_condition
from visdiff_local.types import Skipped

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN_VALUES = 20


@dataclass(frozen=True, slots=True)
class Rows:
    """The chosen rows in the table's order; the columns have a row for each of the paths."""

    paths: tuple[str, ...]
    captions: tuple[str | None, ...]
    columns: Mapping[str, Column]
    skipped: tuple[Skipped, ...]


def read_rows(path: Path, where: str | None) -> Rows:
    """The chosen rows, and those that name no usable file.

    Raises:
        InputError: see :meth:`ImageSet.from_table`.
    """
    table = _read_table(path)
    _require(path, table.column_names, ["path"])
    files = table.column("path").to_pylist()
    kept: list[int] = []
    paths: list[str] = []
    skipped: list[Skipped] = []
    for index in _choose(path, table, where):
        file = str(files[index] or "").strip()
        why = _unusable(file)
        if why:
            skipped.append(Skipped(shown(file) or f"{shown(path)}, row {index + 1}", why))
            continue
        paths.append(file)
        kept.append(index)
    captions: list[str | None] = [None] * len(kept)
    if "caption" in table.column_names:
        captions = [_text(value) for value in table.column("caption").take(kept).to_pylist()]
    return Rows(tuple(paths), tuple(captions), _columns(table, kept), tuple(skipped))


def _columns(table: "pa.Table", kept: Sequence[int]) -> dict[str, Column]:
    """Everything but the path, as plain values; what is nested or binary is left out."""
    import pyarrow as pa

    found: dict[str, Column] = {}
    for name in table.column_names:
        kind = table.schema.field(name).type
        if name == "path" or pa.types.is_nested(kind) or _is_binary(kind):
            continue
        cells = table.column(name).take(pa.array(kept, pa.int64())).to_pylist()
        found[name] = Column.of([_cell(value) for value in cells])
    return found


def _is_binary(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _unusable(file: str) -> str:
    """Why a row cannot be used; empty when it can."""
    if not file:
        return "the path is empty"
    if "://" in file:
        return "a URL: this program uses no network; download it and name the file"
    return ""


def _text(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None


def _read_table(path: Path) -> "pa.Table":
    """All columns; those of a CSV as text, so that "001" stays "001"."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    if not path.exists():
        raise InputError(f"{shown(path)}: there is no such table")
    try:
        if path.suffix.lower() == ".parquet":
            return parquet.read_table(path, partitioning=None)
        parse = csv.ParseOptions(
            delimiter="\t" if path.suffix.lower() == ".tsv" else ",", newlines_in_values=True
        )
        with csv.open_csv(path, parse_options=parse) as reader:
            names = reader.schema.names
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        )
        return csv.read_csv(path, parse_options=parse, convert_options=convert)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{shown(path)}: cannot be read as a table: {reason}") from error


def _choose(path: Path, table: "pa.Table", where: str | None) -> Sequence[int]:
    """Indices of the rows that ``where`` chooses."""
    groups = _groups(table)
    if where is None:
        raise InputError(
            f"{shown(path)} is a table: say which rows with --a and --b{_there_are(groups)}"
        )
    of_group = [index for index, group in enumerate(groups) if group == where]
    if of_group:
        return of_group
    condition = parse_condition(where)
    if condition is None:
        _require(path, table.column_names, ["group_name"])
        raise InputError(
            f"{shown(path)}: no row has the group_name {where!r}{_there_are(groups)}; "
            "or give a condition such as 'group_name != \"dogs\"'"
        )
    chosen = _matching(path, table, condition)
    if not chosen:
        raise InputError(f"{shown(path)}: no row satisfies {where!r}{_there_are(groups)}")
    return chosen


def _matching(path: Path, table: "pa.Table", condition: Condition) -> list[int]:
    _require(path, table.column_names, condition.columns)
    columns: Mapping[str, list[Any]] = {
        name: table.column(name).to_pylist() for name in condition.columns
    }
    return [
        index
        for index in range(table.num_rows)
        if condition.holds({name: values[index] for name, values in columns.items()})
    ]


def _require(path: Path, columns: Sequence[str], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise InputError(
            f"{shown(path)}: no column is called {', '.join(map(repr, missing))}; "
            f"the columns are: {', '.join(columns)}"
        )


def _groups(table: "pa.Table") -> list[str | None]:
    """The column ``group_name`` as text; empty where there is none."""
    if "group_name" not in table.column_names:
        return []
    values = table.column("group_name").to_pylist()
    return [None if value is None else str(value) for value in values]


def _there_are(groups: Sequence[str | None]) -> str:
    names = sorted({group for group in groups if group is not None})
    if not names:
        return ""
    more = f" … and {len(names) - _SHOWN_VALUES} more" if len(names) > _SHOWN_VALUES else ""
    listed = ", ".join(map(repr, names[:_SHOWN_VALUES]))
    return f"; the group_names are: {listed}{more}"
