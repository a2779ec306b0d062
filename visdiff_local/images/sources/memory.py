"""Sets that come from Python: lists of paths, pictures in memory, data frames."""

import io
from collections.abc import Iterable, Sequence
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visdiff_local.errors import InputError
from visdiff_local.images.covariates import Cell, Column, no_column
from visdiff_local.images.locators import File, Memory
from visdiff_local.images.names import absolute
from visdiff_local.types import ImageRef, Skipped

if TYPE_CHECKING:
    from PIL import Image

_AS_THEY_ARE = frozenset(("1", "L", "LA", "P", "RGB", "RGBA", "I;16"))
"""Pillow's modes that PNG holds without loss."""


def of_paths(paths: Iterable[str | Path]) -> tuple[ImageRef, ...]:
    """A reference a path; those that cannot be read are left out later, with the reason."""
    return tuple(ImageRef("", File(absolute(Path(path).expanduser()))) for path in paths)


def of_pictures(pictures: Iterable[Any]) -> tuple[ImageRef, ...]:
    """PIL images, or uint8 arrays (H, W), (H, W, 3) or (H, W, 4), each held as a PNG.

    Raises:
        InputError: one of them is neither; it is named by its place.
    """
    return tuple(_kept(place, picture) for place, picture in enumerate(pictures))


def of_frame(
    frame: Any, path_column: str, caption_column: str
) -> tuple[tuple[ImageRef, ...], dict[str, Column], tuple[Skipped, ...]]:
    """Rows of a data frame (pandas, or anything with ``columns`` and ``frame[name]``): paths or
    pictures in ``path_column``, and every other column beside them.

    Raises:
        InputError: there is no such column.
    """
    names = [str(name) for name in frame.columns]
    if path_column not in names:
        raise InputError(no_column(path_column, names))
    cells = list(frame[path_column])
    kept = [place for place, cell in enumerate(cells) if not _is_none(cell)]
    skipped = tuple(
        Skipped(f"row {place}", "the path is empty")
        for place in sorted(set(range(len(cells))) - set(kept))
    )
    captions = [_cell(v) for v in frame[caption_column]] if caption_column in names else None
    refs = []
    for place in kept:
        cell = cells[place]
        is_path = isinstance(cell, str | Path)
        (ref,) = of_paths([cell]) if is_path else (_kept(place, cell),)
        said = None if captions is None or captions[place] is None else str(captions[place])
        refs.append(ImageRef("", ref.at, said))
    columns = {
        name: Column.of([_cell(v) for v in frame[name]]).take(kept)
        for name in names
        if name != path_column
    }
    return tuple(refs), columns, skipped


def _kept(place: int, picture: Any) -> ImageRef:
    return ImageRef("", Memory(_png(place, picture), f"image {place}"))


def _png(place: int, picture: Any) -> bytes:
    from PIL import Image

    if isinstance(picture, np.ndarray):
        picture = _of_array(place, picture)
    if not isinstance(picture, Image.Image):
        raise InputError(
            f"item {place} is a {type(picture).__name__}; give paths, PIL images or uint8 arrays, "
            "all of one kind"
        )
    stream = io.BytesIO()
    sound = picture if picture.mode in _AS_THEY_ARE else picture.convert("RGB")
    sound.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _of_array(place: int, array: "np.ndarray[Any, Any]") -> "Image.Image":
    from PIL import Image

    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not fits or 0 in array.shape:
        raise InputError(
            f"item {place} is an array {array.shape} of {array.dtype}; pictures are uint8 of "
            "shape (height, width), (height, width, 3) or (height, width, 4)"
        )
    return Image.fromarray(array)


def _is_none(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return isinstance(value, float) and value != value


def _cell(value: Any) -> Cell:
    """A cell as plain Python has it; pandas' missing values as None."""
    if hasattr(value, "item") and not isinstance(value, np.ndarray):
        value = value.item()
    if type(value).__name__ in ("NAType", "NaTType") or _is_none(value):
        return None
    if isinstance(value, str | bool | int | float):
        return value
    return value.isoformat() if isinstance(value, date | time) else str(value)


def kind_of(source: Any) -> str:
    """``frame``, ``paths`` or ``pictures``; "" for what is none of them."""
    if hasattr(source, "columns") and hasattr(source, "__getitem__"):
        return "frame"
    if isinstance(source, np.ndarray) and source.dtype != object:
        return "pictures" if source.ndim in (3, 4) else ""
    if not isinstance(source, Sequence | np.ndarray | set | frozenset) and not _is_listed(source):
        return ""
    first = next(iter(source), "")
    return "paths" if isinstance(first, str | Path) else "pictures"


def _is_listed(source: Any) -> bool:
    """A Series or an Index, which can be walked; no mapping, of which only the keys would be."""
    walked = hasattr(source, "__len__") and hasattr(source, "__iter__")
    return walked and (hasattr(source, "dtype") or not hasattr(source, "keys"))
