"""A comparison, top to bottom: read once, propose part by part, score once, conclude together.

Every text is scored on every image of the validate half, one matrix, and tested in every part.
False discoveries are controlled over the whole: parts are families of tests, selected first, within
which q counts as often as parts were passed over (Benjamini & Bogomolov 2014).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from visdiff_local.comparisons import table as tables
from visdiff_local.comparisons.accuracy import accuracies
from visdiff_local.comparisons.class_mix import of_classes
from visdiff_local.comparisons.describe import described, summary
from visdiff_local.comparisons.image_table import image_table
from visdiff_local.comparisons.outcome import Comparison, Text
from visdiff_local.comparisons.plan import Asked, Plan, make
from visdiff_local.comparisons.table import BoolArray, Labels, Table
from visdiff_local.comparisons.testing import along_order, comparable, in_part, with_q
from visdiff_local.config import RunConfig
from visdiff_local.errors import UsageError
from visdiff_local.images import ImageSet
from visdiff_local.images.table import ImageTable
from visdiff_local.models.domain import outside as share_outside
from visdiff_local.models.pool import ModelPool
from visdiff_local.pipeline import propose, rank
from visdiff_local.pipeline.conclusion import BELIEVED_UP_TO
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.pipeline.split import Fold
from visdiff_local.protocols import FloatArray
from visdiff_local.store import Store
from visdiff_local.system.progress import Progress
from visdiff_local.types import Hypothesis, ImageRef, Provenance


def compare(
    asked: Asked,
    config: RunConfig,
    sides: Sequence[ImageSet],
    models: ModelPool,
    store: Store,
    progress: Progress | None = None,
    keep: Callable[[ImageTable], None] | None = None,
) -> Comparison:
    """Carries out what was asked over one table, or over two for ``each``.

    Raises:
        InputError: a column is missing, or nothing can be compared.
        UsageError: a ranker that looks at the sets, which are many here.
    """
    if ">" in config.ranker:
        raise UsageError(
            "--ranker: a cascade chooses texts by two sets, and here there are many; "
            "choose clip, vqa, caption-qa or an ensemble of them"
        )
    roles = RunModels(models, store, progress)
    rng = np.random.default_rng(config.seed)

    # Read, plan, split: once for all parts.
    table = tables.read(sides, config, roles)
    plan = make(table, asked, config.within)
    clusters = table.clusters(config)
    explore = tables.halve(clusters, plan.kinds, rng)

    # Propose part by part; score every text once on every image.
    texts = _texts(table, plan, clusters, explore, config, roles, rng)
    scores = _scores(texts, table, explore, config, roles, rng)

    # Test every text in every part, and conclude over all of them.
    tested = [in_part(part, scores, table, clusters, explore, config, rng) for part in plan.parts]
    if plan.order is not None:
        tested = [along_order(plan, scores, clusters, explore, config, rng)]
    tested = with_q(tested, config.alpha)
    found = described(texts, scores, tested, table, plan, clusters, explore, config, roles)
    found = _with_accuracy(found, table, plan, config, roles, rng)
    outside = _outside(table, roles)
    if keep is not None:
        keep(image_table(texts, scores, table, plan, clusters, explore, roles))
    return Comparison(
        kind=asked.kind,
        columns=asked.columns,
        groups=tuple(dict.fromkeys(label for label in plan.group if label is not None)),
        texts=found,
        comparisons=tuple(
            summary(part, one, texts, found) for part, one in zip(plan.parts, tested, strict=True)
        ),
        conclusion=_conclusion(found, outside),
        images=len(table.refs),
        explore=int(explore.sum()),
        validate=int((~explore).sum()),
        skipped=tuple(skipped for side in table.sides for skipped in side.skipped),
        warnings=tuple(_warnings(found, outside, asked)),
        config=config.as_dict(),
        seconds=roles.seconds,
    )


def _texts(
    table: Table,
    plan: Plan,
    clusters: Labels,
    explore: BoolArray,
    config: RunConfig,
    roles: RunModels,
    rng: np.random.Generator,
) -> list[str]:
    """What the proposers find in any part, each text once; or the user's own."""
    if config.hypotheses:
        return list(config.hypotheses)
    found: dict[str, str] = {}
    for part in plan.parts:
        a, b = part.a & explore, part.b & explore
        if not comparable(a, b, part.strata):
            continue
        sets = table.sets(a, b, part.names, clusters, part.strata)
        given = config.model_copy(
            update={"within": "strata" if part.strata else None, "one_way": part.one_way}
        )
        images = sets.everything
        for hypothesis in propose.hypotheses(Fold(images, images), given, roles, rng):
            found.setdefault(hypothesis.text.casefold(), hypothesis.text)
    for text in of_classes(plan):
        found.setdefault(text.casefold(), text)
    return list(found.values())


def _scores(
    texts: Sequence[str],
    table: Table,
    explore: BoolArray,
    config: RunConfig,
    roles: RunModels,
    rng: np.random.Generator,
) -> FloatArray:
    """Float32 (M, N), NaN on the explore half."""
    values = np.full((len(texts), len(table.refs)), np.nan, np.float32)
    validate = np.flatnonzero(~explore)
    if texts and len(validate):
        refs = tuple(table.refs[i] for i in validate)
        values[:, validate] = _scored(texts, refs, config, roles, rng)
    return values


def _scored(
    texts: Sequence[str],
    refs: Sequence[ImageRef],
    config: RunConfig,
    roles: RunModels,
    rng: np.random.Generator,
) -> FloatArray:
    images = Images(tuple(refs), np.arange(len(refs)) < 1)
    asked = [Hypothesis(text, "a", Provenance("comparison", 0)) for text in texts]
    return rank.scores(asked, Fold(images, images), config, roles, rng).values


def _with_accuracy(
    found: Sequence[Text],
    table: Table,
    plan: Plan,
    config: RunConfig,
    roles: RunModels,
    rng: np.random.Generator,
) -> tuple[Text, ...]:
    """Confirmed texts with the models' accuracy, over the images of both halves: whether a text is
    confirmed was settled on one, how many images show it is best counted on all."""
    sure = [text.text for text in found if text.verdict == "confirmed"]
    if plan.right is None or not sure:
        return tuple(found)
    values = dict(zip(sure, _scored(sure, table.refs, config, roles, rng), strict=True))
    everywhere = np.ones(len(table.refs), np.bool_)
    return tuple(
        replace(text, accuracy=accuracies(values[text.text], plan.right, everywhere))
        if text.text in values
        else text
        for text in found
    )


def _outside(table: Table, roles: RunModels) -> float | None:
    domain = roles.domain()
    if domain is None:
        return None
    return share_outside(roles.embedder.embed_images(table.refs), domain)


def _conclusion(found: Sequence[Text], outside: float | None) -> str:
    if not found:
        return "nothing tested"
    if outside is not None and outside > BELIEVED_UP_TO:
        return "not to be believed"
    return (
        "differences found"
        if any(text.verdict == "confirmed" for text in found)
        else "no difference found"
    )


def _warnings(found: Sequence[Text], outside: float | None, asked: Asked) -> list[str]:
    said = []
    if not found:
        said.append(
            "nothing was proposed: try --proposer caption,keyword, more --rounds, or name your "
            'own texts with --text "a hat"'
        )
    if outside is not None and outside > BELIEVED_UP_TO:
        said.append(
            f"the embedder knows other images than {outside:.0%} of these: do not believe this "
            "result; use real weights (visdiff-local models list)"
        )
    return said
