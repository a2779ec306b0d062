"""Images: which files make up a set, what their bytes say, and which half each belongs to."""

from visdiff_local.images.decoders.pillow import (
    MAX_PIXELS,
    UnreadableImageError,
    decode,
    decoded,
    shown,
)
from visdiff_local.images.reading import (
    Facts,
    FileMemory,
    FileStamp,
    Measured,
    ReadSet,
    read_set,
    shared_ids,
)
from visdiff_local.images.sources.open import ImageSet
from visdiff_local.images.splits import NEAR_DISTANCE, crossing, near_groups, split
from visdiff_local.system.threads import default_workers

__all__ = [
    "MAX_PIXELS",
    "NEAR_DISTANCE",
    "Facts",
    "FileMemory",
    "FileStamp",
    "ImageSet",
    "Measured",
    "ReadSet",
    "UnreadableImageError",
    "crossing",
    "decode",
    "decoded",
    "default_workers",
    "near_groups",
    "read_set",
    "shared_ids",
    "shown",
    "split",
]
