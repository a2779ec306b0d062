"""What Python users hand over as a set of images."""

from pathlib import Path
from typing import Any

from visdiff_local.errors import InputError
from visdiff_local.images import ImageSet
from visdiff_local.images.sources.memory import kind_of

Source = Any
"""An :class:`ImageSet`, a folder, a glob; a list of paths, PIL images or arrays; a data frame."""


def opened(source: Source, letter: str) -> ImageSet | str:
    """The set itself; what names a place, as text.

    Raises:
        InputError: it is none of the kinds of :data:`Source`.
    """
    if isinstance(source, ImageSet):
        return source
    if isinstance(source, str | Path):
        return str(source)
    kind = kind_of(source)
    if kind == "frame":
        return ImageSet.from_frame(source, letter)
    if kind == "paths":
        return ImageSet.from_paths(source, letter)
    if kind == "pictures":
        return ImageSet.from_images(source, letter)
    raise InputError(
        f"{letter} is a {type(source).__name__}; give a folder, a glob, an ImageSet, a list of "
        "paths, of PIL images or of uint8 arrays, or a data frame with a column 'path'"
    )
