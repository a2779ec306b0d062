"""Vectors and captions that others computed, taken into the store, and ours given away.

Taken from a Parquet table, from ``.npy`` with a list of images beside it, or from a folder as
clip-retrieval writes it (``img_emb/img_emb_0.npy`` with ``metadata/metadata_0.parquet``). An import
has a name and a fingerprint of its own, over all that was read, so that its vectors are never mixed
with computed ones nor with those of another import. Everything is a stream; no pickle is opened.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images import shown
from visdiff_local.images.locators import File
from visdiff_local.store import Store, ready_made
from visdiff_local.store.keys import keys
from visdiff_local.store.parts import reading
from visdiff_local.store.shards import HalfArray

ROWS_AT_ONCE = 8192
IDS = ("sha256", "image_sha256")
PATHS = ("path", "image_path", "file_name", "filename", "file", "name")
VECTORS = ("vector", "embedding", "image_embedding", "emb")
CAPTIONS = ("caption", "text")
_NAMED = 20
_HEX = set("0123456789abcdef")


@dataclass
class Imported:
    """What came in."""

    name: str
    fingerprint: str
    rows: int = 0
    vectors: int = 0
    captions: int = 0
    skipped: list[str] = field(default_factory=list)
    """The first rows that were left out, and why."""
    left_out: int = 0

    def skip(self, what: str, reason: str) -> None:
        self.left_out += 1
        if len(self.skipped) < _NAMED:
            self.skipped.append(f"{what}: {reason}")


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of a source."""

    table: Any
    """A pyarrow table of what is known of each image; None where only names are."""
    vectors: np.typing.NDArray[Any] | None
    """(n, d)."""
    folder: Path
    """What paths are relative to."""


def take_in(
    store: Store,
    source: Path,
    name: str,
    *,
    images: Path | None = None,
    tell: Callable[[int], None] = lambda count: None,
) -> Imported:
    """Imports vectors, captions or both.

    Rows are matched to images by a column ``sha256`` of their bytes; else by a path, relative to
    ``images`` or to the table, and the file is read to hash it.

    Raises:
        InputError: it is of no known layout, damaged, or holds neither vectors nor captions; or
            the name is taken by other content.
    """
    files = _files(source)
    fingerprint = _fingerprint(name, files)
    ready_made.register(store, name, fingerprint)
    done = Imported(name, fingerprint)
    for rows in _rows(source, files):
        _put(store, rows, images, done)
        tell(len(rows.table))
    if not done.vectors and not done.captions:
        why = f" ({'; '.join(done.skipped[:3])})" if done.skipped else ""
        raise InputError(
            f"{shown(source)}: no vector and no caption of an image came in{why}; a table wants "
            f"one of the columns {', '.join((*IDS, *PATHS))} and one of {', '.join(VECTORS)} or "
            f"{', '.join(CAPTIONS)}"
        )
    return done


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        found = sorted([*source.rglob("*.npy"), *source.rglob("*.parquet")])
    else:
        found = [source, *_beside(source)] if source.exists() else []
    if not found:
        raise InputError(
            f"{shown(source)}: nothing to import is there; give a .parquet, a .npy with a "
            ".parquet, .csv or .txt of the same name beside it, or a folder of clip-retrieval"
        )
    return found


def _fingerprint(name: str, files: Sequence[Path]) -> str:
    whole = hashlib.sha256(f"imported {name}".encode())
    for path in files:
        with path.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def _rows(source: Path, files: Sequence[Path]) -> Iterator[_Rows]:
    if source.is_dir():
        arrays = {
            _number(path): path for path in files if path.suffix == ".npy" and _of_images(path)
        }
        tables = {_number(path): path for path in files if path.suffix == ".parquet"}
        if arrays and arrays.keys() != tables.keys():
            raise InputError(
                f"{shown(source)}: {len(arrays)} img_emb_*.npy and {len(tables)} "
                "metadata_*.parquet do not go together"
            )
        for number, table in sorted(tables.items()):
            yield from _paired(arrays.get(number), table)
    elif source.suffix == ".npy":
        yield from _paired(source, files[1] if len(files) > 1 else None)
    else:
        yield from _paired(None, source)


def _paired(array: Path | None, table: Path | None) -> Iterator[_Rows]:
    if table is None:
        raise InputError(
            f"{shown(array or '')}: no list of its images is beside it; write one of the same name "
            "as .parquet, .csv (a column sha256 or path) or .txt (a line a row)"
        )
    whole = None if array is None else _opened(array)
    start = 0
    for part in _tables(table):
        vectors = None if whole is None else whole[start : start + len(part)]
        if vectors is not None and len(vectors) != len(part):
            raise InputError(f"{shown(array or '')} has fewer rows than {shown(table)}")
        start += len(part)
        yield _Rows(part, vectors, table.parent)
    if whole is not None and start != len(whole):
        raise InputError(f"{shown(array or '')} has {len(whole)} rows, {shown(table)} {start}")


