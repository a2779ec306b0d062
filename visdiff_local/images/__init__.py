"""Images: which files make up a set, what their bytes say, and which half each belongs to."""

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.covariates import FOLDER, Cell, Column, Covariates
from visdiff_local.images.decoders.decode import decode, decoded
from visdiff_local.images.decoders.limits import MAX_PIXELS
from visdiff_local.images.decoders.pillow import FORMATS
from visdiff_local.images.decoders.window import Chosen, Levels
from visdiff_local.images.facts import FactColumns, Facts
from visdiff_local.images.locators import File, Memory
from visdiff_local.images.names import shown
from visdiff_local.images.near import NEAR_DISTANCE, near_groups
from visdiff_local.images.reading import (
    FileMemory,
    Measured,
    ReadSet,
    read_image,
    read_set,
    read_sets,
    shared_ids,
)
from visdiff_local.images.sources.base import Options
from visdiff_local.images.sources.choice import matching
from visdiff_local.images.sources.open import ImageSet
from visdiff_local.system.threads import default_workers
from visdiff_local.types import Locator, Stamp

__all__ = [
    "FOLDER",
    "FORMATS",
    "MAX_PIXELS",
    "NEAR_DISTANCE",
    "Cell",
    "Chosen",
    "Column",
    "Covariates",
    "FactColumns",
    "Facts",
    "File",
    "FileMemory",
    "ImageSet",
    "Levels",
    "Locator",
    "Measured",
    "Memory",
    "Options",
    "ReadSet",
    "Stamp",
    "UnreadableImageError",
    "decode",
    "decoded",
    "default_workers",
    "matching",
    "near_groups",
    "read_image",
    "read_set",
    "read_sets",
    "shared_ids",
    "shown",
]
