"""Reading a set: each file once, for its hash, its pixels and its measurements together.

What was read is remembered by name, size and modification time, so that a warm run opens no image.
Accepted for that speed: a file that is rewritten with the same size within one tick of the file
system's clock looks unchanged (``verify=True`` reads all files again).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

from PIL import Image

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images.covariates import Column
from visdiff_local.images.decoders.decode import is_video, picture
from visdiff_local.images.decoders.parts import content_id
from visdiff_local.images.decoders.window import Chosen, Levels, choose
from visdiff_local.images.sources.open import ImageSet
from visdiff_local.system.threads import ahead
from visdiff_local.types import ImageRef, Locator, Skipped, Stamp, Window

_REMEMBER_EVERY = 256
"""Files between two writes: what an interrupted run loses at most."""
_NAMED_REASONS = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an image by its bytes alone. Width and height as shown, upright."""

    width: int
    height: int
    format: str
    phash: int
    """Perceptual hash, 64 bits, unsigned."""
    values: tuple[float, ...]
    """Measured attributes, in the order that the measuring function documents."""
    frames: int = 1
    """Pictures in the file: pages, frames of an animation, slices."""
    bands: int = 3
    """Of a pixel as stored."""
    levels: Levels | None = None
    """How the values of deep pixels are spread; nothing is measured on them until a window is
    known, and ``values`` is empty then."""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What its header says that may group images, keyed so that nobody reads it; see
    :mod:`.decoders.exif`."""


class Measured(Protocol):
    """What a measuring function gives for one image."""

    @property
    def values(self) -> Sequence[float]: ...

    @property
    def phash(self) -> int: ...


Measure = Callable[[Image.Image, bytes], Measured]


class FileMemory(Protocol):
    """Remembers what was read; the store is one. ``version`` names the measuring function."""

    def recall(
        self, stamps: Sequence[Stamp], version: str
    ) -> Mapping[Stamp, tuple[str, Facts]]: ...

    def remember(self, items: Sequence[tuple[Stamp, str, Facts]], version: str) -> None: ...


@dataclass(frozen=True, slots=True)
class ReadSet:
    """A set whose images all have ids, each id once, with the facts of each by id."""

    images: ImageSet
    facts: Mapping[str, Facts]
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
        reader.known([ref.at for ref in source.images], version, lost, tell)
        for source, lost in zip(sources, skipped, strict=True)
    ]
    deep = [found.levels for one in known for _, found in one.values() if found.levels is not None]
    chosen = choose(deep, window)
    found = []
    for source, facts, lost in zip(sources, known, skipped, strict=True):
        if chosen is not None:
            reader.seen_through(facts, chosen.window, version, lost)
        found.append(_assembled(source, facts, lost, chosen, reader.read))
        reader.read = 0
    return found


def _assembled(
    source: ImageSet, known: "Known", skipped: list[Skipped], chosen: Chosen | None, read: int
) -> ReadSet:
    places = _each_once(source.images, known, skipped)
    if not places:
        raise InputError(_nothing_left(source.name, skipped))
    images = []
    for place in places:
        ref = source.images[place]
        id_, facts = known[ref.at]
        through = chosen.window if chosen is not None and facts.levels is not None else None
        images.append(ImageRef(id_, ref.at, ref.caption, through))
    kept = replace(source.keeping(places, tuple(images)), skipped=tuple(skipped))
    told = _told([known[ref.at][1] for ref in images])
    kept = replace(kept, columns={**told, **kept.columns})  # a table's own go before
    return ReadSet(kept, {ref.id: known[ref.at][1] for ref in images}, read, chosen)


def _told(facts: Sequence["Facts"]) -> dict[str, Column]:
    """The columns that the files' own headers give."""
    names = list(dict.fromkeys(name for one in facts for name in one.tags))
    return {name: Column.of([one.tags.get(name) for one in facts]) for name in names}


