"""What the stored values of a DICOM picture mean: modality, window and lookup tables (PS3.3 C.11).

Stored bits → modality values (rescale or Modality LUT) → deep pixels with the window that the file
names (VOI LUT, or centre and width). The window is not applied here: one serves a whole run.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from visdiff_local.images.decoders.base import Deep, Pixels
from visdiff_local.types import Window

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TAGS = (
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
)
_MACROS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
"""Functional groups of enhanced multi-frame files that hold some of the same tags."""
_POINTS = 512
"""Of a curve at most; what lies between them is interpolated."""
_SIGMOID_REACH = 2.0
"""Widths from the centre at which a sigmoid is within a grey level of black or white."""
_LARGEST_TABLE = 1 << 16

Table = tuple[int, Pixels, int]
"""The first value that is mapped, what each from there on becomes, and the bits of those."""


def of_frame(data: "Dataset", frame: int) -> "Dataset":
    """The tags that say what the values of a frame mean: the file's, those that its frames share,
    and the frame's own, each before the one named first."""
    from pydicom.dataset import Dataset

    told = Dataset()
    for name in _TAGS:
        if name in data:
            told.add(data[name])
    for groups, place in (
        ("SharedFunctionalGroupsSequence", 0),
        ("PerFrameFunctionalGroupsSequence", frame),
    ):
        group = _item(data, groups, place)
        for macro in _MACROS:
            inner = None if group is None else _item(group, macro, 0)
            for name in _TAGS:
                if inner is not None and name in inner:
                    told.add(inner[name])
    return told


def seen(stored: Pixels, tags: "Dataset", *, inverted: bool) -> Image.Image | Deep:
    """One picture of grey values: as it is where it has 8 bits and needs nothing, else deep.

    Args:
        stored: (height, width), as the decoder gives them.
        inverted: small values are bright (MONOCHROME1).
    """
    stored = _unpadded(stored, tags, inverted=inverted)
    used = _number(tags.get("BitsStored")) or 8 * stored.dtype.itemsize
    stored = _within(stored, tags, int(used))
    values, bits = _modality(stored, tags, int(used))
    window = window_of(tags)
    full = values.dtype == np.uint8 and (window is None or window == Window(0.0, 255.0))
    if not full:
        return Deep(values, tags=window, inverted=inverted, bits=bits)
    if bits is not None and bits < 8:  # a mask of one bit is black and white
        values = np.rint(values * (255.0 / (2**bits - 1))).astype(np.uint8)
    return Image.fromarray(255 - values if inverted else values).convert("RGB")


def window_of(tags: "Dataset") -> Window | None:
    """The first VOI LUT of the file, else its first window (PS3.3 C.11.2)."""
    table = _table(_item(tags, "VOILUTSequence", 0))
    if table is not None:
        first, becomes, bits = table
        return _along(_signed(first, tags, rescaled=True), becomes, bits)
    centre, width = _number(tags.get("WindowCenter")), _number(tags.get("WindowWidth"))
    if centre is None or width is None or width <= 0:
        return None
    match text(tags.get("VOILUTFunction")).upper():
        case "SIGMOID":
            reach = np.linspace(-_SIGMOID_REACH, _SIGMOID_REACH, _POINTS)
            greys = np.rint(255 / (1 + np.exp(-4 * reach))).astype(np.uint8)
            low, high = centre - _SIGMOID_REACH * width, centre + _SIGMOID_REACH * width
            return Window(low, high, greys.tobytes().hex())
        case "LINEAR_EXACT":
            return Window(centre - width / 2, centre + width / 2)
    if width < 1:
        return None
    return Window(centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2 + (width == 1))


def text(value: Any) -> str:
    """A tag's value as text; several are joined."""
    if value is None:
        return ""
    value = getattr(value, "value", value)
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return "/".join(str(part) for part in value).strip()
    return str(value).strip()


def _modality(stored: Pixels, tags: "Dataset", used: int) -> tuple[Pixels, int | None]:
    """Modality values, and the bits that they use where no rescale has moved them."""
    table = _table(_item(tags, "ModalityLUTSequence", 0))
    if table is not None:
        first, becomes, bits = table
        first = _signed(first, tags, rescaled=False)
        places = np.clip(stored.astype(np.int64) - first, 0, len(becomes) - 1)
        return becomes[places], bits
    slope, intercept = _number(tags.get("RescaleSlope")), _number(tags.get("RescaleIntercept"))
    slope = 1.0 if slope is None or slope == 0.0 else slope
    intercept = intercept or 0.0
    if (slope, intercept) == (1.0, 0.0):
        return stored, used if stored.dtype.kind in "ui" else None
    values = stored.astype(np.float64) * slope + intercept
    whole = stored.dtype.kind in "ui" and slope.is_integer() and intercept.is_integer()
    if whole and np.abs(values).max(initial=0) < np.iinfo(np.int32).max:
        return values.astype(np.int32), None
    return values.astype(np.float32), None


