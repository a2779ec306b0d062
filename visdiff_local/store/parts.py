"""A part: what was computed for some images, as a Parquet file that any engine can write and read.

One row an image. The file's metadata hold the :class:`Recipe`, from which the store's keys follow;
the column ``fingerprint`` repeats it in short, so that rows of different recipes are told apart
even where files were joined by other tools.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visdiff_local.errors import InputError
from visdiff_local.images import Facts, shown
from visdiff_local.store.disk import write_atomically
from visdiff_local.store.files import facts_as_text, facts_of_text
from visdiff_local.store.keys import SCHEMA
from visdiff_local.store.shards import HalfArray
from visdiff_local.system import foreign
from visdiff_local.types import Stamp

if TYPE_CHECKING:
    import pyarrow as pa

DONE, NO_ANSWER, UNREADABLE, FAILED = "done", "no answer", "unreadable", "failed"
"""What became of an image: answered; the model had no words for it; no picture; the model failed on
it, as it may on one odd picture. The last two hold no answer."""
ROWS_AT_ONCE = 4096
"""Rows that are read, or written to a row group, together."""
_METADATA = b"visdiff_local"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is computed for each image, and with what: all that an answer depends on.

    The prompts are rendered already. Where a model is "" nothing is asked of it.
    """

    measured: str
    """The version of what is measured on pixels."""
    embedder: str = ""
    captioner: str = ""
    caption_prompt: str = ""
    vlm: str = ""
    questions: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """64 hex digits."""
        return sha256(json.dumps([SCHEMA, asdict(self)], sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Recipe":
        """Raises ValueError, TypeError or KeyError where it is none."""
        fields = foreign.json_object(text)
        recipe = cls(**{**fields, "questions": tuple(fields["questions"])})
        texts = [recipe.measured, recipe.embedder, recipe.captioner, recipe.caption_prompt]
        if not all(isinstance(text, str) for text in (*texts, recipe.vlm, *recipe.questions)):
            raise TypeError("a field is no text")
        return recipe


@dataclass(frozen=True, slots=True)
class Answered:
    """One row of a part."""

    name: str
    status: str
    reason: str = ""
    id: str | None = None
    """None where the image could not be read; then all that follows is missing too."""
    stamp: Stamp | None = None
    facts: Facts | None = None
    vector: HalfArray | None = None
    """Float16 (d,), finite."""
    caption: str | None = None
    p_yes: Sequence[float | None] | None = None
    """A probability a question, in the recipe's order; None: no answer."""


def schema() -> "pa.Schema":
    """The columns of a part."""
    import pyarrow as pa

    return pa.schema(
        [
            ("sha256", pa.string()),
            ("name", pa.string()),
            ("vector", pa.list_(pa.float16())),
            ("caption", pa.string()),
            ("p_yes", pa.list_(pa.float32())),
            ("fingerprint", pa.string()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("source", pa.binary()),
            ("size", pa.int64()),
            ("mtime_ns", pa.int64()),
            ("facts", pa.string()),
        ]
    )


def as_table(rows: Sequence[Answered], recipe: Recipe) -> "pa.Table":
    """The rows with the recipe in the table's metadata."""
    import pyarrow as pa

    fingerprint = recipe.fingerprint
    columns = [
        {
            "sha256": row.id,
            "name": row.name,
            "caption": row.caption,
            "p_yes": None if row.p_yes is None else list(row.p_yes),
            "fingerprint": fingerprint,
            "status": row.status,
            "reason": row.reason,
            **_of_file(row),
        }
        for row in rows
    ]
    described = schema()
    place = described.get_field_index("vector")
    made = pa.Table.from_pylist(columns, schema=described.remove(place))
    made = made.add_column(place, described.field(place), _vector_column(rows))
    return made.replace_schema_metadata({_METADATA: recipe.to_json().encode()})


def rows_of(table: "pa.Table") -> Iterator[Answered]:
    """The rows again; raises ValueError for one that cannot be."""
    vectors = _vectors(table.column("vector"))
    for row, vector in zip(table.drop_columns("vector").to_pylist(), vectors, strict=True):
        id_ = row["sha256"]
        if id_ is not None and (len(id_) != 64 or not set(id_) <= set("0123456789abcdef")):
            raise ValueError(f"{row['name']!r}: its sha256 is none")
        if vector is not None and not np.isfinite(vector).all():
            raise ValueError(f"{row['name']!r}: a number of its vector is not finite")
        facts = None if row["facts"] is None else facts_of_text(row["facts"])
        yield Answered(
            row["name"],
            row["status"],
            row["reason"] or "",
            id_,
            None if row["source"] is None else _stamp(row),
            facts,
            vector,
            row["caption"],
            row["p_yes"],
        )


def write(path: Path, tables: Iterable["pa.Table"], recipe: Recipe) -> int:
    """One file, there whole or not at all; how many rows. Tables are written as they come."""
    from pyarrow import parquet

    described = schema().with_metadata({_METADATA: recipe.to_json().encode()})
    count = 0

    def fill(draft: Path) -> None:
        nonlocal count
        with parquet.ParquetWriter(
            os.fspath(draft), described, compression="zstd", write_page_checksum=True
        ) as writer:
            for table in tables:
                writer.write_table(table.cast(described), row_group_size=ROWS_AT_ONCE)
                count += table.num_rows

    write_atomically(path, fill)
    return count


def recipe_of(path: Path) -> Recipe:
    """The recipe in a part's metadata.

    Raises:
        InputError: it is no part, or damaged.
    """
    with reading(path), _opened(path) as file:
        found = (file.schema_arrow.metadata or {}).get(_METADATA)
        missing = [name for name in schema().names if name not in file.schema_arrow.names]
    if found is None or missing:
        lacks = f"; it lacks {', '.join(missing)}" if missing else ""
        raise InputError(
            f"{shown(path)}: no part of visdiff-local prepare{lacks}; ready-made vectors and "
            "captions are taken in with: visdiff-local store import FILE"
        )
    try:
        return Recipe.from_json(found)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{shown(path)}: its recipe cannot be read ({error})") from error


def batches(path: Path, columns: Sequence[str] | None = None) -> Iterator["pa.Table"]:
    """A part's rows, some at a time, their checksums looked at; raises :class:`InputError`."""
    import pyarrow as pa

    with reading(path), _opened(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
            yield pa.Table.from_batches([batch])


class reading:  # noqa: N801 (a context manager reads like a verb)
    """Damage of a file that is read is an :class:`InputError` which names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        import pyarrow as pa

        if isinstance(error, pa.ArrowException | OSError | ValueError | TypeError):
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{shown(self._path)}: cannot be read: {reason}") from error


def _opened(path: Path) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(os.fspath(path), page_checksum_verification=True)


def _vector_column(rows: Sequence[Answered]) -> "pa.Array":
    import pyarrow as pa

    there = [row.vector for row in rows if row.vector is not None]
    lengths = [0 if row.vector is None else len(row.vector) for row in rows]
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int32)]).astype(np.int32)
    flat = np.concatenate(there) if there else np.empty(0, np.float16)
    missing = pa.array([row.vector is None for row in rows], pa.bool_())
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(flat, pa.float16()), mask=missing
    )


def _vectors(column: "pa.ChunkedArray") -> list[HalfArray | None]:
    """The rows of the column as views of one array; ``to_pylist`` is a hundred times slower."""
    whole = column.combine_chunks()
    flat = whole.values.to_numpy(zero_copy_only=False)
    offsets = whole.offsets.to_pylist()
    return [
        flat[offsets[place] : offsets[place + 1]] if valid else None
        for place, valid in enumerate(whole.is_valid().to_pylist())
    ]


def _of_file(row: Answered) -> dict[str, object]:
    stamp, facts = row.stamp, row.facts
    return {
        "source": None if stamp is None else os.fsencode(stamp.path),
        "size": None if stamp is None else stamp.size,
        "mtime_ns": None if stamp is None else stamp.mtime_ns,
        "facts": None if facts is None else facts_as_text(facts),
    }


def _stamp(row: dict[str, Any]) -> Stamp:
    return Stamp(os.fsdecode(row["source"]), row["size"], row["mtime_ns"])
