"""DICOM, as hospitals have it: pydicom and its decoders, the extra ``medical``.

Pixels go through the modality's rescale or table (:mod:`.dicom_values`) and are then deep: one
window for the whole run. Of the tags only those in :data:`COLUMNS` are taken, none of which names
a person; a patient's id becomes a number (:mod:`.keyed`): images of one patient are together.
"""

import logging
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.decoders import dicom_values
from visdiff_local.images.decoders.base import Deep, Header, Pixels, Wanted
from visdiff_local.images.decoders.dicom_values import text as _text
from visdiff_local.images.decoders.extras import extra
from visdiff_local.images.decoders.keyed import keyed

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
    try:
        return _header(data, wanted)
    except (UnreadableImageError, MemoryError):
        raise
    except Exception as error:  # any tag of a damaged file may raise anything, in its own words
        raise UnreadableImageError(f"damaged DICOM ({type(error).__name__})") from error


def _header(data: "Dataset", wanted: Wanted) -> Header:
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
    )


def header_columns(stream: BinaryIO) -> dict[str, str | int | float]:
    """The columns of a file by its header alone; raises :class:`UnreadableImageError`."""
    try:
        return columns(_dataset(stream, pixels=False))
    except UnreadableImageError:
        raise
    except Exception as error:
        raise UnreadableImageError(f"damaged DICOM ({type(error).__name__})") from error


def columns(data: "Dataset") -> dict[str, str | int | float]:
    """What may be known: technical tags, and salted numbers of patient, study and series."""
    found: dict[str, str | int | float] = {}
    for column, tag in _HASHED.items():
        value = _text(data.get(tag))
        if value:
            found[column] = keyed(value)
    for tag in COLUMNS:
        value = data.get(tag)
        text = _text(value)
        if text and len(text) <= _LONGEST:
            found[tag] = text
    return found


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
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    try:
        photometric = _text(data.get("PhotometricInterpretation")).upper()
        # raw=False turns YBR colours into RGB; errors name tags and codecs, never their values.
        stored: Any = _stored(data, frame, pixel_array)
        if photometric == "PALETTE COLOR":
            return _palette(np.asarray(apply_color_lut(stored, data)))
        return _grey_or_colours(data, frame, stored, photometric)
    except (UnreadableImageError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableImageError(_undecodable(data, error)) from error


def _grey_or_colours(
    data: "Dataset", frame: int, stored: Any, photometric: str
) -> Image.Image | Deep:
    if stored.ndim == 3:
        return _colours(np.asarray(stored))
    if stored.ndim != 2:
        raise UnreadableImageError(f"a DICOM picture of {stored.ndim} dimensions")
    tags = dicom_values.of_frame(data, frame)
    syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is not None and syntax.is_transfer_syntax and syntax.is_compressed:
        tags.pop("HighBit", None)  # its decoder has put the bits in their place
    return dicom_values.seen(stored, tags, inverted=photometric == "MONOCHROME1")


def _palette(colours: Any) -> Image.Image:
    """A palette of 16 bits is still one of colours; some are said to be and hold 8."""
    if colours.dtype.itemsize == 2 and colours.max() > np.iinfo(np.uint8).max:
        colours = colours >> 8
    return Image.fromarray(np.ascontiguousarray(colours[..., :3].astype(np.uint8)))


def _stored(data: "Dataset", frame: int, pixel_array: Callable[..., Any]) -> Any:
    """By pydicom's decoders; JPEGs of 12 bits, which those leave out, by imagecodecs."""
    try:
        # Bits that are not used are cleared later: a padding value may have some of them set.
        return pixel_array(
            data, index=frame if _frames(data) > 1 else None, correct_unused_bits=False
        )
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


def _undecodable(data: "Dataset", error: Exception) -> str:
    """In words that hold no value of any tag."""
    meta = getattr(data, "file_meta", None)
    syntax = getattr(meta, "TransferSyntaxUID", None)
    name = getattr(syntax, "name", "an unknown transfer syntax")
    if isinstance(error, (NotImplementedError, RuntimeError)):
        return f"its pixels cannot be decoded ({name}; {type(error).__name__})"
    return f"damaged DICOM pixels ({name}; {type(error).__name__})"
