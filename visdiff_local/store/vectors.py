"""Embeddings in half precision: FAISS shards on disk, memory-mapped, found by content id.

A model (by its fingerprint) has one folder. Each batch is a new shard (:mod:`shards`), written
whole or not at all. So a killed process loses at most the batch in flight, and several processes
append without waiting for each other. Small shards are merged into larger ones as they accumulate,
block by block.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from visdiff_local.images.listing import hex_of
from visdiff_local.store.disk import cannot, locked
from visdiff_local.store.shards import (
    BLOCK,
    DamagedShardError,
    FloatArray,
    HalfArray,
    Ids,
    Shard,
    as_slice,
    labels_of,
    raw_ids,
    remove_shard,
    write_shard,
)

Result = TypeVar("Result")

MERGE_AT = 8
"""Shards of like size that are merged into one; each vector is rewritten log₈(n) times in all."""
_ROWS_AT_ONCE = 256
"""Rows that are converted together: few enough to stay in the processor's cache."""


def rounded(vectors: npt.ArrayLike) -> FloatArray:
    """Rows through half precision and back to float32, of unit length again.

    What was just computed and what comes from the store pass through here alike, so they are equal
    to the last bit. Row by row: the result does not depend on the batch.
    """
    halves = np.asarray(vectors, dtype=np.float16)
    return _widened(halves, np.empty(halves.shape, np.float32))


def _widened(halves: HalfArray, out: FloatArray) -> FloatArray:
    """The rows in float32 and of unit length, written to ``out`` of the same shape."""
    # numpy converts halves one by one. Moved into their place, their bits are those of float32
    # numbers 2^112 times too small, subnormal ones too; infinities and NaN become 2^16 and more.
    bits = out.view(np.int32)
    bits[...] = halves.view(np.int16)
    bits <<= 13
    bits &= -0x70002000  # the copies of the sign are out of the exponent
    out *= np.float32(2.0**112)
    squares = np.einsum("ij,ij->i", out, out)
    if squares.max(initial=0) >= 2.0**32:
        out[...] = halves
        squares = np.einsum("ij,ij->i", out, out)
    out /= np.sqrt(squares)[:, None]
    return out


