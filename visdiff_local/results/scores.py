"""``images.parquet``: a row an image, a column a text. Written and read part by part.

Columns, in this order: ``id`` (sha256 of the bytes), ``name``, ``path``, ``set`` (or the group),
``half`` (explore, validate, both), ``cluster``, ``stratum``, ``pair``, ``caption``, ``used``,
``reason`` (why it was left out), the measured attributes, and the texts. Which columns are texts,
and what their numbers are, stands in the file's own metadata: a text may be called like an
attribute, and is then written as ``text: …``.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from visdiff_local.errors import InputError
from visdiff_local.images import arrow
from visdiff_local.images.table import ImageTable, Made, TextScores
from visdiff_local.protocols import FloatArray
from visdiff_local.system import foreign
from visdiff_local.system.files import replaced
from visdiff_local.system.foreign import ForeignError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

NAME = "images.parquet"
FACTS = (
    *("id", "name", "path", "set", "half", "cluster", "stratum", "pair", "caption", "used"),
    "reason",
)
_KEY = b"visdiff_local"
ROWS = 65_536
"""Rows written or read together."""


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of scores: its name in the file, the text, and what the numbers are."""

    column: str
    text: str
    kind: str


def write(table: ImageTable, path: Path) -> Path:
    """Writes the table beside its place and moves it there, private to the user."""
    from pyarrow import parquet

    made = parts(table)
    first = next(made)
    with replaced(path) as stream, parquet.ParquetWriter(stream, first.schema) as writer:
        writer.write_table(first)
        for part in made:
            writer.write_table(part)
    return path


def parts(table: ImageTable) -> "Iterator[pa.Table]":
    """The table as Arrow has it, part by part; one part at least."""
    import pyarrow as pa

    columns, texts = named(table)
    notes = {"schema_version": 1, "texts": texts, "attributes": list(table.attributes)}
    schema = pa.schema(
        [pa.field(name, _type(name, values)) for name, values in columns.items()],
        {_KEY: json.dumps(notes, ensure_ascii=False).encode()},
    )
    for start in range(0, max(len(table.facts["id"]), 1), ROWS):
        part = [
            _array(values, start, field.type)
            for values, field in zip(columns.values(), schema, strict=True)
        ]
        yield pa.Table.from_arrays(part, schema=schema)


def named(table: ImageTable) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """All columns by the names they have in the file, and which of them are texts."""
    columns: dict[str, Any] = {**table.facts, **table.attributes}
    texts = []
    for scored in table.texts:
        text = _encodable(scored.text)
        name = _free(text, columns)
        columns[name] = scored.values
        texts.append({"column": name, "text": text, "kind": scored.kind})
    return columns, texts


