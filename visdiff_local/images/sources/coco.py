"""COCO files: images with their boxes and captions; with ``--crops`` one image a box."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from visdiff_local.errors import InputError
from visdiff_local.images.covariates import Cell
from visdiff_local.images.decoders.parts import Part
from visdiff_local.images.locators import File
from visdiff_local.images.names import shown
from visdiff_local.images.sources.base import Columns, Options, Source
from visdiff_local.images.sources.paths import located
from visdiff_local.images.sources.table import caption_column, cell
from visdiff_local.system import foreign
from visdiff_local.types import Locator, Skipped

SMALLEST = 8
"""Pixels a side under which a box shows nothing."""
IMAGE = "image"
"""The column of a crop's image, by which crops cluster."""
_MOST = 1 << 31
_FOLDERS = ("", "images", "..", "../images")


def read(path: Path, options: Options) -> Source:
    """The images of a COCO file, or their boxes.

    Raises:
        InputError: it cannot be read, or is no COCO file.
    """
    content = _loaded(path)
    images: dict[Any, dict[str, Any]] = {}
    for number, one in enumerate(_entries(path, content, "images")):
        key = _id(one)
        # An image whose id is missing, or another's, has no annotations and is kept.
        images[("row", number) if key is None or key in images else key] = one
    notes = _entries(path, content, "annotations")
    kinds = _entries(path, content, "categories")
    names = {_id(one): str(one.get("name")) for one in kinds if _id(one) is not None}
    root = _root(path, images)
    return (_crops if options.crops else _whole)(path, root, images, notes, names, options)


def _whole(
    path: Path,
    root: Path,
    images: dict[Any, Any],
    notes: list[Any],
    names: dict[Any, str],
    options: Options,
) -> Source:
    kinds: dict[Any, list[str]] = defaultdict(list)
    captions: dict[Any, str] = {}
    for note in notes:
        key, kind = _id(note, "image_id"), _id(note, "category_id")
        if "caption" in note:
            captions.setdefault(key, str(note["caption"]))
        if kind in names:
            kinds[key].append(names[kind])
    rows = [dict(_plain(one)) for one in images.values()]
    for row, key in zip(rows, images, strict=True):
        row["categories"] = ", ".join(dict.fromkeys(kinds[key])) or None
        row["objects"] = len(kinds[key])
        row["caption"] = captions.get(key)

    def locate(place: int) -> Locator | Skipped:
        return _file(rows[place], root, path)

    return _source(path, rows, locate, options, cluster=None)


def _crops(
    path: Path,
    root: Path,
    images: dict[Any, Any],
    notes: list[Any],
    names: dict[Any, str],
    options: Options,
) -> Source:
    rows: list[dict[str, Cell]] = []
    boxes: list[Any] = []
    for note in notes:
        image = images.get(_id(note, "image_id"))
        if image is None or "bbox" not in note:
            continue
        row = {**_plain(image), **_plain(note)}
        row["category"] = names.get(_id(note, "category_id"))
        row[IMAGE] = str(image.get("file_name"))
        rows.append(row)
        boxes.append(note)
    if not rows:
        raise InputError(f"{shown(path)}: no annotation has a box; leave --crops out")

    def locate(place: int) -> Locator | Skipped:
        at = _file(rows[place], root, path)
        box = _box(boxes[place])
        if isinstance(at, Skipped):
            return at
        if isinstance(box, str):
            return Skipped(f"{at.name} [{boxes[place].get('bbox')}]", box)
        return replace(at, part=Part(box=box).text)

    return _source(path, rows, locate, options, cluster=IMAGE)


def _source(
    path: Path, rows: list[dict[str, Cell]], locate: Any, options: Options, cluster: str | None
) -> Source:
    names = list(dict.fromkeys(n for row in rows for n, held in row.items() if held is not None))
    table = Columns({name: [row.get(name) for row in rows] for name in names}, len(rows))
    caption = caption_column(shown(path), table.names, options)
    return Source(
        path.stem,
        shown(path),
        table,
        locate,
        caption=caption,
        hidden=("file_name",),
        cluster=cluster,
    )


def _loaded(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST:
            raise InputError(f"{shown(path)}: larger than {_MOST >> 30} GiB")
        content = foreign.json_value(path.read_bytes(), largest=_MOST)
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{shown(path)}: cannot be read as JSON: {reason}") from error
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise InputError(
            f"{shown(path)}: no COCO file (it has no list of images); a table may be .csv, "
            ".parquet or .jsonl"
        )
    return content


def _root(path: Path, images: dict[Any, Any]) -> Path:
    """The folder that the names are relative to: the first in which the first image is."""
    first = next((str(one.get("file_name")) for one in images.values()), "")
    for folder in _FOLDERS:
        with suppress(OSError):  # no name that a file could have
            if first and (path.parent / folder / first).exists():
                return path.parent / folder
    return path.parent


def _file(row: dict[str, Cell], root: Path, path: Path) -> File | Skipped:
    found = located(row.get("file_name"), root, f"{shown(path)}, image {row.get('id')}")
    assert isinstance(found, File | Skipped)
    return found


def _box(note: dict[str, Any]) -> tuple[int, int, int, int] | str:
    """Left, top, width and height in whole pixels; or why the box cannot be used."""
    if note.get("iscrowd") in (1, True, "1"):
        return "a crowd, not an object"
    try:
        left, top, width, height = (float(side) for side in note["bbox"])
        corner = (max(0, round(left)), max(0, round(top)))
        # What lies left of the picture or above it is cut off, not moved into it.
        whole = (*corner, round(left + width) - corner[0], round(top + height) - corner[1])
    except (TypeError, ValueError, OverflowError):
        return "its box is no list of four numbers"
    if min(whole[2:]) < SMALLEST:
        return f"its box is under {SMALLEST} pixels"
    return whole


def _entries(path: Path, content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of the file, what is no entry left out.

    Raises:
        InputError: it is no list.
    """
    listed = content.get(name) or []
    if not isinstance(listed, list):
        raise InputError(f"{shown(path)}: damaged COCO file (its {name} are no list)")
    return [one for one in listed if isinstance(one, dict)]


def _id(one: dict[str, Any], name: str = "id") -> Any:
    value = one.get(name)
    return value if isinstance(value, str | int | float) else None


def _plain(one: dict[str, Any]) -> dict[str, Cell]:
    return {str(k): cell(v) for k, v in one.items() if not isinstance(v, dict | list)}
