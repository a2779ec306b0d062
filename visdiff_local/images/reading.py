"""Reading a set: each file once, for its hash, its pixels and its measurements together.

What was read is remembered by name, size and modification time, so that a warm run opens no image.
Accepted for that speed: a file that is rewritten with the same size within one tick of the file
system's clock looks unchanged (``verify=True`` reads all files again).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import numpy as np
from PIL import Image

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images.decoders.decode import is_video, picture
from visdiff_local.images.decoders.parts import content_id
from visdiff_local.images.decoders.window import Chosen, choose
from visdiff_local.images.facts import FactColumns, Facts, Known
from visdiff_local.images.listing import Listing, ranks
from visdiff_local.images.located import Located
from visdiff_local.images.sources.open import ImageSet
from visdiff_local.system.threads import ahead
from visdiff_local.types import Locator, Skipped, Stamp, Window

_REMEMBER_EVERY = 256
"""Files between two writes: what an interrupted run loses at most."""
LOOKED_UP = 8192
"""Files that the memory is asked about together, by all who ask: it may keep the answer."""
_NAMED_REASONS = 5


class Measured(Protocol):
    """What a measuring function gives for one image."""

    @property
    def values(self) -> Sequence[float]: ...

    @property
    def phash(self) -> int: ...


Measure = Callable[[Image.Image, bytes], Measured]


class FileMemory(Protocol):
    """Remembers what was read; the store is one. ``version`` names the measuring function."""

    def recall(self, stamps: Sequence[Stamp], version: str) -> Known:
        """What is known, by index among the stamps."""
        ...

    def remember(self, items: Sequence[tuple[Stamp, str, Facts]], version: str) -> None: ...


@dataclass(frozen=True, slots=True)
class ReadSet:
    """A set whose images all have ids, each id once, with the facts of each, in their order."""

    images: ImageSet
    facts: FactColumns
    read: int
    """Files whose bytes were read; 0 in a warm run."""
    window: Chosen | None = None
    """Through which deep pixels are seen; the same for all sets that were read together."""


def read_set(source: ImageSet, **options: Any) -> ReadSet:
    """One set by itself; see :func:`read_sets`."""
    return read_sets([source], **options)[0]


def read_sets(
    sources: Sequence[ImageSet],
    *,
    measure: Measure,
    version: str,
    memory: FileMemory | None = None,
    verify: bool = False,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
    window: str = "auto",
) -> list[ReadSet]:
    """Reads, hashes, decodes and measures the images of sets, in threads, one read a file.

    Files that cannot be used go to ``skipped`` with the reason; so do files whose bytes are those
    of another file of the set, which count once. Images of more than 8 bits are read twice, the
    first time to find the one window through which those of all the sets are seen.

    Args:
        version: changes when ``measure`` gives other values; old ones are then not recalled.
        verify: read every file, whatever is remembered.
        progress: told how many further files are done.
        window: ``auto``, ``tags`` or ``LO,HI``; see :mod:`.decoders.window`.

    Raises:
        InputError: no image is left in a set; the message holds the first reasons.
        UsageError: ``tags``, and no file has any.
    """
    reader = _Reader(measure, memory, verify, workers)
    tell = progress or (lambda count: None)
    skipped = [list(source.skipped) for source in sources]
    known = [
        reader.known(source.listing.at, version, lost, tell)
        for source, lost in zip(sources, skipped, strict=True)
    ]
    deep = [levels for one in known for levels in one.facts.deep.values()]
    chosen = choose(deep, window)
    found = []
    for source, one, lost in zip(sources, known, skipped, strict=True):
        if chosen is not None:
            one = reader.seen_through(source.listing.at, one, chosen.window, version, lost)
        found.append(_assembled(source, one, lost, chosen, reader.read))
        reader.read = 0
    return found


def _assembled(
    source: ImageSet, known: Known, skipped: list[Skipped], chosen: Chosen | None, read: int
) -> ReadSet:
    known = _each_once(source.listing, known, skipped)
    if not len(known.at):
        raise InputError(_nothing_left(source.name, skipped))
    kept = source.keeping(known.at)
    images = replace(kept.listing, ids=known.ids)
    if chosen is not None and known.facts.deep:
        deep = np.zeros(len(known.at), np.bool_)
        deep[list(known.facts.deep)] = True
        images = replace(images, window=chosen.window, deep=deep)
    columns = {**known.facts.tags, **kept.columns}  # a table's own go before
    kept = replace(kept, images=images, skipped=tuple(skipped), columns=columns)
    return ReadSet(kept, known.facts, read, chosen)


@dataclass
class _Reader:
    """How images are read: by whom measured, where remembered, by how many threads."""

    measure: Measure
    memory: FileMemory | None = None
    verify: bool = False
    workers: int | None = None
    read: int = 0
    _hashes: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def known(
        self,
        at: Located,
        version: str,
        skipped: list[Skipped],
        tell: Callable[[int], None],
        window: Window | None = None,
    ) -> Known:
        """Ids and facts of the images that are there, from memory or by reading them; so many at a
        time that little of them is ever held but in columns."""
        parts: list[Known] = []
        for start in range(0, len(at), LOOKED_UP):
            stamps = at.stamps(start, min(start + LOOKED_UP, len(at)))
            there = [i for i, stamp in enumerate(stamps) if isinstance(stamp, Stamp)]
            for index, error in enumerate(stamps, start):
                if isinstance(error, UnreadableImageError):
                    skipped.append(Skipped(at[index].name, error.reason))
            tell(len(stamps) - len(there))
            stamped = [cast(Stamp, stamps[i]) for i in there]
            found = self._recalled(stamped, version)
            tell(len(found.at))
            place = np.array(there, np.int64) + start
            if len(found.at):
                parts.append(replace(found, at=place[found.at]))
            if len(found.at) < len(stamped):
                rest = np.setdiff1d(np.arange(len(stamped)), found.at)
                unread = {int(place[i]): stamped[i] for i in rest.tolist()}
                parts += self._read(at, unread, version, window, skipped, tell)
        return Known.joined(parts)

    def seen_through(
        self, at: Located, known: Known, window: Window, version: str, skipped: list[Skipped]
    ) -> Known:
        """The deep images among those that are known are measured through the window."""
        deep = np.array(sorted(known.facts.deep), np.int64)
        if not len(deep):
            return known
        named = f"{version};window={window.text}"
        seen = self.known(at.take(known.at[deep]), named, skipped, lambda _: None, window)
        seen = replace(seen, at=known.at[deep][seen.at])
        plain = known.take(np.setdiff1d(np.arange(len(known.at)), deep))
        return Known.joined([plain, seen])

    def _recalled(self, stamps: Sequence[Stamp], version: str) -> Known:
        if self.memory is None or self.verify:
            return Known.of(())
        return self.memory.recall(stamps, version)

    def _read(
        self,
        at: Located,
        unread: Mapping[int, Stamp],
        version: str,
        window: Window | None,
        skipped: list[Skipped],
        tell: Callable[[int], None],
    ) -> list[Known]:
        """What was read; what could not be goes to ``skipped``."""
        listed: dict[Locator, list[int]] = {}
        for index in unread:
            listed.setdefault(at[index], []).append(index)
        self.read += len(listed)

        def work(one: Locator) -> tuple[str, Facts] | UnreadableImageError:
            try:
                return self.one(one, unread[listed[one][0]], window)
            except UnreadableImageError as error:
                return error
            except MemoryError:
                return UnreadableImageError("there is not enough memory for it")

        parts: list[Known] = []
        batch: list[tuple[int, str, Facts]] = []
        for one, result in ahead(work, listed, workers=self.workers):
            indices = listed[one]
            tell(len(indices))
            if isinstance(result, UnreadableImageError):
                skipped += [Skipped(one.name, result.reason)] * len(indices)
                continue
            batch += [(index, *result) for index in indices]
            if len(batch) >= _REMEMBER_EVERY:
                parts.append(self._remember(batch, unread, version))
                batch = []
        if batch:
            parts.append(self._remember(batch, unread, version))
        return parts

    def _remember(
        self, batch: list[tuple[int, str, Facts]], stamps: Mapping[int, Stamp], version: str
    ) -> Known:
        if self.memory is not None:
            self.memory.remember([(stamps[i], id_, facts) for i, id_, facts in batch], version)
        return Known.of(batch)

    def one(self, at: Locator, stamp: Stamp, window: Window | None) -> tuple[str, Facts]:
        raw = b"" if is_video(at) else at.read()
        digest = self._video_hash(at, stamp) if is_video(at) else hashlib.sha256(raw).hexdigest()
        found = picture(at, raw=raw, window=window)
        values: tuple[float, ...] = ()
        phash = 0
        if found.levels is None or window is not None:
            measured = self.measure(found.image, raw)
            values = tuple(float(value) for value in measured.values)
            phash = int(measured.phash)
        width, height = found.image.size
        facts = Facts(
            width,
            height,
            found.format,
            phash,
            values,
            frames=found.frames,
            bands=found.bands,
            levels=found.levels,
            tags=found.tags,
        )
        return content_id(digest, at.part), facts

    def _video_hash(self, at: Locator, stamp: Stamp) -> str:
        """Of the whole video, once for all of its frames."""
        key = (stamp.path.removesuffix(f"#{at.part}"), stamp.size, stamp.mtime_ns)
        if key not in self._hashes:
            with at.open() as stream:
                self._hashes[key] = hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()
        return self._hashes[key]


def shared_ids(a: ImageSet, b: ImageSet) -> tuple[str, ...]:
    """Ids of images whose bytes are in both sets, sorted. They stay in both."""
    one, other = ranks(a.images, b.images)
    both = np.flatnonzero(np.isin(one, other))
    return tuple(sorted(a.images[int(index)].id for index in both))


def read_image(at: Locator, measure: Measure) -> tuple[str, Facts]:
    """Content id and facts of one image; raises :class:`UnreadableImageError`.

    Nothing is measured on deep pixels, which wait for the window of a run.
    """
    return _Reader(measure).one(at, at.stamp(), None)


def _each_once(images: Listing, known: Known, skipped: list[Skipped]) -> Known:
    """Each id once, the first time that it comes; the others are listed as skipped."""
    (rank,) = ranks(Listing(images.at.take(known.at), known.ids))
    _, first, of = np.unique(rank, return_index=True, return_inverse=True)
    original = first[of]
    again = np.flatnonzero(original != np.arange(len(rank)))
    for index in again.tolist():
        one, same = (images.at[int(known.at[i])] for i in (index, original[index]))
        why = "listed twice" if one == same else f"the same bytes as {same.name}"
        skipped.append(Skipped(one.name, why))
    return known.take(np.sort(first)) if len(again) else known


def _nothing_left(name: str, skipped: Sequence[Skipped]) -> str:
    reasons = "; ".join(f"{item.path}: {item.reason}" for item in skipped[:_NAMED_REASONS])
    more = f"; and {len(skipped) - _NAMED_REASONS} more" if len(skipped) > _NAMED_REASONS else ""
    why = f"{reasons or 'it lists none'}{more}"
    return f"{name}: none of its images can be used ({why}){_hint(skipped)}"


def _hint(skipped: Sequence[Skipped]) -> str:
    """What to do, where the reasons say it."""
    if any(item.reason == "no such file" for item in skipped):
        return "; check the paths, which in a table are relative to the table's folder"
    return "; give images, or a folder, archive or table of them"
