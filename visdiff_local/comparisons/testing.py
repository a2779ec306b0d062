"""Every text tested in one part, or along an order; then q over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from visdiff_local import stats
from visdiff_local.comparisons.plan import Part
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.table import BoolArray, Labels
from visdiff_local.protocols import FloatArray as Scores
from visdiff_local.stats.ties import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """All texts in one part, or along the order; each in the direction that it leans to."""

    area: FloatArray
    ci: FloatArray
    p_value: FloatArray
    """Two-sided, or one-sided where only one way counts."""
    p_global: float
    leans_to_a: BoolArray
    q_value: FloatArray | None = None


def in_part(
    part: Part,
    scores: Scores,
    study: Study,
    rng: np.random.Generator,
) -> Tested:
    a, b = part.a & study.validate, part.b & study.validate
    at = np.concatenate([np.flatnonzero(a), np.flatnonzero(b)])
    m = len(scores)
    if not m or not comparable(a, b, part.strata):
        none = np.full(m, 0.5)
        return Tested(none, np.tile([0.0, 1.0], (m, 1)), np.ones(m), 1.0, np.ones(m, np.bool_))
    design = study.table.sets(a, b, part.names, study.clusters, part.strata).everything.design
    values = scores[:, at]
    rows = values if part.one_way else np.concatenate([values, -values])
    found = stats.test(rows, design, permutations=study.config.permutations, rng=rng)
    if part.one_way:
        return Tested(found.auroc, found.ci, found.p_value, found.p_global, np.ones(m, np.bool_))
    up = found.p_value[:m] <= found.p_value[m:]
    p = np.minimum(1.0, 2 * np.minimum(found.p_value[:m], found.p_value[m:]))
    ci = np.where(up[:, None], found.ci[:m], found.ci[m:])
    area = np.where(up, found.auroc[:m], found.auroc[m:])
    return Tested(area, ci, p, found.p_global, up)


def comparable(a: BoolArray, b: BoolArray, strata: Labels | None) -> bool:
    """Whether some stratum has images of both sides, in this half."""
    if strata is None:
        return bool(a.any() and b.any())
    sides = [{strata[i] for i in np.flatnonzero(mask)} - {None} for mask in (a, b)]
    return bool(sides[0] & sides[1])


def along_order(
    scores: Scores,
    study: Study,
    rng: np.random.Generator,
) -> Tested:
    plan = study.plan
    assert plan.order is not None
    at = np.flatnonzero(study.validate & ~np.isnan(plan.order))
    m = len(scores)
    if not m:
        return Tested(np.zeros(0), np.zeros((0, 2)), np.zeros(0), 1.0, np.zeros(0, np.bool_))
    values = scores[:, at]
    grouped = [study.clusters[i] for i in at]
    strata = None if plan.strata is None else [plan.strata[i] for i in at]
    found = stats.trend(
        np.concatenate([values, -values]),
        plan.order[at],
        clusters=grouped if any(label is not None for label in grouped) else None,
        strata=strata,
        permutations=study.config.permutations,
        rng=rng,
    )
    up = found.p_value[:m] <= found.p_value[m:]
    p = np.minimum(1.0, 2 * np.minimum(found.p_value[:m], found.p_value[m:]))
    ci = np.where(up[:, None], found.ci[:m], found.ci[m:])
    area = np.where(up, found.concordance[:m], found.concordance[m:])
    return Tested(area, ci, p, found.p_global, up)


def with_q(tested: Sequence[Tested], alpha: float) -> list[Tested]:
    """q over the whole: see the module."""
    q = stats.across_families(
        [one.p_value for one in tested], alpha, [one.p_global for one in tested]
    )
    return [replace(one, q_value=mine) for one, mine in zip(tested, q, strict=True)]
