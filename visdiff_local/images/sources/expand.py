"""Files that are many images: videos by the second, pages, slices; and DICOM files' columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images.covariates import Cell
from visdiff_local.images.decoders import dicom, video
from visdiff_local.images.decoders.base import Wanted
from visdiff_local.images.decoders.decode import opened
from visdiff_local.images.decoders.parts import Part, parsed
from visdiff_local.images.gather import located
from visdiff_local.images.located import Files, Located
from visdiff_local.images.sources.base import Columns, Options, Table
from visdiff_local.system.threads import ahead
from visdiff_local.types import Locator, Skipped

VIDEO, FILE = "video", "file"
_SUFFIXES = 1024
"""Of which the answer is kept."""
MOST_FRAMES = 100_000
"""Of one video; a longer one wants a larger ``--every``."""
_PAGED = (
    *(".tif", ".tiff", ".gif", ".webp", ".apng", ".png", ".avif", ".mpo", ".heic", ".heif"),
    *(".dcm", ".dicom", ".ima", ".nii", ".nii.gz"),
)
_BANDED = (".tif", ".tiff", ".png")
_DICOM = (".dcm", ".dicom", ".ima")
_VIDEOS = tuple(video.SUFFIXES)
_LOOKED_INTO = (*_VIDEOS, *_DICOM)

Known = dict[str, Cell]
"""What a file says of an image in it, by column."""


@dataclass(frozen=True, slots=True, eq=False)
class Expanded:
    """Each image once.

    Args:
        row: int64 (n,), the index of the row that it is from.
        at: where it is.
        known: what is known of it; empty where nothing is known of any.
        skipped: what could not be opened.
        cluster: the column whose images belong together.
    """

    row: npt.NDArray[np.int64]
    at: Located
    known: Sequence[Known] = ()
    skipped: tuple[Skipped, ...] = ()
    cluster: str | None = None

    def __len__(self) -> int:
        return len(self.row)

    def take(self, indices: npt.NDArray[np.int64]) -> "Expanded":
        """Those of the images at these indices."""
        known = [self.known[index] for index in indices.tolist()] if self.known else ()
        return replace(self, row=self.row[indices], at=self.at.take(indices), known=known)


def expanded(places: Located, options: Options) -> Expanded:
    """Each image once, with columns of its own; what could not be opened; the cluster column."""
    if isinstance(places, Files):
        look = _by_suffix(options)
        quick = [places[row] for row, name in enumerate(places.file_names()) if look(name)]
    else:
        quick = [at for at in places if _needs_look(at.name, at.part, options)]
    if not quick:
        return Expanded(np.arange(len(places)), places)
    looked = dict(ahead(partial(_images, options=options), quick))
    found: list[tuple[int, Locator, Known]] = []
    skipped: list[Skipped] = []
    for row, at in enumerate(places):
        images = looked.get(at, [(at, {})])
        if isinstance(images, Skipped):
            skipped.append(images)
            continue
        found += [(row, one, known) for one, known in images]
    told = {name for _, _, known in found for name in known}
    return Expanded(
        np.array([row for row, _, _ in found], np.int64),
        located(at for _, at, _ in found),
        [known for _, _, known in found] if told else (),
        tuple(skipped),
        next((name for name in (VIDEO, dicom.PATIENT, FILE) if name in told), None),
    )


def columns_of(found: Expanded) -> dict[str, list[Cell]]:
    """Columns that the images bring themselves, in their order."""
    names = list(dict.fromkeys(name for known in found.known for name in known))
    return {name: [known.get(name) for known in found.known] for name in names}


def table_of(found: Expanded, rows: Table, places: npt.NDArray[np.int64]) -> Table:
    """What the source and the files themselves say of each image, in their order.

    Args:
        places: the row of the source of each row that was expanded.
    """
    told = {name: rows.cells(name, places[found.row]) for name in rows.names}
    return Columns({**told, **columns_of(found)}, len(found))


def _ends(name: str, suffixes: Sequence[str]) -> bool:
    return name.lower().endswith(tuple(suffixes))


def _needs_look(name: str, part: str, options: Options) -> bool:
    if part:
        return False
    paged = options.frames == "all" and _ends(name, _PAGED)
    banded = bool(options.bands) and _ends(name, _BANDED)
    return _ends(name, _LOOKED_INTO) or "." not in name.rpartition("/")[2] or paged or banded


def _by_suffix(options: Options) -> Callable[[str], bool]:
    """As :func:`_needs_look` of files: of millions there are a few suffixes, each asked once."""
    of = lru_cache(_SUFFIXES)(lambda suffix: _needs_look(f"_.{suffix}", "", options))

    def look(name: str) -> bool:
        _, dot, suffix = name.rpartition(".")
        if not dot or suffix.lower() == "gz":  # ``.nii.gz`` has two
            return _needs_look(name, "", options)
        return of(suffix)

    return look


def _images(at: Locator, options: Options) -> list[tuple[Locator, dict[str, Cell]]] | Skipped:
    try:
        if _ends(at.name, _VIDEOS):
            return _moments(at, options)
        return _pages(at, options)
    except UnreadableImageError as error:
        return Skipped(at.name, error.reason)


def _moments(at: Locator, options: Options) -> list[tuple[Locator, dict[str, Cell]]]:
    seconds = video.length(at)
    count = int(seconds / options.every) + 1
    if count > MOST_FRAMES:
        raise InputError(
            f"{at.name}: every {options.every:g} s are {count:,} frames; "
            f"type --every {seconds / MOST_FRAMES * 2:.0f} or so"
        )
    times = [number * options.every for number in range(count)]
    if len(times) > 1 and times[-1] >= seconds:
        times.pop()
    return [
        (_part(at, Part(seconds=time)), {VIDEO: at.name.rpartition("/")[2], "second": time})
        for time in times
    ]


def _pages(at: Locator, options: Options) -> list[tuple[Locator, dict[str, Cell]]]:
    known: dict[str, Cell] = {}
    with at.open() as stream:
        if dicom.is_dicom(stream.read(dicom.LEAST)):
            stream.seek(0)
            known = dict(dicom.header_columns(stream))  # not the pixels: a warm run reads none
    banded = bool(options.bands) and _ends(at.name, _BANDED)
    bands = options.bands if banded else ()
    if options.frames == "first" or not _ends(at.name, _PAGED):
        return [(_part(at, Part(bands=bands)) if bands else at, known)]
    try:
        frames = opened(at.read(), Wanted()).frames
    except UnreadableImageError:
        raise
    except Exception as error:  # a damaged file can raise anything inside a format's parser
        raise UnreadableImageError(f"damaged ({type(error).__name__})") from error
    if frames == 1:
        return [(_part(at, Part(bands=bands)) if bands else at, known)]
    name = at.name.rpartition("/")[2]
    return [
        (_part(at, Part(frame=number, bands=bands)), {**known, FILE: name, "frame": number})
        for number in range(min(frames, MOST_FRAMES))
    ]


def _part(at: Locator, part: Part) -> Locator:
    whole: Any = at
    merged = replace(part, box=parsed(at.part).box) if at.part else part
    located: Locator = replace(whole, part=merged.text)
    return located