class VectorIndex:
    """The embeddings of one model. ``ids`` are content ids: sha256, 64 hex digits."""

    def __init__(
        self, folder: Path, fingerprint: str, dimension: int, report: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._dimension = dimension
        self._report = report
        self._recent: Shard | None = None
        self._shards: dict[Path, Shard] = {}

    def __len__(self) -> int:
        """Rows in all shards; an id that two processes added at once counts twice until merged."""
        return sum(shard.facts.count for shard in self._open())

    def get(self, ids: Sequence[str]) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Which ids are known, bool (n,), and their vectors, float32 (n, d); unknown rows are 0."""
        return self._without_damaged(lambda: self._get(ids))

    def known(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which ids have a vector, bool (n,); no row is read."""
        return self._without_damaged(lambda: self._known(ids))

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
            write_shard(self._folder, self._fingerprint, self._dimension, raw_ids(ids), [halves])
            self._without_damaged(self._merge_small)

    def matrix(self) -> tuple[tuple[str, ...], HalfArray]:
        """All ids, and their rows as float16 (n, d), mapped from one file and not copied.

        Rows are as stored: of unit length up to the rounding to half precision (about 1e-3).
        """
        ids, rows = self.mapped()
        return tuple(hex_of(ids)), rows

    def mapped(self) -> tuple[Ids, HalfArray]:
        """As :meth:`matrix`, with ids of 32 bytes each, which are mapped too."""
        self.compact()
        shards = self._without_damaged(lambda: [(s.ids, s.rows) for s in self._open()])
        if not shards:
            blank = np.zeros((0, self._dimension), dtype=np.float16)
            return raw_ids(()), blank
        return shards[0]

    def blocks(self) -> Iterator[tuple[Ids, HalfArray]]:
        """All ids and rows once, as stored, in parts of a few thousand that are mapped."""
        self.compact()
        for shard in self._without_damaged(self._open):
            everything = np.ones(shard.facts.count, dtype=bool)
            for number, rows in enumerate(shard.blocks(everything)):
                yield shard.ids[number * BLOCK : number * BLOCK + len(rows)], rows

    def compact(self) -> None:
        """Merges all shards into one. Waits for another process that does so."""
        if len(self._open()) > 1:
            with locked(self._folder / "merge.lock"):
                self._without_damaged(lambda: self._merge(self._open()))

    def nearest(self, vectors: FloatArray, k: int) -> list[list[tuple[str, float]]]:
        """For each row of ``vectors`` the k best (id, inner product), best first."""
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        best: list[dict[str, float]] = [{} for _ in queries]
        for shard, index in self._indexes():
            scores, labels = index.search(queries, min(k, shard.facts.count))
            for found, row_scores, row_labels in zip(best, scores, labels, strict=True):
                found.update(zip(shard.names(row_labels), row_scores.tolist(), strict=True))
        return [_sorted_by_score(found)[:k] for found in best]

    def within(self, vectors: FloatArray, threshold: float) -> list[list[tuple[str, float]]]:
        """For each row all (id, inner product) above the threshold, best first."""
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        best: list[dict[str, float]] = [{} for _ in queries]
        for shard, index in self._indexes():
            limits, scores, labels = index.range_search(queries, threshold)
            for number, found in enumerate(best):
                part = slice(int(limits[number]), int(limits[number + 1]))
                found.update(zip(shard.names(labels[part]), scores[part].tolist(), strict=True))
        return [_sorted_by_score(found) for found in best]

    def _get(self, ids: Sequence[str]) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        vectors = np.empty((len(ids), self._dimension), dtype=np.float32)
        raw = raw_ids(ids)
        labels, missing = labels_of(raw), np.arange(len(ids))
        # The shard that had the images before has the next ones, too, more often than not.
        for shard in sorted(self._open(), key=lambda shard: shard is not self._recent):
            here, row = shard.find(labels[missing], raw[missing])
            new, row, missing = missing[here], row[here], missing[~here]
            for start in range(0, len(new), _ROWS_AT_ONCE):
                part = slice(start, start + _ROWS_AT_ONCE)
                places, halves = as_slice(new[part]), shard.take(row[part])
                if isinstance(places, slice):
                    _widened(halves, vectors[places])
                else:
                    vectors[places] = rounded(halves)
            if not len(missing):
                self._recent = shard
                break
        vectors[missing] = 0
        found = np.ones(len(ids), dtype=bool)
        found[missing] = False
        return found, vectors

    def _known(self, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(ids), dtype=bool)
        raw = raw_ids(ids)
        labels = labels_of(raw)
        for shard in self._open():
            (missing,) = np.nonzero(~found)
            found[missing] = shard.find(labels[missing], raw[missing])[0]
        return found

    def _indexes(self) -> list[tuple[Shard, Any]]:
        """All sound shards with their FAISS indexes."""
        return self._without_damaged(lambda: [(shard, shard.index) for shard in self._open()])

    def _without_damaged(self, work: Callable[[], Result]) -> Result:
        """What ``work`` returns when it meets no damaged shard (any more)."""
        while True:
            try:
                return work()
            except DamagedShardError as damage:
                if damage.path.exists():  # else another process has merged it away
                    self._set_aside(damage.path, damage)

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
        """Writes the new shard before the old ones go; the lock is held. Rows are copied block by
        block, and none of them is held in memory."""
        if len(shards) < 2:
            return
        ids = np.concatenate([shard.ids for shard in shards])
        kept = _first_of_each(ids)
        cuts = np.cumsum([shard.facts.count for shard in shards])[:-1]
        blocks = (
            block
            for shard, keep in zip(shards, np.split(kept, cuts), strict=True)
            for block in shard.blocks(keep)
        )
        write_shard(
            self._folder,
            self._fingerprint,
            self._dimension,
            ids if kept.all() else ids[kept],
            blocks,
        )
        for shard in shards:
            remove_shard(shard)


def _first_of_each(ids: Ids) -> npt.NDArray[np.bool_]:
    """Bool (n,): false for an id that comes again. By their labels, which few share by chance."""
    labels = labels_of(ids)
    order = np.argsort(labels, kind="stable")
    keep = np.ones(len(ids), dtype=bool)
    (again,) = np.nonzero(labels[order[1:]] == labels[order[:-1]])
    suspects = np.unique(order[np.concatenate([again, again + 1])])
    seen: set[bytes] = set()
    for place in suspects.tolist():
        name = ids[place].tobytes()
        keep[place] = name not in seen
        seen.add(name)
    return keep


def _rows_of(shards: Sequence[Shard]) -> int:
    return sum(shard.facts.count for shard in shards)


def _sorted_by_score(found: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))
