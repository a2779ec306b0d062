"""ComparisonResult ↔ ``comparison.json``, schema version 1. Fields may be added, not renamed."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from visdiff_local.errors import InputError
from visdiff_local.results import serialize
from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError
from visdiff_local.types.comparison import ComparisonResult

SCHEMA_VERSION = 1
NAME = "comparison.json"


def is_there(folder: Path) -> bool:
    """Whether the folder holds a comparison."""
    return (folder / NAME).is_file()


def options_of(run_dir: Path) -> Mapping[str, Any]:
    """The options of a run or a comparison, whichever lies in the folder; none where neither does.

    Raises:
        InputError: it cannot be read.
    """
    if is_there(run_dir):
        return load(run_dir).config
    return serialize.load(run_dir).run.config if (run_dir / "run.json").is_file() else {}


def to_dict(found: ComparisonResult) -> dict[str, Any]:
    """Plain lists and dicts, no NaN."""
    texts = [
        asdict(text, dict_factory=lambda items: {k: v for k, v in items if k != "source"})
        for text in found.texts
    ]
    content = {**asdict(replace(found, texts=())), "texts": texts}
    plain: dict[str, Any] = _plain({"schema_version": SCHEMA_VERSION, **content})
    return plain


def load(folder: Path) -> ComparisonResult:
    """The comparison in a folder.

    Raises:
        InputError: there is none, or one that this version cannot read.
    """
    path = folder / NAME
    try:
        content = foreign.json_object(foreign.read(path))
        version = content.get("schema_version")
        if version != SCHEMA_VERSION:
            raise InputError(
                f"{path}: it has schema version {str(version)[:20]}; this program reads "
                f"{SCHEMA_VERSION}"
            )
        return foreign.typed(ComparisonResult, _without_sources(content), absent_floats=True)
    except (OSError, ForeignError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error


def _without_sources(value: Any) -> Any:
    """An example's image is known while its run lasts; a file can name none to be opened."""
    if isinstance(value, dict):
        return {key: _without_sources(item) for key, item in value.items() if key != "source"}
    return [_without_sources(item) for item in value] if isinstance(value, list) else value


def to_json(found: ComparisonResult) -> str:
    """UTF-8, ends with a newline."""
    return json.dumps(to_dict(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


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
