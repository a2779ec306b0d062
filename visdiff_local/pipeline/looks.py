"""How often the same images were tested before: the store remembers, and the report says.

Ten questions put to one pair of sets are ten chances to find something by luck. A run that is made
again, with the same options, is no new look.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local import stats
from visdiff_local.config import RunConfig
from visdiff_local.images.listing import ids_of, ranks, taken
from visdiff_local.images.located import AT_ONCE
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.read import Sets
from visdiff_local.protocols import FloatArray
from visdiff_local.store import keys
from visdiff_local.system import foreign
from visdiff_local.types import ImageRef

TASK = "looks"
_NO_MATTER = frozenset(
    ("a", "b", "where_a", "where_b", "out", "store", "models", "weights", "device", "verify")
)
"""Options that say where things lie: under other names it is the same question."""
_REMEMBERED = 1000
"""Runs of the same images whose p-values are kept."""


@dataclass(frozen=True, slots=True)
class Looks:
    """All runs on these images so far, this one included."""

    number: int
    q_value: FloatArray
    """(M,) of this run's hypotheses, Benjamini–Hochberg over the hypotheses of all runs."""


def remember(sets: Sets, p_values: Sequence[float], config: RunConfig, roles: RunModels) -> Looks:
    """Adds this run's p-values (M,) to those that the store has of the same two sets."""
    images = keys.key(
        TASK, model="|".join(sorted(_digest(s.images) for s in (sets.a, sets.b))), prompt=""
    )
    options = {k: v for k, v in config.as_dict().items() if k not in _NO_MATTER}
    models = {role: info.fingerprint for role, info in roles.models().items()}
    this = keys.text_hash(json.dumps([options, models], sort_keys=True, default=str))[:16]
    stored = roles.store.records.get_many(TASK, [images])
    known: dict[str, list[float]] = foreign.json_object(str(stored[images])) if stored else {}
    earlier = {look: p for look, p in known.items() if look != this}
    q = stats.benjamini_hochberg([*p_values, *(p for many in earlier.values() for p in many)])
    if known.get(this) != list(p_values):
        kept = dict(list(earlier.items())[-_REMEMBERED:])
        entry = json.dumps({**kept, this: list(p_values)})
        roles.store.records.put_many(TASK, {images: entry})
    return Looks(len(earlier) + 1, np.asarray(q[: len(p_values)]))


def _digest(images: Sequence[ImageRef]) -> str:
    (rank,) = ranks(images)
    ordered = taken(images, np.argsort(rank))
    digest = hashlib.sha256()
    for start in range(0, len(ordered), AT_ONCE):
        digest.update("".join(ids_of(ordered, start, start + AT_ONCE)).encode("ascii"))
    return digest.hexdigest()
