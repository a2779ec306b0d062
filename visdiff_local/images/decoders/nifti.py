"""NIfTI volumes, slice by slice along the last spatial axis; nibabel, in the extra ``medical``."""

import gzip
import logging
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.decoders.base import Deep, Header, Wanted
from visdiff_local.images.decoders.extras import extra
from visdiff_local.images.decoders.limits import MAX_DECODED

_MAGIC = (b"n+1\0", b"n+2\0")


def is_nifti(raw: bytes) -> bool:
    head = raw[:1024]
    if raw[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(raw[:4096], 1024)
        except zlib.error:
            return False
    return head[344:348] in _MAGIC or head[4:8] in _MAGIC


def opened(raw: bytes, wanted: Wanted) -> Header:
    """One slice; the middle one where none is named."""
    with extra("medical", "NIfTI volumes"):
        import nibabel
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL + 1)  # it mends headers aloud
    if raw[:2] == b"\x1f\x8b":
        raw = _unzipped(raw)
    kind = nibabel.Nifti2Image if raw[4:8] in _MAGIC else nibabel.Nifti1Image
    try:
        volume: Any = kind.from_stream(BytesIO(raw))
        shape = tuple(int(side) for side in volume.shape[:3])
        item = int(volume.get_data_dtype().itemsize)
    except Exception as error:
        raise UnreadableImageError(f"damaged NIfTI ({type(error).__name__})") from error
    if len(shape) < 2:
        raise UnreadableImageError("a NIfTI file of one dimension")
    slices = shape[2] if len(shape) > 2 else 1
    number = slices // 2 if wanted.frame is None else wanted.frame
    if number >= slices:
        raise UnreadableImageError(f"it has no slice {number}; it has {slices}")

    def load(_: int | None) -> Image.Image | Deep:
        index: tuple[Any, ...] = (slice(None), slice(None))
        if len(shape) > 2:
            index = (*index, number, *([0] * (len(volume.shape) - 3)))
        plane = np.asarray(volume.dataobj[index])
        if plane.dtype.kind not in "uif":
            raise UnreadableImageError("a NIfTI file of colours or complex numbers")
        return Deep(np.ascontiguousarray(np.rot90(plane)))

    return Header("NIfTI", shape[0], shape[1], max(8, item), load, frames=slices, bands=1)


def _unzipped(raw: bytes) -> bytes:
    with gzip.GzipFile(fileobj=BytesIO(raw)) as stream:
        try:
            content = stream.read(MAX_DECODED + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableImageError(f"truncated or damaged gzip ({error})") from error
    if len(content) > MAX_DECODED:
        raise UnreadableImageError(f"too large when unzipped (over {MAX_DECODED >> 20} MiB)")
    return content
