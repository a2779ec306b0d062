"""RunResult ↔ ``run.json``, schema version 2 (1 is read too). Fields may be added, not renamed."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from visdiff_local.errors import InputError
from visdiff_local.types import (
    Calls,
    Duplicates,
    Evaluation,
    Evidence,
    Example,
    Grade,
    Histogram,
    Hypothesis,
    MeasuredDifference,
    ModelInfo,
    Provenance,
    RunInfo,
    RunResult,
    SamplingDesign,
    ScoredHypothesis,
    SetSummary,
    Skipped,
    Summary,
)

SCHEMA_VERSION = 2
Json = dict[str, Any]


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


def from_json(text: str) -> RunResult:
    """The result that :func:`to_json` wrote; raises :class:`InputError` when it is none."""
    try:
        content = json.loads(text)
        version = content["schema_version"]
        if version == 1:
            content = _from_version_1(content)
        elif version != SCHEMA_VERSION:
            raise InputError(
                f"run.json has schema version {version}; this program reads 1 and {SCHEMA_VERSION}"
            )
        return _result(content)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"this is no run.json of this program: {error!r}") from error


def load(run_dir: Path) -> RunResult:
    """The result in a run folder; raises :class:`InputError` that names the folder."""
    path = run_dir / "run.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); name a run's --out folder") from error
    return from_json(text)


def _written(value: SetSummary | ScoredHypothesis) -> Json:
    """As :func:`dataclasses.asdict`, without the images that examples hold while a run lasts."""
    return asdict(value, dict_factory=lambda items: {k: v for k, v in items if k != "source"})


def _difference(rank: int, scored: ScoredHypothesis) -> Json:
    fields = _written(scored)
    hypothesis = fields.pop("hypothesis")
    return {"rank": rank, **hypothesis, **fields}


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


def _result(content: Json) -> RunResult:
    evaluation = content["evaluation"]
    return RunResult(
        run=_run_info(content["run"]),
        a=_set_summary(content["sets"]["a"]),
        b=_set_summary(content["sets"]["b"]),
        summary=_summary(content["summary"]),
        differences=tuple(_scored(item) for item in content["differences"]),
        measured=tuple(MeasuredDifference(**item) for item in content["measured"]),
        evaluation=None if evaluation is None else _graded(evaluation),
        duplicates=tuple(
            Duplicates(tuple(item["paths"]), item["exact"], item["across"])
            for item in content["duplicates"]
        ),
        outside_domain=content["outside_domain"],
        warnings=tuple(content["warnings"]),
        calls={role: Calls(**calls) for role, calls in content["calls"].items()},
        seconds=content["seconds"],
    )


def _summary(item: Json) -> Summary:
    design = SamplingDesign(**item.get("design", {}))
    return Summary(**{**item, "design": design})


def _run_info(item: Json) -> RunInfo:
    models = {role: ModelInfo(**info) for role, info in item["models"].items()}
    return RunInfo(item["seed"], item["profile"], item["config"], models, item["versions"])


def _set_summary(item: Json) -> SetSummary:
    return SetSummary(
        name=item["name"],
        n=item["n"],
        explore=item["explore"],
        validate=item["validate"],
        skipped=tuple(Skipped(**skipped) for skipped in item["skipped"]),
        preview=_examples(item["preview"]),
    )


def _scored(item: Json) -> ScoredHypothesis:
    fields = {key: value for key, value in item.items() if key != "rank"}
    provenance = Provenance(**fields.pop("provenance"))
    similar = tuple(fields.pop("similar"))
    text, direction = fields.pop("text"), fields.pop("direction")
    evidence, bins = fields.pop("evidence"), fields.pop("histogram")
    for name in ("auroc_ci", "prevalence_a_ci", "prevalence_b_ci"):
        fields[name] = None if fields[name] is None else tuple(fields[name])
    return ScoredHypothesis(
        hypothesis=Hypothesis(text, direction, provenance, similar),
        evidence=Evidence(**{side: _examples(items) for side, items in evidence.items()}),
        histogram=Histogram(**{name: tuple(values) for name, values in bins.items()}),
        **fields,
    )


def _examples(items: list[Json]) -> tuple[Example, ...]:
    return tuple(Example(**item) for item in items)


def _graded(item: Json) -> Evaluation:
    grades = tuple(
        Grade(grade["rank"], grade["grade"], tuple(grade["probabilities"]))
        for grade in item["grades"]
    )
    return Evaluation(item["acc@1"], item["acc@5"], grades)
