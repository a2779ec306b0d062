"""Data sets as Hugging Face stores them: Parquet with the bytes, ``save_to_disk`` folders."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images.members import Member, Members
from visdiff_local.images.names import natural_key, shown
from visdiff_local.images.rows import ArrowRow, ParquetRow, arrow_table
from visdiff_local.images.sources import features
from visdiff_local.images.sources import table as tables
from visdiff_local.images.sources.base import Options, Source
from visdiff_local.system import foreign

if TYPE_CHECKING:
    import pyarrow as pa

_BYTES = ("bytes", "jpg", "jpeg", "png", "content", "data")
_PART = re.compile(r"(.+?)-\d{5}-of-\d{5}(?:-\w+)?")
"""How parts of a split are called; the split is a column where there are several."""
_SPLIT = "split"


def parquet(files: Sequence[Path], where: str, name: str, options: Options) -> Source | None:
    """Parquet files (the parts of one) whose rows hold images; None where they hold only paths.

    Raises:
        InputError: a part cannot be read, or has other columns than the first.
    """
    import pyarrow as pa
    from pyarrow import parquet as pq

    try:
        schema = pq.read_schema(files[0])
        column = bytes_column(where, schema, options)
        if column is None:
            return None
        light = [one for one in schema.names if not tables.opaque(schema, one)]
        own = pa.types.is_struct(schema.field(column).type)
        wanted = [*light, *([f"{column}.path"] if own else [])]
        parts = [pq.ParquetFile(file).read(columns=wanted) for file in files]
        table = tables.unambiguous(where, pa.concat_tables(parts, promote_options="default"))
        table.validate(full=True)  # texts that are no UTF-8, too
        sizes = [pq.read_metadata(file).num_rows for file in files]
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{where}: cannot be read as a table: {reason}") from error
    rows = [(file, row) for file, size in zip(files, sizes, strict=True) for row in range(size)]
    splits = [_PART.fullmatch(file.stem) for file in files]
    names = [found[1] for found in splits if found]
    if len(names) == len(files) and len(set(names)) > 1 and _SPLIT not in table.column_names:
        told = [split for split, size in zip(names, sizes, strict=True) for _ in range(size)]
        table = table.append_column(_SPLIT, pa.array(told))
    return _source(table, rows, ParquetRow, column, where, name, options)


def saved_to_disk(folder: Path, options: Options) -> Source:
    """A folder of ``datasets.save_to_disk``.

    Raises:
        InputError: it has several splits (which must be named), no image column, or is damaged.
    """
    import pyarrow as pa

    splits = sorted(path.parent.name for path in folder.glob("*/state.json"))
    if splits:
        raise InputError(
            f"{shown(folder)} holds the splits {', '.join(splits)}; "
            f"name one: {shown(folder / splits[0])}"
        )
    try:
        state = foreign.json_object(foreign.read(folder / "state.json"))
        files = [folder / Path(str(one["filename"])).name for one in state["_data_files"]]
        parts = [arrow_table(file) for file in files]
        table = pa.concat_tables(parts)
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{shown(folder)}: no data set that can be read ({error!r})") from error
    except UnreadableImageError as error:
        raise InputError(f"{shown(folder)}: {error.reason}") from error
    column = bytes_column(shown(folder), table.schema, options)
    if column is None:
        raise InputError(
            f"{shown(folder)}: no column holds images; the columns are: "
            f"{', '.join(table.column_names)}"
        )
    rows = [
        (file, row) for file, part in zip(files, parts, strict=True) for row in range(part.num_rows)
    ]
    return _source(table, rows, ArrowRow, column, shown(folder), folder.name, options)


def arrow(path: Path, options: Options) -> Source:
    """One Arrow file."""
    try:
        table = arrow_table(path)
    except (UnreadableImageError, OSError) as error:
        raise InputError(f"{shown(path)}: {error}") from error
    column = bytes_column(shown(path), table.schema, options)
    if column is None:
        raise InputError(
            f"{shown(path)}: no column holds images; the columns are: "
            f"{', '.join(table.column_names)}"
        )
    rows = [(path, row) for row in range(table.num_rows)]
    return _source(table, rows, ArrowRow, column, shown(path), path.stem, options)


def bytes_column(where: str, schema: "pa.Schema", options: Options) -> str | None:
    """The column that holds bytes of images, where just one does."""
    import pyarrow as pa

    def holds(name: str) -> bool:
        kind = schema.field(name).type
        if pa.types.is_struct(kind):
            return bool(kind.get_field_index("bytes") >= 0)
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    there = [name for name in schema.names if schema.names.count(name) == 1 and holds(name)]
    if not there:
        _no_lists(where, schema)
    if options.path_column is not None:
        return options.path_column if options.path_column in there else None
    usual = [n for n in there if n.lower() in (*tables.PATHS, *_BYTES)]
    found = usual if len(usual) == 1 else there
    if len(found) > 1:
        raise InputError(
            f"{where}: {' and '.join(map(repr, found))} may all hold the images; "
            "name one with --path-column"
        )
    return found[0] if found else None


def _no_lists(where: str, schema: "pa.Schema") -> None:
    """Raises :class:`InputError` where images or their bytes are in lists, several a row."""
    import pyarrow as pa

    for name in schema.names:
        kind = schema.field(schema.names.index(name)).type
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
            continue
        inner = kind.value_type
        struct = pa.types.is_struct(inner) and inner.get_field_index("bytes") >= 0
        if struct or pa.types.is_binary(inner) or pa.types.is_large_binary(inner):
            raise InputError(
                f"{where}: the column {name!r} holds lists of images, and an image a row is "
                f"wanted; write it so once: pyarrow's list_flatten, or data frame.explode({name!r})"
            )
        if pa.types.is_uint8(inner) and name.lower() in (*tables.PATHS, *_BYTES):
            raise InputError(
                f"{where}: the column {name!r} holds bytes as lists of numbers; write them as "
                f"binary once: table.column({name!r}).cast(pyarrow.binary()), or "
                f"data frame[{name!r}].map(bytes)"
            )


def parts(folder: Path) -> list[Path]:
    """The Parquet files right in the folder, in natural order."""
    return sorted(folder.glob("*.parquet"), key=natural_key)


def _source(
    table: "pa.Table",
    rows: Sequence[tuple[Path, int]],
    kind: type[ParquetRow] | type[ArrowRow],
    column: str,
    where: str,
    name: str,
    options: Options,
) -> Source:
    import pyarrow as pa

    names: list[Any] = [None] * len(rows)
    if column in table.column_names and pa.types.is_struct(table.schema.field(column).type):
        own = table.schema.field(column).type
        if own.get_field_index("path") >= 0:
            import pyarrow.compute as pc

            names = pc.struct_field(table.column(column), "path").to_pylist()

    often = Counter(names)

    def locate(place: int) -> Member:
        file, row = rows[place]
        own = str(names[place] or "")
        if own and often[names[place]] > 1:  # else nobody could tell which image is meant
            own = f"{own}, row {row + 1}"
        return kind(file, row, column, own)

    at = Members.of(map(locate, range(len(rows))))
    plain = tables.Arrow(features.named(table))
    caption = tables.caption_column(where, plain.names, options)
    return Source(name, where, plain, at.__getitem__, caption=caption, at=at)
