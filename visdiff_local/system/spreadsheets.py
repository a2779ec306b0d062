"""The one way by which CSV leaves: no cell of it is a formula to the spreadsheet that opens it.

Captions, file names and tested texts come from strangers, and a spreadsheet computes what begins
with ``=``, ``+``, ``-``, ``@``, a tab or a line break; a formula may read other cells and send them
somewhere. Such a text gets an apostrophe in front, which spreadsheets take for "this is text"
(https://owasp.org/www-community/attacks/CSV_Injection). Numbers stay numbers. A text that has the
apostrophe already gets another one, so that :func:`original` finds each text again. A test holds
that nothing else writes CSV.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import pyarrow as pa

_SKIPPED = "\t\n\v\f\r '\0\u00a0\u3000\ufeff"
"""What may stand before a formula: blanks, and our own apostrophe."""
_SIGNS = "=+@\t\r\n\uff1d\uff0b\uff0d\uff20-"
"""Those in full width are taken by some spreadsheets too."""
_FORMULA = f"^[{_SKIPPED}]*[{_SIGNS}]"
_PATTERN = re.compile(_FORMULA)
HEAD = ("path", "group_name", "id", "name", "set", "half")
"""How the columns of an export begin; our own reader knows one by them."""


def inert(text: str) -> str:
    """The text, with an apostrophe in front where a spreadsheet would compute it."""
    return f"'{text}" if _PATTERN.match(text) else text


def original(text: str) -> str:
    """What :func:`inert` was given."""
    return text[1:] if text.startswith("'") and _PATTERN.match(text) else text


def write_rows(stream: TextIO, rows: Iterable[Sequence[object]]) -> None:
    """Rows of texts and numbers, as CSV."""
    csv.writer(stream).writerows(
        [inert(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )


@contextmanager
def writing(stream: IO[bytes], schema: "pa.Schema", delimiter: str = ",") -> Iterator[Any]:
    """A writer of Arrow tables of this schema (``write_table``), as CSV with a row of names."""
    from pyarrow import csv as arrow_csv

    options = arrow_csv.WriteOptions(delimiter=delimiter)
    with arrow_csv.CSVWriter(
        stream, _safe(schema.empty_table()).schema, write_options=options
    ) as writer:
        yield _Writer(writer)


class _Writer:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def write_table(self, table: "pa.Table") -> None:
        self._inner.write_table(_safe(table))


def read_back(table: "pa.Table") -> "pa.Table":
    """A table of texts as it was before it was written, where it is an export of ours."""
    if tuple(table.column_names[: len(HEAD)]) != HEAD:
        return table
    return _each_text(table, _originals).rename_columns(
        [original(name) for name in table.column_names]
    )


def is_export(head: bytes) -> bool:
    """Whether a file that begins so is an export of ours, whose texts may hold any character."""
    return head.replace(b'"', b"").startswith(",".join(HEAD).encode())


def _safe(table: "pa.Table") -> "pa.Table":
    return _each_text(table, _inerts).rename_columns([inert(name) for name in table.column_names])


def _each_text(table: "pa.Table", change: Any) -> "pa.Table":
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            table = table.set_column(place, field, change(table.column(place)))
    return table


def _inerts(texts: Any) -> Any:
    import pyarrow.compute as pc

    marked = pc.binary_join_element_wise("'", texts, "")
    return pc.if_else(pc.match_substring_regex(texts, _FORMULA), marked, texts)


def _originals(texts: Any) -> Any:
    import pyarrow.compute as pc

    escaped = pc.and_(pc.starts_with(texts, "'"), pc.match_substring_regex(texts, _FORMULA))
    return pc.if_else(escaped, pc.utf8_slice_codeunits(texts, 1), texts)
