"""Which camera took a picture, and on which day, by its EXIF: what may make images belong together.

Only whether two are the same is of use, so only keyed numbers are kept: no serial number, no date
and no place ever reaches the store or a result.
"""

from PIL import Image

from visdiff_local.images.decoders.keyed import keyed

CAMERA, DAY = "exif_camera", "exif_day"
"""Columns of images whose files say so."""
_MAKE, _MODEL, _EXIF = 0x010F, 0x0110, 0x8769
_SERIAL, _TAKEN, _DIGITIZED = 0xA431, 0x9003, 0x9004
_DATE = len("2024:03:01")
_LONGEST = 100


def tags(image: Image.Image) -> dict[str, str]:
    """The columns that a picture's EXIF gives; none where it has none or it is damaged."""
    try:
        exif = image.getexif()
        if not exif:
            return {}
        inner = exif.get_ifd(_EXIF)
        camera = [_text(exif.get(_MAKE)), _text(exif.get(_MODEL)), _text(inner.get(_SERIAL))]
        taken = (_text(inner.get(_TAKEN)) or _text(inner.get(_DIGITIZED)))[:_DATE]
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, OSError, OverflowError):
        return {}
    found = {}
    if any(camera):
        found[CAMERA] = keyed("\0".join(camera))
    if len(taken) == _DATE and taken[:4].isdecimal() and taken[:4] != "0000":
        found[DAY] = keyed(taken)
    return found


def _text(value: object) -> str:
    return value.strip("\0 ")[:_LONGEST] if isinstance(value, str) else ""
