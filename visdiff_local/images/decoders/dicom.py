"""DICOM, as hospitals have it: pydicom and its decoders, the extra ``medical``.

Pixels go through the modality's rescale and are then deep: one window for the whole run. Of the
tags only those in :data:`COLUMNS` are taken, none of which names a person; a patient's id becomes
a number keyed with a secret of this user on this machine: images of one patient are together, and
nobody who has a result can try ids until one fits.
"""

import hashlib
import logging
import secrets
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import platformdirs
from PIL import Image

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.decoders.base import Deep, Header, Pixels, Wanted
from visdiff_local.images.decoders.extras import extra
from visdiff_local.system.files import write_whole
from visdiff_local.types import Window

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

COLUMNS = (
    *("Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName", "ViewPosition"),
    *("PatientSex", "SliceThickness", "KVP", "PhotometricInterpretation", "Laterality"),
    *("MagneticFieldStrength", "ConvolutionKernel", "ScanningSequence", "PatientPosition"),
)
"""Tags that are columns, for ``--a``, ``--within`` and ``--cluster-by``."""
PATIENT, STUDY, SERIES = "patient", "study", "series"
"""Columns of keyed numbers: the same patient has the same, and it cannot be turned back."""
_HASHED = {PATIENT: "PatientID", STUDY: "StudyInstanceUID", SERIES: "SeriesInstanceUID"}
_LONGEST = 64
_KEY_BYTES = 32
LEAST = 132
"""Bytes by which a DICOM file is known."""
_JPEG_EXTENDED = ("1.2.840.10008.1.2.4.51",)


def is_dicom(raw: bytes) -> bool:
    """By its magic, or by a first tag of group 2 or 8 where the preamble is missing."""
    if raw[128:132] == b"DICM":
        return True
    group, element = raw[:2], raw[2:4]
    if group not in (b"\x02\0", b"\x08\0") or element[1:] != b"\0" or len(raw) < LEAST:
        return False
    return (raw[4:6].isalpha() and raw[4:6].isupper()) or raw[6:8] == b"\0\0"


