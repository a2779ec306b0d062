"""``prepare``: which images lack answers, who computes them, and where the answers go.

Into the store; or, with ``--shard i/n --to DIR``, into parts that ``store merge`` takes in later,
so that machines which share nothing but a folder can divide the work. Everything is a stream: the
listing is gone through block by block, and answers are written as they come.
"""

import os
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from visdiff_local.errors import InputError, UnreadableImageError, UsageError
from visdiff_local.execution.tasks import units
from visdiff_local.images import shown
from visdiff_local.images.listing import hex_of
from visdiff_local.images.reading import LOOKED_UP
from visdiff_local.store import Store, merge, parts
from visdiff_local.store.disk import private_folder
from visdiff_local.store.keys import keys
from visdiff_local.store.parts import FAILED, UNREADABLE, Answered, Recipe
from visdiff_local.types import ImageRef, Stamp

ROWS_A_PART = 16_384
SECONDS_A_PART = 300.0
"""A part is closed after so much time or so many rows: what a shard that is killed computes again
at most."""
_NAMED = 20

Units = Iterable[list[ImageRef]]
Answer = Callable[[Units], Iterator[list[Answered]]]
"""How units are answered: one after another here, or on a cluster in any order."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` parts of a listing; ``number`` counts from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Of ``i/n``; raises :class:`UsageError`."""
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count:
            raise UsageError(
                f"--shard {text}: give it as i/n with i from 1 to n, such as --shard 3/8"
            )
        return cls(number, count)

    def of(self, refs: Sequence[ImageRef]) -> Sequence[ImageRef]:
        """The shard's images: neighbours in the listing, so that an archive is read by few."""
        first, last = (len(refs) * i // self.count for i in (self.number - 1, self.number))
        return refs[first:last]


@dataclass
class Prepared:
    """What a ``prepare`` did."""

    images: int = 0
    computed: int = 0
    from_store: int = 0
    """Images that nothing was lacking of."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Of the computed ones, by what became of them."""
    problems: list[str] = field(default_factory=list)
    """The first images that have no answer, and why."""
    seconds: float = 0.0

    def add(self, rows: Sequence[Answered]) -> None:
        self.computed += len(rows)
        self.statuses.update(row.status for row in rows)
        lacking = [f"{row.name}: {row.reason}" for row in rows if row.reason]
        self.problems += lacking[: _NAMED - len(self.problems)]


class Sink(Protocol):
    """Where answers go, and what is there already."""

    def lacking(self, refs: Sequence[ImageRef]) -> list[ImageRef]:
        """Those of the images that have no complete answers here."""
        ...

    def take(self, rows: Sequence[Answered]) -> None:
        """Keeps the rows; they are on the disk when this returns, or soon after."""
        ...

    def close(self) -> None:
        """Writes what was held back."""
        ...


def prepare(
    refs: Sequence[ImageRef],
    sink: Sink,
    answer: Answer,
    tell: Callable[[int, int], None] = lambda done, stored: None,
) -> Prepared:
    """Answers what is lacking, and keeps every answer as it comes.

    Args:
        tell: told how many further images were computed, and how many were there.

    Raises:
        InputError: not one image can be read.
    """
    began, done = time.monotonic(), Prepared(images=len(refs))

    def pending() -> Iterator[list[ImageRef]]:
        for first in range(0, len(refs), LOOKED_UP):
            block = refs[first : first + LOOKED_UP]
            wanted = sink.lacking(block)
            done.from_store += len(block) - len(wanted)
            tell(0, len(block) - len(wanted))
            yield from units(wanted)

    with closing(sink):
        for rows in answer(pending()):
            sink.take(rows)
            done.add(rows)
            tell(len(rows), 0)
    done.seconds = time.monotonic() - began
    unusable = done.statuses[UNREADABLE] + done.statuses[FAILED]
    if unusable and unusable == done.images:
        raise InputError(f"none of the images can be used ({'; '.join(done.problems[:5])})")
    return done


class StoreSink:
    """Answers go into the store of this machine."""

    def __init__(self, store: Store, recipe: Recipe) -> None:
        self._store = store
        self._recipe = recipe

    def lacking(self, refs: Sequence[ImageRef]) -> list[ImageRef]:
        recipe, stamps = self._recipe, [_stamp(ref) for ref in refs]
        asked = [stamp for stamp in stamps if stamp is not None]
        known = self._store.files.recall(asked, recipe.measured)
        of = dict(zip([asked[i] for i in known.at.tolist()], hex_of(known.ids), strict=True))
        ids = ["" if stamp is None else of.get(stamp, "") for stamp in stamps]
        there = sorted({id_ for id_ in ids if id_})
        complete = dict(zip(there, self._complete(there).tolist(), strict=True))
        return [ref for ref, id_ in zip(refs, ids, strict=True) if not complete.get(id_, False)]

    def take(self, rows: Sequence[Answered]) -> None:
        merge.put(self._store, rows, self._recipe)

    def close(self) -> None: ...

    def _complete(self, ids: Sequence[str]) -> np.typing.NDArray[np.bool_]:
        recipe, has = self._recipe, np.ones(len(ids), np.bool_)
        if recipe.embedder:
            dimension = self._store.dimension(recipe.embedder)
            if dimension is None:
                return np.zeros(len(ids), np.bool_)
            has &= self._store.vectors(recipe.embedder, dimension).known(ids)
        if recipe.captioner:
            names = keys("caption", ids, model=recipe.captioner, prompt=recipe.caption_prompt)
            has &= self._has("caption", names)
        for question in recipe.questions:
            has &= self._has("p_yes", keys("p_yes", ids, model=recipe.vlm, prompt=question))
        return has

    def _has(self, task: str, names: Sequence[str]) -> np.typing.NDArray[np.bool_]:
        known = self._store.records.get_many(task, names)
        return np.array([name in known for name in names], np.bool_)


class PartSink:
    """Answers go into parts of one shard in a folder.

    Raises:
        InputError: the folder has parts of another recipe.
    """

    def __init__(self, folder: Path, shard: Shard, recipe: Recipe) -> None:
        self._folder, self._recipe = folder, recipe
        self._stem = f"part-{shard.number:05}-of-{shard.count:05}"
        self._held: list[Answered] = []
        self._since = time.monotonic()
        self._done: set[Stamp] = set()
        private_folder(folder)
        there = sorted(folder.glob("*.parquet"))
        if there and merge.checked(there).fingerprint != recipe.fingerprint:
            raise InputError(
                f"{shown(folder)} holds parts of another fingerprint (other models, prompts or "
                "options); name another folder with --to, or delete those parts"
            )
        for path in there:
            self._recall(path)

    def lacking(self, refs: Sequence[ImageRef]) -> list[ImageRef]:
        stamps = [_stamp(ref) for ref in refs]
        return [
            ref
            for ref, stamp in zip(refs, stamps, strict=True)
            if stamp is None or stamp not in self._done
        ]

    def take(self, rows: Sequence[Answered]) -> None:
        self._held += rows
        late = time.monotonic() - self._since > SECONDS_A_PART
        if late or len(self._held) >= ROWS_A_PART:
            self.close()

    def close(self) -> None:
        if self._held:
            path = self._folder / f"{self._stem}-{uuid.uuid4().hex[:12]}.parquet"
            parts.write(path, [parts.as_table(self._held, self._recipe)], self._recipe)
        self._held, self._since = [], time.monotonic()

    def _recall(self, path: Path) -> None:
        """What this part has an answer for; a model's failure is tried again."""
        wanted = ["source", "size", "mtime_ns", "status"]
        for table in parts.batches(path, wanted):
            columns = (table.column(name).to_pylist() for name in wanted)
            for source, size, mtime_ns, status in zip(*columns, strict=True):
                if source is not None and status not in (FAILED, UNREADABLE):
                    self._done.add(Stamp(os.fsdecode(source), size, mtime_ns))


def _stamp(ref: ImageRef) -> Stamp | None:
    """None where it is not there, which its row will say."""
    try:
        return ref.at.stamp()
    except UnreadableImageError:
        return None
