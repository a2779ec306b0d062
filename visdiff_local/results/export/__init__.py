"""A run's images, taken away: a table, COCO, an ImageFolder, a FiftyOne dataset.

The format follows from the name after ``--to``. Every one of them can be narrowed to the images on
which a text scores highest, and be written without anything that names a file or a folder.
"""

from collections.abc import Callable
from pathlib import Path

from visdiff_local.errors import UsageError
from visdiff_local.results.export.coco import write_coco
from visdiff_local.results.export.folders import write_fiftyone, write_imagefolder
from visdiff_local.results.export.rows import Choice
from visdiff_local.results.export.tables import write_csv, write_parquet

__all__ = ["FORMATS", "Choice", "export"]

Writer = Callable[[Path, Path, Choice], None]
"""(run folder, destination, which images)."""

FORMATS: dict[str, tuple[str, Writer]] = {
    ".csv": ("a table that `run` takes", write_csv),
    ".tsv": ("the same, with tabs", write_csv),
    ".parquet": ("the same, with types", write_parquet),
    ".json": ("COCO: images, the sets and texts as categories", write_coco),
    "imagefolder": ("copies of the images by set, with metadata.jsonl", write_imagefolder),
    "fiftyone": ("a FiftyOneImageClassificationDataset, without copies", write_fiftyone),
}
"""By suffix, or by name for what is a folder."""


def export(run_dir: Path, to: str, choice: Choice, folder: Path | None = None) -> Path:
    """Writes the images of a run in the format that ``to`` names; returns where.

    Args:
        to: a file ending in .csv, .tsv, .parquet or .json; or ``imagefolder``, ``fiftyone``.
        folder: of ``imagefolder`` and ``fiftyone``; called like the format where it is None.

    Raises:
        UsageError: there is no such format, or the destination cannot be written.
        InputError: the run has no table of images, or not this text.
    """
    named = to if to in FORMATS else Path(to).suffix.lower()
    if named not in FORMATS:
        known = ", ".join(name if name[0] != "." else f"FILE{name}" for name in FORMATS)
        raise UsageError(f"--to {to}: there is no such format; choose from: {known}")
    is_folder = not named.startswith(".")
    if folder is not None and not is_folder:
        raise UsageError(f"--to {to} is a file; {folder} is one name too many")
    place = (folder or Path(to)) if is_folder else Path(to)
    if is_folder and place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"{place} is there already, and not an empty folder; name another one")
    try:
        FORMATS[named][1](run_dir, place, choice)
    except OSError as error:
        raise UsageError(f"{place} cannot be written ({error.strerror or error})") from error
    return place
