"""Embeddings in half precision: FAISS shards on disk, memory-mapped, found by content id.

A model (by its fingerprint) has one folder. Each batch is a new shard of three files, each written
whole or not at all: the index, the ids of its rows, and last a small ``.json`` with sizes and
checksums; a shard is there when its ``.json`` is. So a killed process loses at most the batch in
flight, and several processes append without waiting for each other. Small shards are merged into
larger ones as they accumulate. FAISS is imported here only, and not before a vector is read or
written.
"""

import json
import math
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local.errors import MissingDependencyError
from visdiff_local.store.disk import cannot, checksum, locked, private_folder, write_atomically

FloatArray = npt.NDArray[np.float32]
HalfArray = npt.NDArray[np.float16]
LabelArray = npt.NDArray[np.int64]
Ids = npt.NDArray[np.void]

MERGE_AT = 8
"""Shards of like size that are merged into one; each vector is rewritten log₈(n) times in all."""
_ID_BYTES = 32
_ROWS_AT_ONCE = 65_536


def rounded(vectors: npt.ArrayLike) -> FloatArray:
    """Rows through half precision and back to float32, of unit length again.

    What was just computed and what comes from the store pass through here alike, so they are equal
    to the last bit. Row by row: the result does not depend on the batch.
    """
    whole = np.asarray(vectors, dtype=np.float16).astype(np.float32)
    length = np.sqrt(np.sum(np.square(whole, dtype=np.float64), axis=1, keepdims=True))
    return np.asarray(whole / length, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """A shard's ``.json``."""

    fingerprint: str
    dimension: int
    count: int
    index_crc: int
    ids_crc: int


class Shard:
    """One open shard; its rows are mapped from the file, and read when they are used."""

    def __init__(self, path: Path, dimension: int) -> None:
        """Raises OSError when a file is not there, ValueError or RuntimeError when damaged."""
        faiss = _faiss()
        self.path = path
        self.facts = ShardFacts(**json.loads(path.read_text(encoding="utf-8")))
        index_file, ids_file = path.with_suffix(".faiss"), path.with_suffix(".ids")
        if checksum(ids_file) != self.facts.ids_crc or checksum(index_file) != self.facts.index_crc:
            raise ValueError("the checksum is wrong")
        self.ids: Ids = np.fromfile(ids_file, dtype=f"V{_ID_BYTES}")
        self.index = faiss.read_index(str(index_file), faiss.IO_FLAG_MMAP_IFC)
        shape = (self.facts.count, dimension)
        if (self.index.ntotal, self.index.d) != shape or len(self.ids) != self.facts.count:
            raise ValueError("its parts do not fit together")
        self.rows: HalfArray = np.asarray(_Codes(self.index, shape))
        labels = _labels(self.ids)
        self._order = np.argsort(labels, kind="stable")
        self._sorted = labels[self._order]

    def find(self, labels: LabelArray, ids: Ids) -> tuple[npt.NDArray[np.bool_], LabelArray]:
        """Which ids are here, and in which row (where they are)."""
        place = np.searchsorted(self._sorted, labels).clip(max=len(self._sorted) - 1)
        row = self._order[place]
        return self.ids[row] == ids, row

    def names(self, labels: LabelArray) -> list[str]:
        """Content ids of FAISS's labels."""
        rows = self._order[np.searchsorted(self._sorted, labels)]
        return [id_.tobytes().hex() for id_ in self.ids[rows]]


class _Codes:
    """A FAISS index's codes as an array that keeps the index alive."""

    def __init__(self, index: Any, shape: tuple[int, int]) -> None:
        faiss = _faiss()
        self._index = index
        codes = faiss.downcast_index(index.index).codes
        bytes_ = faiss.rev_swig_ptr(codes.data(), codes.size())
        self.__array_interface__ = {
            **bytes_.view(np.float16).reshape(shape).__array_interface__,
            "data": (bytes_.__array_interface__["data"][0], True),  # read-only
        }


class VectorIndex:
    """The embeddings of one model. ``ids`` are content ids: sha256, 64 hex digits."""

    def __init__(
        self, folder: Path, fingerprint: str, dimension: int, report: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._dimension = dimension
        self._report = report
        self._shards: dict[Path, Shard] = {}

    def __len__(self) -> int:
        """Rows in all shards; an id that two processes added at once counts twice until merged."""
        return sum(shard.facts.count for shard in self._open())

    def get(self, ids: Sequence[str]) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Which ids are known, bool (n,), and their vectors, float32 (n, d); unknown rows are 0."""
        found = np.zeros(len(ids), dtype=bool)
        vectors = np.zeros((len(ids), self._dimension), dtype=np.float32)
        raw = _raw_ids(ids)
        labels = _labels(raw)
        for shard in self._open():
            here, row = shard.find(labels, raw)
            new = here & ~found
            vectors[new] = rounded(shard.rows[row[new]])
            found |= new
        return found, vectors

    def add(self, ids: Sequence[str], vectors: npt.ArrayLike) -> None:
        """Appends rows, float (n, d), unit length; when this returns they are on the disk.

        Raises:
            StoreError: they cannot be written.
            ValueError: a row is not finite or has another dimension.
        """
        halves = np.asarray(vectors, dtype=np.float16)
        if halves.shape != (len(ids), self._dimension):
            raise ValueError(f"{halves.shape} is not ({len(ids)}, {self._dimension})")
        if not np.isfinite(halves).all():
            raise ValueError("a vector is not finite")
        if len(ids):
            self._write(_raw_ids(ids), [halves])
            self._merge_small()

    def matrix(self) -> tuple[tuple[str, ...], HalfArray]:
        """All ids, and their rows as float16 (n, d), mapped from one file and not copied.

        Rows are as stored: of unit length up to the rounding to half precision (about 1e-3).
        """
        self.compact()
        shards = self._open()
        if not shards:
            return (), np.zeros((0, self._dimension), dtype=np.float16)
        return tuple(id_.tobytes().hex() for id_ in shards[0].ids), shards[0].rows

    def compact(self) -> None:
        """Merges all shards into one. Waits for another process that does so."""
        if len(self._open()) > 1:
            with locked(self._folder / "merge.lock"):
                self._merge(self._open())

    def nearest(self, vectors: FloatArray, k: int) -> list[list[tuple[str, float]]]:
        """For each row of ``vectors`` the k best (id, inner product), best first."""
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        best: list[dict[str, float]] = [{} for _ in queries]
        for shard in self._open():
            scores, labels = shard.index.search(queries, min(k, shard.facts.count))
            for found, row_scores, row_labels in zip(best, scores, labels, strict=True):
                found.update(zip(shard.names(row_labels), row_scores.tolist(), strict=True))
        return [_sorted_by_score(found)[:k] for found in best]

    def within(self, vectors: FloatArray, threshold: float) -> list[list[tuple[str, float]]]:
        """For each row all (id, inner product) above the threshold, best first."""
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        best: list[dict[str, float]] = [{} for _ in queries]
        for shard in self._open():
            limits, scores, labels = shard.index.range_search(queries, threshold)
            for number, found in enumerate(best):
                part = slice(int(limits[number]), int(limits[number + 1]))
                found.update(zip(shard.names(labels[part]), scores[part].tolist(), strict=True))
        return [_sorted_by_score(found) for found in best]

    def _open(self) -> list[Shard]:
        """All sound shards, those of other processes too; opens what is new."""
        complete = False
        while not complete:
            listed = sorted(self._folder.glob("*.json"))
            complete = all([self._open_one(path) for path in listed])  # noqa: C419 (try them all)
        self._shards = {path: self._shards[path] for path in listed}
        return list(self._shards.values())

    def _open_one(self, path: Path) -> bool:
        """False: the shard is not there (any more), and the folder must be listed again."""
        if path in self._shards:
            return True
        try:
            self._shards[path] = Shard(path, self._dimension)
        except PermissionError as error:
            raise cannot(path, error.strerror, "read") from error
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            # Where the .json is gone too, another process has merged the shard into one that is
            # listed next time; else it is damaged.
            if path.exists():
                self._set_aside(path, error)
            return False
        return True

    def _set_aside(self, path: Path, error: Exception) -> None:
        try:
            path.replace(path.with_suffix(".damaged"))
        except OSError as refused:
            raise cannot(path, refused.strerror, "repaired") from refused
        reason = " ".join(str(error).split())[:120]
        self._report(
            f"{path.with_suffix('.faiss')} is damaged ({reason}); its vectors are computed again"
        )

    def _write(self, ids: Ids, blocks: Sequence[HalfArray]) -> Path:
        """A new shard; ``blocks`` are its rows, part after part."""
        faiss = _faiss()
        private_folder(self._folder)
        plain = faiss.IndexScalarQuantizer(
            self._dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        index = faiss.IndexIDMap2(plain)
        labels, start = _labels(ids), 0
        for block in blocks:
            for first in range(0, len(block), _ROWS_AT_ONCE):
                part = block[first : first + _ROWS_AT_ONCE].astype(np.float32)
                index.add_with_ids(part, labels[start : start + len(part)])
                start += len(part)
        path = self._folder / f"{uuid.uuid4().hex}.json"
        index_file, ids_file = path.with_suffix(".faiss"), path.with_suffix(".ids")
        write_atomically(index_file, lambda file: faiss.write_index(index, str(file)))
        write_atomically(ids_file, ids.tofile)
        crcs = checksum(index_file), checksum(ids_file)
        facts = ShardFacts(self._fingerprint, self._dimension, len(ids), *crcs)
        text = json.dumps(asdict(facts))
        write_atomically(path, lambda file: _write_text(file, text))
        return path

    def _merge_small(self) -> None:
        """Merges shards of like size where enough of them have come together."""
        tiers: dict[int, list[Shard]] = defaultdict(list)
        for shard in self._open():
            tiers[int(math.log(shard.facts.count, MERGE_AT))].append(shard)
        crowded = [shards for shards in tiers.values() if len(shards) >= MERGE_AT]
        if crowded:
            with locked(self._folder / "merge.lock", wait=False) as mine:
                if mine:
                    there = {shard.path: shard for shard in self._open()}
                    self._merge([s for s in min(crowded, key=_rows_of) if s.path in there])

    def _merge(self, shards: Sequence[Shard]) -> None:
        """Writes the new shard before the old ones go; the lock is held."""
        if len(shards) < 2:
            return
        ids = np.concatenate([shard.ids for shard in shards])
        _, first = np.unique(ids.view(f"S{_ID_BYTES}"), return_index=True)
        keep = np.zeros(len(ids), dtype=bool)
        keep[first] = True
        cuts = np.cumsum([shard.facts.count for shard in shards])[:-1]
        kept = np.split(keep, cuts)
        blocks = [s.rows if k.all() else s.rows[k] for s, k in zip(shards, kept, strict=True)]
        self._write(ids[keep], blocks)
        for shard in shards:
            for suffix in (".json", ".faiss", ".ids"):
                shard.path.with_suffix(suffix).unlink(missing_ok=True)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingDependencyError(
            "embeddings need FAISS: pip install faiss-gpu (Linux x86-64), else faiss-cpu"
        ) from error
    return faiss


def _raw_ids(ids: Sequence[str]) -> Ids:
    return np.frombuffer(bytes.fromhex("".join(ids)), dtype=f"V{_ID_BYTES}")


def _labels(ids: Ids) -> LabelArray:
    """FAISS labels: the first 63 bits of the content id, so that a shard tells what it holds."""
    first = ids.view(">u8").reshape(-1, _ID_BYTES // 8)[:, 0]
    return (first >> np.uint64(1)).astype(np.int64)


def _rows_of(shards: Sequence[Shard]) -> int:
    return sum(shard.facts.count for shard in shards)


def _sorted_by_score(found: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
