"""A run's images in memory, column by column: sorted and filtered in milliseconds at 100,000."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local.protocols import FloatArray
from visdiff_local.results import comparison as stored
from visdiff_local.results import labels, notes, serialize
from visdiff_local.results.notes import Notes
from visdiff_local.results.scores import FACTS, Images
from visdiff_local.types import RunResult
from visdiff_local.types.comparison import ComparisonResult

Order = npt.NDArray[np.int64]
_KEPT = 32
"""Orders that are remembered; one of 100,000 images takes 0.8 MB."""
_SEARCHED = ("name", "caption")
_FILTERED = ("half", "cluster", "stratum")


@dataclass(frozen=True, slots=True)
class Query:
    """Which images are shown, in which order."""

    sort: str = ""
    """A column of numbers; the order of the run where it is empty."""
    descending: bool = True
    group: str = ""
    half: str = ""
    cluster: str = ""
    stratum: str = ""
    tag: str = ""
    words: str = ""
    """In the name or the caption."""
    low: float | None = None
    high: float | None = None
    """Of the column that is sorted by."""


@dataclass
class Gallery:
    """The run folder, opened; numbers are read when they are first sorted by."""

    run_dir: Path
    images: Images
    result: RunResult | None
    comparison: ComparisonResult | None
    """Where the folder is that of a comparison of several groups."""
    facts: Mapping[str, Any]
    """The columns of facts as pyarrow arrays: they take a third of what Python's strings do."""
    groups: tuple[str, ...]
    of_group: npt.NDArray[np.int32]
    """(N,) the place of each image's set in ``groups``."""
    clusters: tuple[str, ...]
    strata: tuple[str, ...]
    notes: Notes
    own: "OrderedDict[str, FloatArray]" = field(default_factory=OrderedDict)
    """Scores of the reader's own texts, by text."""
    _numbers: dict[str, FloatArray] = field(default_factory=dict)
    _orders: "OrderedDict[tuple[Query, int], Order]" = field(default_factory=OrderedDict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _changes: int = 0

    @classmethod
    def open(cls, run_dir: Path) -> "Gallery":
        """Raises :class:`InputError` where the folder has no table of images."""
        images = Images.open(run_dir)
        table = images.read(FACTS).combine_chunks()
        facts = {name: table.column(name).combine_chunks() for name in FACTS}
        groups, of_group = _coded(facts["set"])
        clusters, strata = (_coded(facts[name])[0] for name in ("cluster", "stratum"))
        there = (run_dir / "run.json").exists()
        result = labels.with_labels(serialize.load(run_dir), run_dir) if there else None
        known = notes.load(run_dir)
        comparison = stored.load(run_dir) if stored.is_there(run_dir) else None
        coded = (groups, of_group, clusters, strata)
        return cls(run_dir, images, result, comparison, facts, *coded, known)

    @property
    def texts(self) -> tuple[str, ...]:
        """Tested texts, then the reader's own."""
        return tuple(dict.fromkeys((*(t.text for t in self.images.texts), *self.own)))

    @property
    def rows(self) -> int:
        return self.images.rows

    @property
    def config(self) -> Mapping[str, Any]:
        """The options of the run, or of the comparison; none where nothing says them."""
        if self.result is not None:
            return self.result.run.config
        return {} if self.comparison is None else self.comparison.config

    def codes(self, column: str) -> npt.NDArray[np.int32]:
        """Int32 (N,) of a column of facts: equal numbers for equal values, −1 for none."""
        return _coded(self.facts[column])[1]

    def numbers(self, column: str) -> FloatArray:
        """Float32 (N,) of a text or an attribute; NaN where there is none."""
        with self._lock:
            if column in self.own:
                return self.own[column]
            if column not in self._numbers:
                by_text = {t.text: t.column for t in self.images.texts}
                self._numbers[column] = self.images.numbers(by_text.get(column, column))
            return self._numbers[column]

    def add(self, text: str, scores: FloatArray) -> None:
        """The reader's own text, with its scores."""
        with self._lock:
            self.own[text] = scores
            self._changes += 1

    def change(self, changed: Notes) -> None:
        """Keeps what was added by hand, here and in the run folder."""
        with self._lock:
            notes.save(self.run_dir, changed)
            self.notes = changed
            self._changes += 1

    def order(self, query: Query) -> Order:
        """Rows that the query shows, in its order."""
        with self._lock:
            key = (query, self._changes)
            if key not in self._orders:
                self._orders[key] = self._ordered(query)
                while len(self._orders) > _KEPT:
                    self._orders.popitem(last=False)
            return self._orders[key]

    def page(self, rows: Sequence[int], sort: str) -> list[dict[str, Any]]:
        """What the gallery shows of these rows."""
        import pyarrow as pa

        places = pa.array([int(r) for r in rows], pa.int64())
        columns = {
            name: self.facts[name].take(places).to_pylist() for name in ("id", "name", "set")
        }
        values = self.numbers(sort) if sort else None
        return [
            {
                "row": int(row),
                "id": identity,
                "name": name,
                "set": group,
                "score": None if values is None or np.isnan(values[row]) else float(values[row]),
                "tags": list(self.notes.tags.get(identity or "", ())),
            }
            for row, identity, name, group in zip(
                rows, columns["id"], columns["name"], columns["set"], strict=True
            )
        ]

    def fact(self, row: int, name: str) -> Any:
        """One cell."""
        return self.facts[name][row].as_py()

    def ids(self, rows: Sequence[int]) -> list[str]:
        """The ids of these rows, without those that have none."""
        found = (self.fact(row, "id") for row in rows)
        return [identity for identity in found if identity]

    def _ordered(self, query: Query) -> Order:
        keep = np.ones(self.rows, dtype=np.bool_)
        if query.group:
            keep &= self.of_group == self.groups.index(query.group)
        for name in _FILTERED:
            if wanted := getattr(query, name):
                keep &= _equal(self.facts[name], wanted)
        if query.tag:
            tagged = {i for i, tags in self.notes.tags.items() if query.tag in tags}
            keep &= _among(self.facts["id"], tagged)
        if query.words.strip():
            keep &= np.logical_or.reduce([_has(self.facts[n], query.words) for n in _SEARCHED])
        if not query.sort:
            return np.flatnonzero(keep).astype(np.int64)
        values = self.numbers(query.sort)
        keep &= ~np.isnan(values)
        if query.low is not None:
            keep &= values >= np.float32(query.low)
        if query.high is not None:
            keep &= values <= np.float32(query.high)
        rows = np.flatnonzero(keep).astype(np.int64)
        facing = -values[rows] if query.descending else values[rows]
        return rows[np.argsort(facing, kind="stable")]


def shown(group: str) -> str:
    """The name of a set as the page has it: A and B, other names as they are."""
    return group.upper() if len(group) == 1 else group


def _coded(column: Any) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """The distinct values in the order they come, and the place of each row's in them; -1: none."""
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return tuple(encoded.dictionary.to_pylist()), codes.astype(np.int32)


def _equal(column: Any, wanted: str) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    return _plain(pc.equal(column, wanted))


def _among(column: Any, wanted: set[str]) -> npt.NDArray[np.bool_]:
    import pyarrow as pa
    import pyarrow.compute as pc

    return _plain(pc.is_in(column, value_set=pa.array(sorted(wanted), pa.string())))


def _has(column: Any, words: str) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    return _plain(pc.match_substring(column, words.strip(), ignore_case=True))


def _plain(mask: Any) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = mask.fill_null(False).to_numpy(zero_copy_only=False)
    return found