def _opened(path: Path) -> np.typing.NDArray[Any]:
    with reading(path):
        whole = np.load(path, mmap_mode="r", allow_pickle=False)
    if whole.ndim != 2 or whole.dtype.kind != "f":
        raise InputError(
            f"{shown(path)}: an array of {whole.dtype} {whole.shape} holds no vectors; wanted are "
            "floating-point numbers, a row an image"
        )
    return np.asarray(whole)


def _tables(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv, parquet

    with reading(path):
        if path.suffix == ".parquet":
            with parquet.ParquetFile(os.fspath(path)) as file:
                for batch in file.iter_batches(ROWS_AT_ONCE):
                    yield pa.Table.from_batches([batch])
            return
        if path.suffix == ".txt":
            lines = path.read_text(encoding="utf-8").splitlines()
            column = "sha256" if all(map(_is_id, lines)) else "path"
            whole = pa.table({column: pa.array(lines, pa.string())})
        else:
            names = csv.open_csv(path).schema.names
            types = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
            whole = csv.read_csv(path, convert_options=types)
    for first in range(0, len(whole), ROWS_AT_ONCE):
        yield whole.slice(first, ROWS_AT_ONCE)


def _put(store: Store, rows: _Rows, images: Path | None, done: Imported) -> None:
    table = rows.table
    done.rows += len(table)
    vectors = rows.vectors if rows.vectors is not None else _vector_column(table)
    captions = _column(table, CAPTIONS) or [None] * len(table)
    ids = _ids(table, images or rows.folder, done)
    said = {
        id_: str(text).strip()
        for id_, text in zip(ids, captions, strict=True)
        if id_ and text is not None and str(text).strip()
    }
    names = keys("caption", said, model=done.fingerprint, prompt="")
    store.records.put_many("caption", dict(zip(names, said.values(), strict=True)))
    done.captions += len(said)
    if vectors is not None:
        _put_vectors(store, ids, vectors, done)


def _put_vectors(
    store: Store, ids: Sequence[str], vectors: np.typing.NDArray[Any], done: Imported
) -> None:
    lengths = np.linalg.norm(np.asarray(vectors, np.float64), axis=1)
    sound = np.isfinite(lengths) & (lengths > 0)
    for place in np.flatnonzero(~sound).tolist():
        done.skip(ids[place] or f"row {place + 1}", "its vector is no direction")
    first: dict[str, int] = {}
    for place in np.flatnonzero(sound).tolist():
        if ids[place]:
            first.setdefault(ids[place], place)
    if not first:
        return
    places = list(first.values())
    index = store.vectors(done.fingerprint, vectors.shape[1])
    unit: HalfArray = (vectors[places] / lengths[places, None]).astype(np.float16)
    new = ~index.known(list(first))
    index.add([id_ for id_, fresh in zip(first, new.tolist(), strict=True) if fresh], unit[new])
    done.vectors += len(first)


def _vector_column(table: Any) -> np.typing.NDArray[Any] | None:
    column = next((table.column(name) for name in VECTORS if name in table.column_names), None)
    if column is None:
        return None
    rows = column.to_pylist()
    width = max((len(row) for row in rows if row is not None), default=0)
    nothing = [np.nan] * width
    if any(row is not None and len(row) != width for row in rows):
        raise InputError("the vectors of one table are of different lengths")
    return np.array([nothing if row is None else row for row in rows], np.float64)


def _ids(table: Any, folder: Path, done: Imported) -> list[str]:
    """A content id a row; "" where there is none."""
    named = _column(table, IDS)
    if named is not None:
        found = [str(id_ or "").strip().lower() for id_ in named]
        for id_ in found:
            if not _is_id(id_):
                done.skip(id_ or "a row", "no sha256")
        return [id_ if _is_id(id_) else "" for id_ in found]
    paths = _column(table, PATHS)
    if paths is None:
        raise InputError(
            f"no column names the images: wanted is one of {', '.join((*IDS, *PATHS))}; there are: "
            f"{', '.join(table.column_names)}"
        )
    return [_hashed(folder / str(path), done) for path in paths]


def _hashed(path: Path, done: Imported) -> str:
    try:
        return hashlib.sha256(File(path).read()).hexdigest()
    except UnreadableImageError as error:
        done.skip(shown(path), error.reason)
        return ""


def _column(table: Any, names: Sequence[str]) -> list[Any] | None:
    there = next((name for name in names if name in table.column_names), None)
    return None if there is None else table.column(there).to_pylist()


def _is_id(text: str) -> bool:
    return len(text) == 64 and set(text) <= _HEX


def _number(path: Path) -> int:
    digits = path.stem.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0


def _of_images(path: Path) -> bool:
    return path.stem.startswith("img_emb") or "text" not in path.stem


def _beside(path: Path) -> list[Path]:
    if path.suffix != ".npy":
        return []
    near = [path.with_suffix(suffix) for suffix in (".parquet", ".csv", ".txt")]
    return [one for one in near if one.exists()][:1]
