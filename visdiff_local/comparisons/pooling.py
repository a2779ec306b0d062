"""Which texts are tested: what the proposers find in each part, pooled, and each meaning once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.comparisons.class_mix import of_classes
from visdiff_local.comparisons.plan import Part
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.testing import comparable
from visdiff_local.images.listing import taken
from visdiff_local.pipeline import propose
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.proposers import dedupe
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.pipeline.split import Fold
from visdiff_local.protocols import FloatArray
from visdiff_local.types import Hypothesis, Provenance


@dataclass(frozen=True, slots=True)
class Pooled:
    """A text, and those of the same meaning that it stands for."""

    text: str
    similar: tuple[str, ...] = ()


def pooled(
    study: Study,
    roles: RunModels,
    rng: np.random.Generator,
) -> list[Pooled]:
    """The user's own texts as they are; else what is found in any part, and a text for each class
    of predictions. Of texts that say the same (:mod:`.dedupe`: near in words, and their scores on
    the explore half go together) the one that parts its part best stays."""
    if study.config.hypotheses:
        return [Pooled(text) for text in study.config.hypotheses]
    found: dict[str, Hypothesis] = {}
    where: dict[str, Part] = {}
    for part in study.plan.parts:
        for hypothesis in _of_part(part, study, roles, rng):
            word = hypothesis.text.casefold()
            found.setdefault(word, hypothesis)
            where.setdefault(word, part)
    classes = {text.casefold(): text for text in of_classes(study.plan)}
    texts = {**{word: one.text for word, one in found.items()}, **classes}
    if not texts:
        return []
    chosen = np.flatnonzero(study.explore)
    refs = taken(study.table.refs, chosen)
    everywhere = Images(refs, np.arange(len(refs)) < 1)
    listed = [Hypothesis(text, "a", Provenance("pool", 0)) for text in texts.values()]
    values = propose.explored(listed, everywhere, roles)
    strength = [
        np.inf if word in classes else _area(row, where[word], found[word], chosen)
        for word, row in zip(texts, values, strict=True)
    ]
    with roles.stage("merge"):
        stands_for = dedupe.same(list(texts.values()), values, strength, roles.embedder)
    words = list(texts)
    return [
        Pooled(texts[words[row]], _similar(row, stands_for[row], words, texts, found))
        for row in sorted(stands_for)
    ]


def _of_part(
    part: Part,
    study: Study,
    roles: RunModels,
    rng: np.random.Generator,
) -> tuple[Hypothesis, ...]:
    a, b = part.a & study.explore, part.b & study.explore
    if not comparable(a, b, part.strata):
        return ()
    sets = study.table.sets(a, b, part.names, study.clusters, part.strata)
    given = study.config.model_copy(
        update={"within": "strata" if part.strata else None, "one_way": part.one_way}
    )
    images = sets.everything
    return propose.hypotheses(Fold(images, images), given, roles, rng)


def _area(row: FloatArray, part: Part, one: Hypothesis, chosen: npt.NDArray[np.intp]) -> float:
    """AUROC on the explore half of the part that proposed it."""
    a, b = part.a[chosen], part.b[chosen]
    kept = a | b
    area = float(stats.auroc(row[None, kept], a[kept])[0])
    return area if one.direction == "a" else 1 - area


def _similar(
    row: int,
    others: list[int],
    words: list[str],
    texts: dict[str, str],
    found: dict[str, Hypothesis],
) -> tuple[str, ...]:
    listed = [texts[words[other]] for other in others]
    for at in (row, *others):
        listed += found[words[at]].similar if words[at] in found else ()
    own = texts[words[row]]
    return tuple(text for text in dict.fromkeys(listed) if text != own)