def _unpadded(stored: Pixels, tags: "Dataset", *, inverted: bool) -> Pixels:
    """What lies outside the picture gets the value within it that is shown darkest."""
    value = _number(tags.get("PixelPaddingValue"))
    if value is None:
        return stored
    limit = _number(tags.get("PixelPaddingRangeLimit"))
    low, high = sorted((value, value if limit is None else limit))
    values: Any = stored
    outside = (values >= low) & (values <= high)
    if outside.any() and not outside.all():
        inside = stored[~outside]
        stored = np.where(outside, inside.max() if inverted else inside.min(), stored)
    return stored


def _within(stored: Pixels, tags: "Dataset", used: int) -> Pixels:
    """The bits of a pixel alone: those above may hold overlays, those below nothing."""
    bits = 8 * stored.dtype.itemsize
    if stored.dtype.kind not in "ui" or not 0 < used < bits:
        return stored
    top = _number(tags.get("HighBit"))
    shift = int(np.clip(0 if top is None else top + 1 - used, 0, bits - used))
    if int(stored.max(initial=0)) < 1 << used and int(stored.min(initial=0)) >= 0 and not shift:
        if stored.dtype.kind == "u":
            return stored
    elif not shift and stored.dtype.kind == "i":
        half = 1 << (used - 1)
        if -half <= int(stored.min()) and int(stored.max()) < half:
            return stored
    # Shifted to the top and back again, which carries the sign of signed values along.
    raised = np.left_shift(stored, bits - used - shift)
    return np.right_shift(raised, bits - used)


def _signed(first: int, tags: "Dataset", *, rescaled: bool) -> int:
    """A table's first value with the sign that it lost where values may go below zero."""
    below = _number(tags.get("PixelRepresentation")) == 1
    if rescaled:
        below = below or (_number(tags.get("RescaleIntercept")) or 0.0) < 0
    return first - _LARGEST_TABLE if below and first > np.iinfo(np.int16).max else first


def _table(item: "Dataset | None") -> Table | None:
    """The table of a LUT sequence's item; None where it is none that can be used."""
    if item is None:
        return None
    described, content = item.get("LUTDescriptor"), item.get("LUTData")
    try:
        entries, first, bits = (int(value) for value in described)
        entries = entries % _LARGEST_TABLE or _LARGEST_TABLE
        if isinstance(content, bytes):
            wide = len(content) >= 2 * entries
            order = ">" if item.original_encoding[1] is False else "<"
            kind = np.dtype(f"{order}u2" if wide else "u1")
            becomes = np.frombuffer(content[: entries * kind.itemsize], kind)
        else:
            becomes = np.atleast_1d(np.asarray(content, np.int64))[:entries] & 0xFFFF
    except (TypeError, ValueError, OverflowError):
        return None
    if not len(becomes) or not 1 <= bits <= 16:
        return None
    bits = max(bits, int(becomes.max()).bit_length(), 1)
    return first, becomes.astype(np.uint16), bits


def _along(first: int, becomes: Pixels, bits: int) -> Window:
    """A table as a window with a curve."""
    if len(becomes) == 1:
        becomes = np.repeat(becomes, 2)
    steps = np.linspace(0, len(becomes) - 1, min(_POINTS, len(becomes)))
    greys = np.interp(steps, np.arange(len(becomes)), becomes.astype(np.float64))
    scaled = np.rint(greys * (255.0 / (2**bits - 1))).astype(np.uint8)
    return Window(float(first), float(first + len(becomes) - 1), scaled.tobytes().hex())


def _item(data: "Dataset", name: str, place: int) -> "Dataset | None":
    """One item of a sequence; None where there is none."""
    items = data.get(name)
    try:
        return items[place] if items is not None and place < len(items) else None
    except (TypeError, KeyError, IndexError):
        return None


def _number(value: Any) -> float | None:
    """A tag's first value as a finite number."""
    value = getattr(value, "value", value)
    if value is not None and not isinstance(value, str | int | float):
        with suppress(TypeError, IndexError, KeyError):
            value = value[0]
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if np.isfinite(found) else None
