"""Reading a set: each file once, for its hash, its pixels and its measurements together.

What was read is remembered by name, size and modification time, so that a warm run opens no image.
Accepted for that speed: a file that is rewritten with the same size within one tick of the file
system's clock looks unchanged (``verify=True`` reads all files again).
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from PIL import Image

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images.decoders.pillow import decode_with_format
from visdiff_local.images.sources.open import ImageSet
from visdiff_local.system.threads import ahead
from visdiff_local.types import ImageRef, Locator, Skipped, Stamp

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


def read_set(
    source: ImageSet,
    *,
    measure: Measure,
    version: str,
    memory: FileMemory | None = None,
    verify: bool = False,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> ReadSet:
    """Reads, hashes, decodes and measures the images of a set, in threads, one read a file.

    Files that cannot be used go to ``skipped`` with the reason; so do files whose bytes are those
    of another file of the set, which count once.

    Args:
        version: changes when ``measure`` gives other values; old ones are then not recalled.
        verify: read every file, whatever is remembered.
        progress: told how many further files are done.

    Raises:
        InputError: no image is left; the message holds the first reasons.
    """
    tell = progress or (lambda count: None)
    skipped = list(source.skipped)
    known: dict[Locator, tuple[str, Facts]] = {}
    stamped = _stamps(source.images, skipped)
    tell(len(source.images) - len(stamped))
    if memory is not None and not verify:
        recalled = memory.recall(list(stamped.values()), version)
        known = {at: recalled[stamp] for at, stamp in stamped.items() if stamp in recalled}
        tell(len(known))
    unread = {at: stamp for at, stamp in stamped.items() if at not in known}
    for batch in _read(unread, measure, skipped, workers, tell):
        known.update({at: (id_, facts) for at, _, id_, facts in batch})
        if memory is not None:
            memory.remember([item[1:] for item in batch], version)
    places = _each_once(source.images, known, skipped)
    if not places:
        raise InputError(_nothing_left(source.name, skipped))
    chosen = [source.images[place] for place in places]
    images = tuple(replace(ref, id=known[ref.at][0]) for ref in chosen)
    facts = {ref.id: known[ref.at][1] for ref in images}
    kept = replace(source.keeping(places, images), skipped=tuple(skipped))
    return ReadSet(kept, facts, len(unread))


def shared_ids(a: ImageSet, b: ImageSet) -> tuple[str, ...]:
    """Ids of images whose bytes are in both sets, sorted. They stay in both."""
    return tuple(sorted({ref.id for ref in a.images} & {ref.id for ref in b.images}))


def _stamps(refs: Sequence[ImageRef], skipped: list[Skipped]) -> dict[Locator, Stamp]:
    """A stamp for each image that is there; one that is listed twice has one."""
    stamped: dict[Locator, Stamp] = {}
    for ref in refs:
        if ref.at in stamped:
            continue
        try:
            stamped[ref.at] = ref.at.stamp()
        except UnreadableImageError as error:
            skipped.append(Skipped(ref.name, error.reason))
    return stamped


def _read(
    unread: Mapping[Locator, Stamp],
    measure: Measure,
    skipped: list[Skipped],
    workers: int | None,
    tell: Callable[[int], None],
) -> Iterator[list[tuple[Locator, Stamp, str, Facts]]]:
    """Batches of what was read; what could not be goes to ``skipped``."""

    def work(at: Locator) -> tuple[str, Facts] | UnreadableImageError:
        try:
            return read_image(at, measure)
        except UnreadableImageError as error:
            return error

    batch: list[tuple[Locator, Stamp, str, Facts]] = []
    for at, result in ahead(work, unread, workers=workers):
        tell(1)
        if isinstance(result, UnreadableImageError):
            skipped.append(Skipped(at.name, result.reason))
            continue
        batch.append((at, unread[at], *result))
        if len(batch) == _REMEMBER_EVERY:
            yield batch
            batch = []
    if batch:
        yield batch


def read_image(at: Locator, measure: Measure) -> tuple[str, Facts]:
    """Content id and facts of one image; raises :class:`UnreadableImageError`."""
    raw = at.read()
    image, format_name = decode_with_format(raw)
    measured = measure(image, raw)
    facts = Facts(
        image.width,
        image.height,
        format_name,
        int(measured.phash),
        tuple(float(value) for value in measured.values),
    )
    return hashlib.sha256(raw).hexdigest(), facts


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
    return (
        f"{name}: none of its images can be used ({reasons or 'it lists none'}{more}); "
        "check the paths, which in a table are relative to the table's folder"
    )
