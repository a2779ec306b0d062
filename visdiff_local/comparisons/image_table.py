"""``images.parquet`` of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from visdiff_local.comparisons.plan import Plan
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.table import Labels
from visdiff_local.images.table import ImageTable, TextScores
from visdiff_local.measure import ATTRIBUTES
from visdiff_local.pipeline import per_image
from visdiff_local.pipeline.models import RunModels
from visdiff_local.protocols import FloatArray


def image_table(
    texts: Sequence[str],
    scores: FloatArray,
    study: Study,
    roles: RunModels,
) -> ImageTable:
    """A row an image, a column a text. ``set`` is the group; ``side`` is a or b, where all parts
    compare the same two sides, such as wrong with right."""
    plan, refs = study.plan, study.table.refs
    strata = plan.parts[-1].strata
    facts: Mapping[str, Sequence[Any]] = {
        "id": [ref.id for ref in refs],
        "name": [ref.name.replace("\\", "/").rpartition("/")[2] for ref in refs],
        "path": [ref.name for ref in refs],
        "set": [label or "" for label in plan.group],
        "half": ["explore" if here else "validate" for here in study.explore],
        "cluster": list(study.clusters),
        "stratum": [None] * len(refs) if strata is None else list(strata),
        "pair": [None] * len(refs),
        "caption": [ref.caption or roles.captions.get(ref.id) for ref in refs],
        "used": [label is not None for label in plan.group],
        "reason": [None if label is not None else "no value" for label in plan.group],
        "side": _sides(plan),
    }
    attributes = {name: study.table.facts.values[:, i] for i, name in enumerate(ATTRIBUTES)}
    columns = tuple(
        TextScores(text, per_image.kind(study.config.ranker), row)
        for text, row in zip(texts, scores, strict=True)
    )
    return ImageTable(facts, attributes, columns)


def _sides(plan: Plan) -> Labels:
    if plan.kind == "groups":
        return [None] * len(plan.group)
    a, b = (np.any([getattr(part, side) for part in plan.parts], axis=0) for side in "ab")
    return ["a" if one else "b" if other else None for one, other in zip(a, b, strict=True)]
