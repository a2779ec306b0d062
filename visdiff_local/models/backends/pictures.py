"""What every vision-language backend does with pictures before its library sees them."""

from collections.abc import Sequence

from PIL import Image, ImageOps

from visdiff_local.errors import UsageError

MOST_PIXELS = 1024 * 1024
"""Models that look at pictures in their own size get no more than this; a photograph of 12
megapixels would be 16,000 tokens."""
PROPOSAL_TOKENS = 400
"""Most tokens of what a model proposes about several pictures."""
PROPOSAL_TEMPERATURE = 0.7
_COLUMNS = 10
_CELL = 112


def within(picture: Image.Image) -> Image.Image:
    """The picture, made smaller where it has more than :data:`MOST_PIXELS`."""
    if picture.width * picture.height <= MOST_PIXELS:
        return picture
    shrink = (MOST_PIXELS / (picture.width * picture.height)) ** 0.5
    size = max(1, int(picture.width * shrink)), max(1, int(picture.height * shrink))
    return picture.resize(size, Image.Resampling.LANCZOS)


def as_grid(pictures: Sequence[Image.Image]) -> Image.Image:
    """The pictures in rows of ten, uncropped, on white (VisDiff's image-based proposer)."""
    if not pictures:
        raise UsageError("a grid needs at least one image")
    rows = -(-len(pictures) // _COLUMNS)
    columns = min(len(pictures), _COLUMNS)
    sheet = Image.new("RGB", (columns * _CELL, rows * _CELL), "white")
    for place, picture in enumerate(pictures):
        cell = ImageOps.pad(picture, (_CELL - 4, _CELL - 4), color="white")
        row, column = divmod(place, _COLUMNS)
        sheet.paste(cell, (column * _CELL + 2, row * _CELL + 2))
    return sheet
