"""``images.parquet`` of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from visdiff_local.comparisons.plan import Plan
from visdiff_local.comparisons.table import BoolArray, Labels, Table
from visdiff_local.images.table import ImageTable, TextScores
from visdiff_local.measure import ATTRIBUTES
from visdiff_local.pipeline.models import RunModels
from visdiff_local.protocols import FloatArray


def image_table(
    texts: Sequence[str],
    scores: FloatArray,
    table: Table,
    plan: Plan,
    clusters: Labels,
    explore: BoolArray,
    roles: RunModels,
) -> ImageTable:
    """A row an image, a column a text; scores of the validate half."""
    refs = table.refs
    facts: Mapping[str, Sequence[Any]] = {
        "id": [ref.id for ref in refs],
        "name": [ref.name.replace("\\", "/").rpartition("/")[2] for ref in refs],
        "path": [ref.name for ref in refs],
        "set": [label or "" for label in plan.group],
        "half": ["explore" if here else "validate" for here in explore],
        "cluster": list(clusters),
        "stratum": [None] * len(refs) if plan.strata is None else list(plan.strata),
        "pair": [None] * len(refs),
        "caption": [ref.caption or roles.captions.get(ref.id) for ref in refs],
        "used": [label is not None for label in plan.group],
        "reason": [None if label is not None else "no value" for label in plan.group],
    }
    measured = np.array([table.facts[ref.id].values for ref in refs], np.float64)
    attributes = {name: measured[:, i] for i, name in enumerate(ATTRIBUTES)}
    columns = tuple(
        TextScores(text, "cosine", row) for text, row in zip(texts, scores, strict=True)
    )
    return ImageTable(facts, attributes, columns)
