"""RunResult ↔ ``run.json``, schema version 2 (1 is read too). Fields may be added, not renamed."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from visdiff_local.errors import InputError
from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError
from visdiff_local.types import Evaluation, Hypothesis, RunResult, ScoredHypothesis, SetSummary

SCHEMA_VERSION = 2
Json = dict[str, Any]
HYPOTHESIS = tuple(field.name for field in fields(Hypothesis))
"""What a row of ``differences`` says of its text itself."""


def to_dict(result: RunResult) -> Json:
    """The content of ``run.json``, plain lists and dicts."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": asdict(result.run),
        "sets": {"a": _written(result.a), "b": _written(result.b)},
        "summary": asdict(result.summary),
        "differences": [
            _difference(rank, scored) for rank, scored in enumerate(result.differences, start=1)
        ],
        "measured": [asdict(item) for item in result.measured],
        "evaluation": None if result.evaluation is None else _evaluation(result.evaluation),
        "duplicates": [asdict(item) for item in result.duplicates],
        "outside_domain": result.outside_domain,
        "warnings": list(result.warnings),
        "calls": {role: asdict(calls) for role, calls in result.calls.items()},
        "seconds": dict(result.seconds),
    }


def to_json(result: RunResult) -> str:
    """``run.json`` as text: UTF-8, no NaN, ends with a newline."""
    content = _encodable(to_dict(result))
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str | bytes) -> RunResult:
    """The result that :func:`to_json` wrote; raises :class:`InputError` when it is none.

    Fields that this version does not know are ignored, those that it knows have their types.
    """
    try:
        content = foreign.json_object(text)
        version = content.get("schema_version")
        if version not in (1, SCHEMA_VERSION):
            raise InputError(
                f"run.json has schema version {str(version)[:20]}; this program reads 1 and "
                f"{SCHEMA_VERSION}"
            )
        shaped = _shaped(_from_version_1(content) if version == 1 else content)
        return foreign.typed(RunResult, shaped, absent_floats=True)
    except (ForeignError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"this is no run.json of this program: {_why(error)}") from error


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error) if isinstance(error, ForeignError) else "a part of it has another shape"


def load(run_dir: Path) -> RunResult:
    """The result in a run folder; raises :class:`InputError` that names the folder."""
    path = run_dir / "run.json"
    try:
        text = foreign.read(path)
    except (OSError, ForeignError) as error:
        raise InputError(f"{path}: cannot be read ({error}); name a run's --out folder") from error
    try:
        return from_json(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _written(value: SetSummary | ScoredHypothesis) -> Json:
    """As :func:`dataclasses.asdict`, without the images that examples hold while a run lasts."""
    return asdict(value, dict_factory=lambda items: {k: v for k, v in items if k != "source"})


def _difference(rank: int, scored: ScoredHypothesis) -> Json:
    row = _written(scored)
    hypothesis = row.pop("hypothesis")
    return {"rank": rank, **hypothesis, **row}


def _evaluation(evaluation: Evaluation) -> Json:
    return {
        "acc@1": evaluation.acc_at_1,
        "acc@5": evaluation.acc_at_5,
        "grades": [asdict(grade) for grade in evaluation.grades],
    }


def _encodable(value: Any) -> Any:
    """Tuples as lists, NaN as null; paths that are not UTF-8 with their odd bytes escaped."""
    if isinstance(value, Mapping):
        return {key: _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def _from_version_1(content: Json) -> Json:
    """The same result under the names of version 2."""
    sets = {
        side: {
            **{key: value for key, value in source.items() if key != "glance"},
            "preview": source["glance"],
            "skipped": [{"path": s["path"], "reason": s["why"]} for s in source["skipped"]],
        }
        for side, source in content["sets"].items()
    }
    summary = {
        **{key: value for key, value in content["summary"].items() if key != "verdict"},
        "conclusion": content["summary"]["verdict"],
    }
    differences = [
        {
            **{key: value for key, value in item.items() if key != "adds_nothing"},
            "redundant": item["adds_nothing"],
        }
        for item in content["differences"]
    ]
    return {**content, "sets": sets, "summary": summary, "differences": differences}


def _shaped(content: Json) -> Json:
    """run.json's tables in the shape of :class:`RunResult`, whose fields say which types hold."""
    evaluation = content["evaluation"]
    content = _without_sources(content)
    return {
        **content,
        "a": content["sets"]["a"],
        "b": content["sets"]["b"],
        "differences": [_scored(item) for item in content["differences"]],
        "evaluation": None if evaluation is None else _graded(evaluation),
    }


def _without_sources(value: Any) -> Any:
    """An example's image is known while its run lasts; a file can name none to be opened."""
    if isinstance(value, dict):
        return {key: _without_sources(item) for key, item in value.items() if key != "source"}
    return [_without_sources(item) for item in value] if isinstance(value, list) else value


def _scored(item: Json) -> Json:
    return {**item, "hypothesis": {name: item[name] for name in HYPOTHESIS if name in item}}


def _graded(item: Json) -> Json:
    return {**item, "acc_at_1": item["acc@1"], "acc_at_5": item["acc@5"]}