def opened(raw: bytes, wanted: Wanted) -> Header:
    """One frame of a DICOM file.

    Raises:
        UnreadableImageError: no pixels, a transfer syntax that nothing here decodes, or damage.
    """
    data = _dataset(BytesIO(raw))
    if not any(f"{kind}PixelData" in data for kind in ("", "Float", "DoubleFloat")):
        kind = _text(data.get("Modality")) or "no modality"
        raise UnreadableImageError(f"a DICOM file without pixels ({kind})")
    try:
        width, height = int(data.Columns), int(data.Rows)
        bands = int(data.get("SamplesPerPixel", 1))
        itemsize = max(1, int(data.get("BitsAllocated", 16)) // 8)
    except (AttributeError, TypeError, ValueError) as error:
        raise UnreadableImageError("damaged: a DICOM file that does not say its size") from error
    frames = _frames(data)
    frame = wanted.frame or 0
    if frame >= frames:
        raise UnreadableImageError(f"it has no frame {frame}; it has {frames}")

    def load(_: int | None) -> Image.Image | Deep:
        return _pixels(data, frame)

    return Header(
        "DICOM",
        width,
        height,
        bands * max(itemsize, 8 if bands == 1 else itemsize),
        load,
        frames=frames,
        bands=bands,
        tags=columns(data),
    )


def header_columns(stream: BinaryIO) -> dict[str, str | int | float]:
    """The columns of a file by its header alone."""
    return columns(_dataset(stream, pixels=False))


def columns(data: "Dataset") -> dict[str, str | int | float]:
    """What may be known: technical tags, and salted numbers of patient, study and series."""
    found: dict[str, str | int | float] = {}
    for column, tag in _HASHED.items():
        value = _text(data.get(tag))
        if value:
            found[column] = hashlib.blake2b(
                value.encode(), key=_secret(), digest_size=6
            ).hexdigest()
    for tag in COLUMNS:
        value = data.get(tag)
        text = _text(value)
        if text and len(text) <= _LONGEST:
            found[tag] = text
    return found


@cache
def _secret() -> bytes:
    """Made once for this user, readable for no other; where it cannot be kept, for this process."""
    path = platformdirs.user_data_path("visdiff-local") / "patients.key"
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            write_whole(path, secrets.token_bytes(_KEY_BYTES))
        found = path.read_bytes()
        if len(found) == _KEY_BYTES:
            return found
    return secrets.token_bytes(_KEY_BYTES)


def _dataset(stream: BinaryIO, *, pixels: bool = True) -> "Dataset":
    with extra("medical", "DICOM pictures"):
        import pydicom
        from pydicom import config
    config.settings.reading_validation_mode = config.IGNORE  # foreign files are as they are
    _silenced()
    try:
        return pydicom.dcmread(stream, stop_before_pixels=not pixels, force=True)
    except Exception as error:  # a damaged file can raise anything in a parser
        raise UnreadableImageError(f"damaged DICOM ({type(error).__name__})") from error


@cache
def _silenced() -> None:
    """What pydicom logs and warns of may hold the values of tags, and a log is kept for long."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom\.")


def _frames(data: "Dataset") -> int:
    try:
        return max(1, int(data.get("NumberOfFrames", 1) or 1))
    except (TypeError, ValueError):
        return 1


def _pixels(data: "Dataset", frame: int) -> Image.Image | Deep:
    from pydicom.pixels.processing import apply_color_lut, apply_rescale
    from pydicom.pixels.utils import pixel_array

    photometric = _text(data.get("PhotometricInterpretation")).upper()
    try:
        # raw=False turns YBR colours into RGB; errors name tags and codecs, never their values.
        stored: Any = _stored(data, frame, pixel_array)
        if photometric == "PALETTE COLOR":
            colours = np.asarray(apply_color_lut(stored, data))
            deep = colours.dtype.itemsize == 2  # a palette of 16 bits is still one of colours
            return _colours((colours >> 8).astype(np.uint8) if deep else colours)
    except Exception as error:
        raise UnreadableImageError(_undecodable(data, error)) from error
    if stored.ndim == 3:
        return _colours(np.asarray(stored))
    if stored.ndim != 2:
        raise UnreadableImageError(f"a DICOM picture of {stored.ndim} dimensions")
    stored = _unpadded(data, stored)
    inverted = photometric == "MONOCHROME1"
    bits = None
    rescaled = _text(data.get("RescaleSlope")) not in ("", "1", "1.0") or _text(
        data.get("RescaleIntercept")
    ) not in ("", "0", "0.0")
    if rescaled or "ModalityLUTSequence" in data:
        values: Pixels = np.asarray(apply_rescale(stored, data)).astype(np.float32)
        if np.array_equal(values[:8], np.rint(values[:8])):
            values = np.rint(values).astype(np.int32)
    else:
        values = stored
        bits = int(data.get("BitsStored", 0)) or None
    if values.dtype == np.uint8 and not inverted and _window(data) is None:
        return Image.fromarray(values).convert("RGB")
    return Deep(values, tags=_window(data), inverted=inverted, bits=bits)


def _unpadded(data: "Dataset", stored: Any) -> Any:
    """What lies outside the picture (PixelPaddingValue) gets the least value within it."""
    try:
        outside = stored == int(data.PixelPaddingValue)
    except (AttributeError, TypeError, ValueError):
        return stored
    if outside.any() and not outside.all():
        stored = np.where(outside, stored[~outside].min(), stored)
    return stored


def _stored(data: "Dataset", frame: int, pixel_array: Callable[..., Any]) -> Any:
    """By pydicom's decoders; JPEGs of 12 bits, which those leave out, by imagecodecs."""
    try:
        return pixel_array(data, index=frame if _frames(data) > 1 else None)
    except RuntimeError:
        with suppress(ImportError):
            import imagecodecs
            from pydicom.encaps import get_frame

            if str(data.file_meta.TransferSyntaxUID) in _JPEG_EXTENDED:
                packed = get_frame(data.PixelData, frame, number_of_frames=_frames(data))
                return imagecodecs.jpeg_decode(packed)
        raise


def _colours(pixels: Pixels) -> Image.Image | Deep:
    if pixels.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    return Deep(np.ascontiguousarray(pixels[..., :3]))


def _window(data: "Dataset") -> Window | None:
    """The first window of the file (PS3.3 C.11.2.1.2, linear)."""
    try:
        centre, width = (_first(value) for value in (data.WindowCenter, data.WindowWidth))
    except (AttributeError, TypeError, ValueError, IndexError):
        return None
    if not np.isfinite([centre, width]).all() or width < 1:
        return None
    return Window(centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2 + (width == 1))


def _first(value: Any) -> float:
    """A tag may have one value or several."""
    return float(value if isinstance(value, str | int | float) else value[0])


def _undecodable(data: "Dataset", error: Exception) -> str:
    """In words that hold no value of any tag."""
    meta = getattr(data, "file_meta", None)
    syntax = getattr(meta, "TransferSyntaxUID", None)
    name = getattr(syntax, "name", "an unknown transfer syntax")
    if isinstance(error, (NotImplementedError, RuntimeError)):
        return f"its pixels cannot be decoded ({name}; {type(error).__name__})"
    return f"damaged DICOM pixels ({name}; {type(error).__name__})"


def _text(value: Any) -> str:
    """A tag's value as text; several are joined."""
    if value is None:
        return ""
    value = getattr(value, "value", value)
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return "/".join(str(part) for part in value).strip()
    return str(value).strip()
