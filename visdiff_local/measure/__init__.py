"""What is measured, not guessed: attributes of pixels and files, duplicates, overlays.

Works with no model. :func:`measure` looks at one image; the other functions compare sets of
measurements, in numbers that are tested as hypotheses are, and :func:`warnings` says in words what
may pass for content and is not.
"""

from visdiff_local.measure.attributes import (
    ATTRIBUTES,
    DESCRIPTIONS,
    Measurement,
    Measurements,
    measure,
    thumbnail,
)
from visdiff_local.measure.compare import compare_measured, warnings
from visdiff_local.measure.duplicates import DuplicateReport, duplicate_report, near_duplicates
from visdiff_local.measure.overlays import Overlay, find_overlays

__all__ = [
    "ATTRIBUTES",
    "DESCRIPTIONS",
    "DuplicateReport",
    "Measurement",
    "Measurements",
    "Overlay",
    "compare_measured",
    "duplicate_report",
    "find_overlays",
    "measure",
    "near_duplicates",
    "thumbnail",
    "warnings",
]