@dataclass(frozen=True)
class Images:
    """The table of a run folder, opened: columns are read when they are asked for."""

    path: Path

    @classmethod
    def open(cls, run_dir: Path) -> "Images":
        """Raises :class:`InputError` where the folder has no table, or one that is not ours."""
        found = cls(run_dir / NAME)
        if not found.path.is_file():
            raise InputError(
                f"{found.path}: there is no such file; run the comparison again with this version, "
                "which writes it beside run.json"
            )
        missing = [name for name in FACTS if name not in found.columns]
        if missing:
            raise InputError(f"{found.path}: no column is called {', '.join(missing)}")
        return found

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._opened.schema_arrow.names)

    @cached_property
    def rows(self) -> int:
        return int(self._opened.metadata.num_rows)

    @cached_property
    def texts(self) -> tuple[TextColumn, ...]:
        """The columns of scores, in the order of testing."""
        known = set(self.columns)
        found = []
        for item in self._notes.get("texts", ()):
            column = TextColumn(str(item["column"]), str(item["text"]), str(item["kind"]))
            if column.column in known:
                found.append(column)
        return tuple(found)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """The columns of what was measured."""
        return tuple(n for n in map(str, self._notes.get("attributes", ())) if n in self.columns)

    def text(self, wanted: str) -> TextColumn:
        """The column of this text, in any case; raises :class:`InputError` that lists them."""
        for exact in (True, False):
            for column in self.texts:
                if column.text == wanted or (
                    not exact and column.text.casefold() == wanted.strip().casefold()
                ):
                    return column
        import difflib

        near = difflib.get_close_matches(wanted, [c.text for c in self.texts], n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(repr(c.text) for c in self.texts[:20])
        raise InputError(f"{wanted!r} was not tested in this run{meant} Tested: {listed or 'none'}")

    def read(self, columns: tuple[str, ...] | list[str] | None = None) -> "pa.Table":
        """These columns, all rows. Raises :class:`InputError` where they are damaged."""
        with self._damage():
            table = self._opened.read(columns=None if columns is None else list(columns))
            table.validate(full=True)  # texts that are no UTF-8, too: whoever reads them would fail
            return table

    def batches(self, columns: list[str] | None = None) -> "Iterator[pa.RecordBatch]":
        """Part by part, in order. Raises as :meth:`read` does."""
        parts = self._opened.iter_batches(batch_size=ROWS, columns=columns)
        while True:
            with self._damage():
                part = next(parts, None)
                if part is not None:
                    part.validate(full=True)
            if part is None:
                return
            yield part

    def numbers(self, column: str) -> FloatArray:
        """A column of numbers: float32 (N,), NaN where there is none."""
        values = self.read([column]).column(0).to_numpy(zero_copy_only=False)
        with self._damage():
            return np.asarray(values, dtype=np.float32)

    @cached_property
    def _opened(self) -> "parquet.ParquetFile":
        from pyarrow import parquet

        with self._damage():
            return parquet.ParquetFile(self.path, memory_map=True)

    @contextmanager
    def _damage(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{self.path}: cannot be read ({reason})") from error

    @cached_property
    def _notes(self) -> Mapping[str, Any]:
        raw = (self._opened.schema_arrow.metadata or {}).get(_KEY, b"{}")
        try:
            return foreign.json_object(raw)
        except ForeignError as error:
            raise InputError(f"{self.path}: its notes cannot be read ({error})") from error


def loaded(run_dir: Path) -> ImageTable:
    """The table of a folder, whole, in memory.

    Raises:
        InputError: as :meth:`Images.open`.
    """
    images = Images.open(run_dir)
    texts = tuple(TextScores(t.text, _kind(t.kind), images.numbers(t.column)) for t in images.texts)
    of_texts = {t.column for t in images.texts}
    named = [n for n in images.columns if n not in of_texts and n not in images.attributes]
    table = images.read([*named, *images.attributes])
    facts = {name: table.column(name).to_pylist() for name in named}
    attributes = {
        name: table.column(name).to_numpy(zero_copy_only=False) for name in images.attributes
    }
    return ImageTable(facts, attributes, texts)


def _kind(name: str) -> Literal["cosine", "p_yes", "rank"]:
    known: dict[str, Literal["cosine", "p_yes", "rank"]] = {"p_yes": "p_yes", "rank": "rank"}
    return known.get(name, "cosine")


def _free(text: str, taken: Mapping[str, Any]) -> str:
    """The text as a column name that no other column has."""
    name = text
    while name in taken:
        name = f"text: {name}"
    return name


def _type(name: str, values: Any) -> "pa.DataType":
    import pyarrow as pa

    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.float64() if values.dtype == np.float64 else pa.float32()
    return pa.bool_() if name == "used" else pa.string()


def _array(column: Any, start: int, kind: "pa.DataType") -> "pa.Array":
    """Of :data:`ROWS` rows of the column."""
    import pyarrow as pa

    if isinstance(column, Made):
        made = column.array(start, min(start + ROWS, len(column)))
        if made is not None:
            return made
    values = column[start : start + ROWS]
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return arrow.numbers(values, nan_is_null=True)
    if kind == pa.bool_():
        return arrow.truths(np.asarray(values, np.bool_))
    return arrow.texts([v if v is None or isinstance(v, str) else str(v) for v in values])


def _encodable(text: str) -> str:
    """Odd bytes of paths and of replies escaped: Parquet holds UTF-8 alone."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
