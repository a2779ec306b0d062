"""Text with cells between commas and the like: CSV, TSV and what spreadsheets write.

Delimiter and encoding are found out; every cell stays text.
"""

import codecs
import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visdiff_local.errors import InputError
from visdiff_local.images.names import shown
from visdiff_local.system import spreadsheets
from visdiff_local.types import Skipped

if TYPE_CHECKING:
    import pyarrow as pa

_DELIMITERS = ",;\t|"
_NAMED_MARK = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
"""A first line by which spreadsheets are told the delimiter."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZEROS = 0.6
"""Share of zeros from which every second byte is taken for the upper half of a letter."""
_SAMPLE = 1 << 16
_NAMED_ROWS = 5


def read(path: Path) -> tuple["pa.Table", tuple[Skipped, ...]]:
    """All columns as text, so that "001" stays "001"; and the rows of another width.

    Raises:
        InputError: it is no text, or has no row.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        encoding = _encoding(path)
        with path.open(encoding=encoding, newline="") as text:
            sample = text.read(_SAMPLE)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    ragged: list[Any] = []

    def odd(row: Any) -> str:
        ragged.append((row.number, row.actual_columns))
        return "skip"

    named = _NAMED_MARK.match(sample)
    mark = named[1] if named else _delimiter(path, sample)
    parse = arrow_csv.ParseOptions(delimiter=mark, newlines_in_values=True, invalid_row_handler=odd)
    # One thread: only then are the rows numbered.
    reading = arrow_csv.ReadOptions(
        encoding=encoding.removesuffix("-sig"), use_threads=False, skip_rows=1 if named else 0
    )
    try:
        with arrow_csv.open_csv(path, reading, parse) as reader:
            names = reader.schema.names
        ragged.clear()
        convert = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        )
        table = spreadsheets.read_back(arrow_csv.read_csv(path, reading, parse, convert))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error) from error
    wide = f"for {len(names)} column{'' if len(names) == 1 else 's'}"
    told = [
        Skipped(f"{shown(path)}, row {n}", f"it has {cells} cells {wide}") for n, cells in ragged
    ]
    if not table.num_rows:
        rows = "; ".join(
            f"{one.path.rpartition(', ')[2]}: {one.reason}" for one in told[:_NAMED_ROWS]
        )
        raise InputError(f"{shown(path)}: cannot be read as a table: {rows or 'it has no row'}")
    return table if mark == "," else _with_points(table), tuple(told)


def _with_points(table: "pa.Table") -> "pa.Table":
    """Numbers with a comma before their fractions, as spreadsheets that separate cells by other
    marks write them, get a point: columns that hold nothing else."""
    import pyarrow.compute as pc

    for place, name in enumerate(table.column_names):
        column = table.column(place)
        numbers = pc.match_substring_regex(column, r"^\s*[+-]?\d+(,\d+)?\s*$")
        fractions = pc.match_substring(column, ",")
        if pc.all(numbers).as_py() and pc.any(fractions).as_py():
            table = table.set_column(place, name, pc.replace_substring(column, ",", "."))
    return table


def _encoding(path: Path) -> str:
    """By the byte order mark, or the zeros of UTF-16 without one; else UTF-8 where all of it is,
    else Latin-1 as Windows has it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        head = stream.read(_SAMPLE)
        marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
        if marked:
            return marked
        if not head:
            raise ValueError("it is empty")
        if b"\0" in head and not spreadsheets.is_export(head):
            return _wide(head)
        try:
            while head:
                decoder.decode(head)
                head = stream.read(1 << 20)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252" if _printable(path) else "latin-1"
    return "utf-8"


def _wide(head: bytes) -> str:
    """UTF-16 by where its zeros are: every second byte of plain letters is one."""
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = head[first::2], head[1 - first :: 2]
        if zeros.count(0) > len(zeros) * _ZEROS and 0 not in others:
            return name
    raise ValueError("it is no text")


def _printable(path: Path) -> bool:
    try:
        with path.open(encoding="cp1252") as text:
            return all(True for _ in iter(lambda: text.read(1 << 20), ""))
    except UnicodeDecodeError:
        return False


def _delimiter(path: Path, sample: str) -> str:
    """The character that cuts the header into the most cells."""
    lines = sample.splitlines()[:20]
    if len(sample) == _SAMPLE and len(lines) > 1:
        lines = lines[:-1]
    counts = {}
    for mark in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines[:1], delimiter=mark)]
        counts[mark] = widths[0] if widths else 1
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    return max(_DELIMITERS, key=lambda mark: (counts[mark], mark == usual))


def unreadable(path: Path, error: Exception) -> InputError:
    reason = re.sub(r"\s+", " ", str(error))[:300]
    return InputError(f"{shown(path)}: cannot be read as a table: {reason}")
