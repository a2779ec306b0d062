"""Files that are many images: videos by the second, pages, slices; and DICOM files' columns."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images.covariates import Cell
from visdiff_local.images.decoders import dicom, video
from visdiff_local.images.decoders.base import Wanted
from visdiff_local.images.decoders.decode import opened
from visdiff_local.images.decoders.parts import Part, parsed
from visdiff_local.images.sources.base import Columns, Options, Table
from visdiff_local.system.threads import ahead
from visdiff_local.types import Locator, Skipped

VIDEO, FILE = "video", "file"
MOST_FRAMES = 100_000
"""Of one video; a longer one wants a larger ``--every``."""
_PAGED = (
    *(".tif", ".tiff", ".gif", ".webp", ".apng", ".png", ".avif", ".mpo", ".heic", ".heif"),
    *(".dcm", ".dicom", ".ima", ".nii", ".nii.gz"),
)
_BANDED = (".tif", ".tiff", ".png")
_DICOM = (".dcm", ".dicom", ".ima")

Expanded = tuple[int, Locator, dict[str, Cell]]
"""Place of the row that it is from, where it is, and what is known of it."""


def expanded(
    places: Sequence[Locator], options: Options
) -> tuple[list[Expanded], list[Skipped], str | None]:
    """Each image once, with columns of its own; what could not be opened; the cluster column."""
    found: list[Expanded] = []
    skipped: list[Skipped] = []
    cluster = None
    work = partial(_images, options=options)
    quick = [at for at in places if _needs_look(at, options)]
    looked = dict(ahead(work, quick)) if quick else {}
    for row, at in enumerate(places):
        images = looked.get(at, [(at, {})])
        if isinstance(images, Skipped):
            skipped.append(images)
            continue
        found += [(row, one, columns) for one, columns in images]
    names = {name for _, _, columns in found for name in columns}
    for name in (VIDEO, dicom.PATIENT, FILE):
        if cluster is None and name in names:
            cluster = name
    return found, skipped, cluster


def columns_of(found: Iterable[Expanded]) -> dict[str, list[Cell]]:
    """Columns that the images bring themselves, in their order."""
    rows = [columns for _, _, columns in found]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}


def table_of(found: Sequence[Expanded], rows: Table, places: Sequence[int]) -> Table:
    """What the source and the files themselves say of each image, in their order."""
    kept = [places[row] for row, _, _ in found]
    told = {name: rows.cells(name, kept) for name in rows.names}
    return Columns({**told, **columns_of(found)}, len(found))


def _ends(at: Locator, suffixes: Sequence[str]) -> bool:
    return at.name.lower().endswith(tuple(suffixes))


def _needs_look(at: Locator, options: Options) -> bool:
    if at.part:
        return False
    paged = options.frames == "all" and _ends(at, _PAGED)
    banded = bool(options.bands) and _ends(at, _BANDED)
    bare = "." not in at.name.rpartition("/")[2]
    return _ends(at, tuple(video.SUFFIXES)) or _ends(at, _DICOM) or bare or paged or banded


def _images(at: Locator, options: Options) -> list[tuple[Locator, dict[str, Cell]]] | Skipped:
    try:
        if _ends(at, tuple(video.SUFFIXES)):
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
    banded = bool(options.bands) and _ends(at, _BANDED)
    bands = options.bands if banded else ()
    if options.frames == "first" or not _ends(at, _PAGED):
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
