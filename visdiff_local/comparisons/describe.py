"""What is said of every text: its verdict in every part, its support, trend and examples."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.comparisons.across import of_few_classes
from visdiff_local.comparisons.class_mix import class_mix, held_fixed
from visdiff_local.comparisons.plan import Part
from visdiff_local.comparisons.pooling import Pooled
from visdiff_local.comparisons.redundancy import redundant
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.table import BoolArray
from visdiff_local.comparisons.testing import Tested
from visdiff_local.config import P_YES_RANKERS
from visdiff_local.images.listing import taken
from visdiff_local.pipeline import support
from visdiff_local.pipeline.evidence import evidence
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.protocols import FloatArray
from visdiff_local.types import Direction, Evidence, Hypothesis, Provenance, Verdict
from visdiff_local.types.comparison import Change, InGroup, PartSummary, Text, Trend


def described(
    pool: Sequence[Pooled],
    scores: FloatArray,
    tested: Sequence[Tested],
    study: Study,
    roles: RunModels,
    changes: Mapping[int, Change],
) -> tuple[Text, ...]:
    """Every text with its figures in every part, the confirmed first, then by AUROC."""
    plan, texts = study.plan, [one.text for one in pool]
    verdicts, supports, follows = _verdicts(texts, scores, tested, study, roles)
    first = plan.parts[0]
    p = tested[0].p_value
    mixed = class_mix(texts, first, p, scores, study)
    found = []
    for row, text in enumerate(texts):
        where = _telling(row, tested, verdicts)
        one, part = tested[where], plan.parts[min(where, len(plan.parts) - 1)]
        mix = None if verdicts[where][row] == "confirmed" else mixed.get(row)
        plain, to_a = mix or (None, bool(one.leans_to_a[row]))
        leaning = part.names[0 if to_a else 1]
        by_group = {}
        if plan.order is None:
            by_group = {
                each.name: _in_group(row, other, verdict[row], scores, each.a & study.validate)
                for each, other, verdict in zip(plan.parts, tested, verdicts, strict=True)
            }
        shown = _evidence(row, to_a, scores, study, part)
        own, others = (shown.a, shown.b) if to_a else (shown.b, shown.a)
        found.append(
            Text(
                text=text,
                similar=pool[row].similar,
                auroc=float(one.area[row]),
                direction=part.name if part.one_way else leaning,
                part=part.name,
                verdict=verdicts[where][row],
                support=supports.get((where, row)),
                redundant=(where, row) in follows,
                follows_from=texts[follows[where, row]] if (where, row) in follows else None,
                auroc_plain=plain,
                class_mix=mix is not None,
                by_group=by_group,
                trend=None
                if plan.order is None
                else _trend(row, one, scores, study, changes.get(row)),
                examples=own,
                others=others,
                against=shown.against,
            )
        )
    order = {"confirmed": 0, "unsupported": 1, "suggestive": 2, "rejected": 3}
    return tuple(sorted(found, key=lambda text: (order[text.verdict], -text.auroc)))


def summary(
    part: Part, one: Tested, texts: Sequence[str], found: Sequence[Text], folder: str
) -> PartSummary:
    """One two-set comparison of the whole."""
    verdict_of = {text.text: text for text in found}
    confirmed = []
    for row, text in enumerate(texts):
        here = verdict_of[text].by_group.get(part.name)
        sure = here.verdict == "confirmed" if here else verdict_of[text].verdict == "confirmed"
        if sure:
            confirmed.append(f"{part.names[0 if one.leans_to_a[row] else 1]}: {text}")
    return PartSummary(
        part.name,
        *part.names,
        int(part.a.sum()),
        int(part.b.sum()),
        "differences found" if confirmed else "no difference found" if texts else "nothing tested",
        one.p_global,
        tuple(confirmed),
        folder,
    )


def _verdicts(
    texts: Sequence[str],
    scores: FloatArray,
    tested: Sequence[Tested],
    study: Study,
    roles: RunModels,
) -> tuple[list[list[Verdict]], dict[tuple[int, int], float], dict[tuple[int, int], int]]:
    """By part and text; the support of those that would be confirmed; and the stronger text that
    each redundant one follows from."""
    plan, config = study.plan, study.config
    supports: dict[tuple[int, int], float] = {}
    follows: dict[tuple[int, int], int] = {}
    verdicts: list[list[Verdict]] = []
    fixed = held_fixed(texts, plan)
    for where, one in enumerate(tested):
        assert one.q_value is not None
        sure = (one.q_value <= config.alpha) & (one.ci[:, 0] > config.floor) & ~fixed
        row_verdicts: list[Verdict] = [
            "confirmed" if yes else "suggestive" if maybe else "rejected"
            for yes, maybe in zip(sure, (one.p_value <= config.alpha) & ~fixed, strict=True)
        ]
        part = plan.parts[min(where, len(plan.parts) - 1)]
        rows = np.flatnonzero(sure)
        found, floor = _support(rows, texts, scores, one, part, study, roles)
        for row, held in zip(rows.tolist(), found, strict=False):
            supports[where, row] = held
            if held < floor:
                row_verdicts[row] = "unsupported"
        shown = np.array([verdict == "confirmed" for verdict in row_verdicts], np.bool_)
        explained = redundant(one, shown, scores, part, study)
        for row, stronger in explained.items():
            row_verdicts[row] = "suggestive"
            follows[where, row] = stronger
        verdicts.append(row_verdicts)
    narrow = of_few_classes(verdicts, tested, scores, study)
    for row, cause in narrow.items():
        verdicts[-1][row] = "suggestive"
        if cause is not None:
            follows[len(tested) - 1, row] = cause
    return verdicts, supports, follows


def _support(
    rows: npt.NDArray[np.int64],
    texts: Sequence[str],
    scores: FloatArray,
    one: Tested,
    part: Part,
    study: Study,
    roles: RunModels,
) -> tuple[list[float], float]:
    if not len(rows):
        return [], 0.0
    a, b = np.flatnonzero(part.a & study.validate), np.flatnonzero(part.b & study.validate)
    images = Images.of(taken(study.table.refs, a), taken(study.table.refs, b))
    directions: list[Direction] = ["a" if one.leans_to_a[row] else "b" for row in rows]
    asked = [
        Hypothesis(texts[row], direction, Provenance("comparison", 0))
        for row, direction in zip(rows, directions, strict=True)
    ]
    values = scores[rows][:, np.concatenate([a, b])]
    if study.config.ranker in P_YES_RANKERS:
        return support.by_answers(asked, values, images), support.YES
    if "clip" not in study.config.ranker_names:
        return [], 0.0
    family = roles.family("embedder")
    return (
        support.by_concepts(asked, values, images, embedder=roles.embedder, family=family),
        support.FITS,
    )


def _telling(row: int, tested: Sequence[Tested], verdicts: Sequence[Sequence[Verdict]]) -> int:
    """The part in which a text tells most: of those where it is confirmed the one of the largest
    AUROC (a class before all classes together), else where p is least."""

    def key(where: int) -> tuple[bool, float]:
        sure = verdicts[where][row] == "confirmed"
        one = tested[where]
        return not sure, float(-one.area[row] if sure else one.p_value[row])

    return min(range(len(tested)), key=key)


def _in_group(
    row: int, one: Tested, verdict: Verdict, scores: FloatArray, mine: BoolArray
) -> InGroup:
    """Towards A of its part, whichever way the text leans."""
    area, (low, high) = float(one.area[row]), one.ci[row]
    if not one.leans_to_a[row]:
        area, low, high = 1 - area, 1 - high, 1 - low
    assert one.q_value is not None
    mean = float(np.nanmean(scores[row, mine])) if mine.any() else float("nan")
    return InGroup(
        area,
        (float(low), float(high)),
        float(one.p_value[row]),
        float(one.q_value[row]),
        verdict,
        mean,
    )


def _trend(
    row: int,
    one: Tested,
    scores: FloatArray,
    study: Study,
    change: Change | None,
) -> Trend:
    assert one.q_value is not None
    group = np.array([label or "" for label in study.plan.group])
    means, bands = {}, {}
    for label in study.plan.values:
        mine = np.flatnonzero((group == label) & study.validate)
        if len(mine):
            mean, *ends = stats.mean_interval(scores[row, mine], [study.clusters[i] for i in mine])
            means[label] = mean
            if not np.isnan(ends).any():
                bands[label] = (ends[0], ends[1])
    low, high = one.ci[row]
    area = float(one.area[row])
    if not one.leans_to_a[row]:
        area, low, high = 1 - area, 1 - high, 1 - low
    figures = float(one.p_value[row]), float(one.q_value[row])
    return Trend(area, (float(low), float(high)), *figures, means, bands, change)


def _evidence(row: int, to_a: bool, scores: FloatArray, study: Study, part: Part) -> Evidence:
    """The images for and against a text, of the two sides of the part where it tells most."""
    places = [np.flatnonzero(side & study.validate) for side in (part.a, part.b)]
    if not all(map(len, places)):
        return Evidence()
    images = Images.of(*(taken(study.table.refs, side) for side in places))
    direction: Direction = "a" if to_a else "b"
    return evidence(scores[row, np.concatenate(places)], images, direction)
