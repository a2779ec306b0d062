"""The folder of a comparison: ``comparison.json``, images.parquet, thumbnails, report.html."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from visdiff_local.comparisons.outcome import SCHEMA_VERSION, Comparison
from visdiff_local.errors import UsageError
from visdiff_local.images.table import ImageTable
from visdiff_local.results import folder as run_folder
from visdiff_local.results import scores
from visdiff_local.results.report.comparison import render
from visdiff_local.results.report.pictures import Pictures
from visdiff_local.store import Store
from visdiff_local.system import run_folders
from visdiff_local.system.files import write_whole
from visdiff_local.system.progress import Progress

NAME = "comparison.json"


def to_dict(found: Comparison) -> dict[str, Any]:
    """Plain lists and dicts, no NaN."""
    texts = tuple(
        replace(text, examples=tuple(replace(e, source=None) for e in text.examples))
        for text in found.texts
    )
    content = {"schema_version": SCHEMA_VERSION, **asdict(replace(found, texts=texts))}
    for text in content["texts"]:
        for example in text["examples"]:
            del example["source"]
    plain: dict[str, Any] = _plain(content)
    return plain


def to_json(found: Comparison) -> str:
    """UTF-8, ends with a newline."""
    return json.dumps(to_dict(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write(
    found: Comparison, images: ImageTable, thumbnails: Mapping[str, bytes], folder: Path
) -> Path:
    """Writes the whole folder; raises :class:`UsageError` where it cannot be written."""
    try:
        run_folders.ensure(folder)
        pictures = folder / run_folder.THUMBNAILS
        pictures.mkdir(mode=0o700, exist_ok=True)
        for identity, jpeg in thumbnails.items():
            write_whole(pictures / f"{identity}.jpg", jpeg, durable=False)
        scores.write(images, folder / scores.NAME)
        write_whole(folder / NAME, to_json(found).encode())
        page = render(to_dict(found), Pictures(pictures))
        write_whole(folder / "report.html", page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UsageError(
            f"the run folder {folder} cannot be written ({error}); name another with --out"
        ) from error
    return folder


def thumbnails(found: Comparison, store: Store, progress: Progress) -> dict[str, bytes]:
    """JPEGs by image id of the examples of the confirmed texts."""
    shown = (example for text in found.confirmed for example in text.examples)
    return run_folder.thumbnails_of(shown, store, progress)


def _plain(value: Any) -> Any:
    """Tuples as lists, NaN as null; undecodable bytes of names escaped."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