Known = dict[Locator, tuple[str, Facts]]


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
        places: Sequence[Locator],
        version: str,
        skipped: list[Skipped],
        tell: Callable[[int], None],
    ) -> Known:
        """Ids and facts of the images that are there, from memory or by reading them."""
        stamped = _stamps(places, skipped)
        tell(len(places) - len(stamped))
        known = self._recalled(stamped, version)
        tell(len(known))
        unread = {at: stamp for at, stamp in stamped.items() if at not in known}
        self.read += len(unread)
        known.update(self._read(unread, version, None, skipped, tell))
        return known

    def seen_through(
        self, known: Known, window: Window, version: str, skipped: list[Skipped]
    ) -> None:
        """Measures the deep images among those that are known, through the window."""
        places = [at for at, (_, facts) in known.items() if facts.levels is not None]
        stamped = _stamps(places, skipped)
        named = f"{version};window={window.text}"
        found = self._recalled(stamped, named)
        unread = {at: stamp for at, stamp in stamped.items() if at not in found}
        found.update(self._read(unread, named, window, skipped, lambda _: None))
        for at in places:
            if at in found:
                known[at] = found[at]
            else:
                del known[at]

    def _recalled(self, stamped: Mapping[Locator, Stamp], version: str) -> Known:
        if self.memory is None or self.verify:
            return {}
        recalled = self.memory.recall(list(stamped.values()), version)
        return {at: recalled[stamp] for at, stamp in stamped.items() if stamp in recalled}

    def _read(
        self,
        unread: Mapping[Locator, Stamp],
        version: str,
        window: Window | None,
        skipped: list[Skipped],
        tell: Callable[[int], None],
    ) -> Known:
        """What was read; what could not be goes to ``skipped``."""

        def work(at: Locator) -> tuple[str, Facts] | UnreadableImageError:
            try:
                return self.one(at, unread[at], window)
            except UnreadableImageError as error:
                return error
            except MemoryError:
                return UnreadableImageError("there is not enough memory for it")

        found: Known = {}
        batch: list[tuple[Stamp, str, Facts]] = []
        for at, result in ahead(work, unread, workers=self.workers):
            tell(1)
            if isinstance(result, UnreadableImageError):
                skipped.append(Skipped(at.name, result.reason))
                continue
            found[at] = result
            batch.append((unread[at], *result))
            if len(batch) == _REMEMBER_EVERY:
                self._remember(batch, version)
                batch = []
        self._remember(batch, version)
        return found

    def _remember(self, batch: list[tuple[Stamp, str, Facts]], version: str) -> None:
        if self.memory is not None and batch:
            self.memory.remember(batch, version)

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
    return tuple(sorted({ref.id for ref in a.images} & {ref.id for ref in b.images}))


def _stamps(places: Sequence[Locator], skipped: list[Skipped]) -> dict[Locator, Stamp]:
    """A stamp for each image that is there; one that is listed twice has one."""
    stamped: dict[Locator, Stamp] = {}
    for at in places:
        if at in stamped:
            continue
        try:
            stamped[at] = at.stamp()
        except UnreadableImageError as error:
            skipped.append(Skipped(at.name, error.reason))
    return stamped


def read_image(at: Locator, measure: Measure) -> tuple[str, Facts]:
    """Content id and facts of one image; raises :class:`UnreadableImageError`.

    Nothing is measured on deep pixels, which wait for the window of a run.
    """
    return _Reader(measure).one(at, at.stamp(), None)


def _each_once(
    refs: Sequence[ImageRef],
    known: Mapping[Locator, tuple[str, Facts]],
    skipped: list[Skipped],
) -> list[int]:
    """Places of the readable images, each id once; the others are listed as skipped."""
    first: dict[str, ImageRef] = {}
    places = []
    for place, ref in enumerate(refs):
        if ref.at not in known:
            continue
        id_ = known[ref.at][0]
        if id_ in first:
            original = first[id_]
            same = f"the same bytes as {original.name}"
            why = "listed twice" if original.at == ref.at else same
            skipped.append(Skipped(ref.name, why))
            continue
        first[id_] = ref
        places.append(place)
    return places


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
