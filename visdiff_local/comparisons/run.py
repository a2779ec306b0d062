"""A comparison, top to bottom: read once, propose part by part, score once, conclude together.

Every text is scored on every image of the validate half, one matrix, and tested in every part.
False discoveries are controlled over the whole: parts are families of tests, selected first, within
which q counts as often as parts were passed over (Benjamini & Bogomolov 2014).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from visdiff_local.comparisons import changes as change_points
from visdiff_local.comparisons import parts
from visdiff_local.comparisons import table as tables
from visdiff_local.comparisons.accuracy import accuracies
from visdiff_local.comparisons.describe import described, summary
from visdiff_local.comparisons.image_table import image_table
from visdiff_local.comparisons.plan import Asked, make
from visdiff_local.comparisons.pooling import pooled
from visdiff_local.comparisons.remarks import many, remarks
from visdiff_local.comparisons.study import Study
from visdiff_local.comparisons.table import Table
from visdiff_local.comparisons.testing import Tested, along_order, in_part, with_q
from visdiff_local.config import RunConfig
from visdiff_local.errors import UsageError
from visdiff_local.images import ImageSet
from visdiff_local.images.listing import taken
from visdiff_local.images.table import ImageTable
from visdiff_local.models.domain import outside as share_outside
from visdiff_local.models.pool import ModelPool
from visdiff_local.pipeline import provenance, rank
from visdiff_local.pipeline.conclusion import BELIEVED_UP_TO
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.pipeline.split import Fold
from visdiff_local.pipeline.warnings import about_pixels
from visdiff_local.protocols import FloatArray
from visdiff_local.store import Store
from visdiff_local.system.progress import Progress
from visdiff_local.types import Hypothesis, ImageRef, Provenance
from visdiff_local.types.comparison import ComparisonResult, Text


def compare(
    asked: Asked,
    config: RunConfig,
    sides: Sequence[ImageSet],
    models: ModelPool,
    store: Store,
    progress: Progress | None = None,
    keep: Callable[[ImageTable, Sequence[ImageRef]], None] | None = None,
) -> ComparisonResult:
    """Carries out what was asked over one table, or over two for ``each``.

    Raises:
        InputError: a column is missing, or nothing can be compared.
        UsageError: a ranker that looks at the sets, which are many here; a sample to rank.
    """
    if ">" in config.ranker:
        raise UsageError(
            "--ranker: a cascade chooses texts by two sets, and here there are many; "
            "choose clip, vqa, caption-qa or an ensemble of them"
        )
    if config.rank_sample is not None:
        raise UsageError(
            f"--rank-sample {config.rank_sample}: of two sets alone; a comparison of many tests on "
            "every image of the validate half. --max-images N draws from each table or folder "
            "before it is read"
        )
    roles = RunModels(models, store, progress)
    rng = np.random.default_rng(config.seed)

    # Read, plan, split: once for all parts.
    table = tables.read(sides, config, roles)
    plan = make(table, asked, config.within)
    for warning in many(plan):
        roles.progress.say(f"warning: {warning}")
    clusters = table.clusters(config)
    explore = tables.explored(table, clusters, plan.kinds, config, rng)

    # Propose part by part; score every text once on every image.
    study = Study(table, plan, clusters, explore, config)
    pool = pooled(study, roles, rng)
    texts = [one.text for one in pool]
    scores = _scores(texts, study, roles, rng)

    # Test every text in every part (along an order: trends and changes), and conclude over all.
    if plan.order is None:
        tests = _in_parts(scores, study, roles, rng)
    else:
        tests = [along_order(scores, study, rng)]
    changes = change_points.along(scores, study, rng)
    both = with_q([*tests, *([changes.tested()] if changes else [])], config.alpha)
    tested = both[: len(tests)]
    placed = change_points.placed(changes, both[-1].q_value, scores, study)
    found = described(pool, scores, tested, study, roles, placed)
    found = _with_accuracy(found, study, roles, rng)
    outside = _outside(table, roles)
    if keep is not None:
        images = image_table(texts, scores, study, roles)
        keep(images, table.refs)
    folders = parts.folders([part.name for part in plan.parts])
    info = provenance.info(config, roles.pool.profile.name, roles, table.window)
    return ComparisonResult(
        kind=asked.kind,
        columns=asked.columns,
        groups=plan.values,
        texts=found,
        comparisons=tuple(
            summary(part, one, texts, found, folder)
            for part, one, folder in zip(plan.parts, tested, folders.values(), strict=True)
        ),
        conclusion=_conclusion(found, outside),
        images=len(table.refs),
        explore=int(explore.sum()),
        validate=int((~explore).sum()),
        skipped=tuple(skipped for side in table.sides for skipped in side.skipped),
        warnings=(
            *remarks(found, outside, plan, asked),
            *about_pixels(table.window, table.refs, table.facts),
        ),
        config=dict(info.config),
        seconds=roles.seconds,
        models=info.models,
        versions=info.versions,
    )


def _in_parts(
    scores: FloatArray,
    study: Study,
    roles: RunModels,
    rng: np.random.Generator,
) -> list[Tested]:
    tests = []
    with roles.stage("test", len(study.plan.parts)):
        for part in study.plan.parts:
            tests.append(in_part(part, scores, study, rng))
            roles.progress.advance(1)
    return tests


def _scores(
    texts: Sequence[str],
    study: Study,
    roles: RunModels,
    rng: np.random.Generator,
) -> FloatArray:
    """Float32 (M, N). Those of the explore half test nothing; where an answer is costly, they are
    NaN."""
    config = study.config
    values = np.full((len(texts), len(study.table.refs)), np.nan, np.float32)
    at = np.flatnonzero(study.validate | (config.ranker == "clip"))
    if texts and len(at):
        refs = taken(study.table.refs, at)
        values[:, at] = _scored(texts, refs, config, roles, rng)
    return values


def _scored(
    texts: Sequence[str],
    refs: Sequence[ImageRef],
    config: RunConfig,
    roles: RunModels,
    rng: np.random.Generator,
) -> FloatArray:
    images = Images(refs, np.arange(len(refs)) < 1)
    asked = [Hypothesis(text, "a", Provenance("comparison", 0)) for text in texts]
    return rank.scores(asked, Fold(images, images), config, roles, rng).values


def _with_accuracy(
    found: Sequence[Text],
    study: Study,
    roles: RunModels,
    rng: np.random.Generator,
) -> tuple[Text, ...]:
    """Confirmed texts with the models' accuracy, over the images of both halves: whether a text is
    confirmed was settled on one, how many images show it is best counted on all."""
    table, plan = study.table, study.plan
    sure = [text.text for text in found if text.verdict == "confirmed"]
    if plan.right is None or not sure:
        return tuple(found)
    values = dict(zip(sure, _scored(sure, table.refs, study.config, roles, rng), strict=True))
    everywhere = np.ones(len(table.refs), np.bool_) if plan.known is None else plan.known
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
