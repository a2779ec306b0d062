"""Set difference captioning, top to bottom: propose on one half, prove on the other.

Dunlap et al., "Describing Differences in Image Sets with Natural Language" (CVPR 2024): captions of
samples of A and B go to a language model, which proposes differences; a ranker scores each of them
on every image and measures how well the score separates A from B. What is added here: the images
that suggest a hypothesis never test it, and every number carries its uncertainty.
"""

from collections.abc import Callable

import numpy as np

from visdiff_local.config import RunConfig
from visdiff_local.images import ImageSet
from visdiff_local.models.pool import ModelPool
from visdiff_local.pipeline import (
    confounds,
    per_image,
    propose,
    provenance,
    rank,
    read,
    split,
    summary,
    verdicts,
    warnings,
)
from visdiff_local.pipeline.models import RunModels
from visdiff_local.store import Store
from visdiff_local.system.progress import Progress
from visdiff_local.types import ImageTable, RunResult


def run(
    config: RunConfig,
    a: ImageSet,
    b: ImageSet,
    models: ModelPool,
    store: Store,
    progress: Progress | None = None,
    keep: Callable[[ImageTable], None] | None = None,
) -> RunResult:
    """Compares A and B as ``config`` says; opens a model only for what the store cannot answer.

    Args:
        keep: is handed the table of all images and their scores, which the result does not hold.

    Raises:
        InputError: a set has no readable image.
        WeightsError: a model that this configuration needs has no weights.
    """
    roles = RunModels(models, store, progress)
    rng = np.random.default_rng(config.seed)
    rules = rank.rules(config)

    # Read: content ids, facts of every image, near-duplicates. Split: explore and validate.
    both = read.both(a, b, config, roles)
    folds = split.folds(both, config, rng)

    # Propose on the explore half; score and compare on the validate half.
    tested = []
    for fold in folds:
        hypotheses = propose.hypotheses(fold, config, roles, rng)
        scores = rank.scores(hypotheses, fold, config, roles, rng)
        tested.append(verdicts.compare(hypotheses, scores, fold.validate, rules, rng))
    settled = verdicts.settle(tested, rules)
    differences = rank.ranked(folds, settled, config, roles)

    if keep is not None:
        keep(per_image.table(both, folds, settled, config, roles))

    # Evaluate, where the true difference is known.
    evaluation = rank.evaluation(differences, config, roles)

    # Measure what needs no model, and may explain away what the models see.
    measured = confounds.measured(both, config)
    outside = provenance.outside_domain(both, roles)

    return RunResult(
        run=provenance.info(config, models.profile.name, roles, both.window),
        a=summary.of_set(both.a, True, folds),
        b=summary.of_set(both.b, False, folds),
        summary=verdicts.summary(settled, measured, rules),
        differences=differences,
        measured=measured,
        evaluation=evaluation,
        duplicates=summary.duplicates(both),
        outside_domain=outside,
        warnings=(
            *warnings.about_sets(both, folds, config),
            *warnings.about_window(both),
            *warnings.about_domain(outside, roles),
            *warnings.about_answers(differences, roles.unparsed_replies),
            *roles.notes,
            *confounds.about(both, differences, measured, config, roles),
        ),
        calls=roles.calls(),
        seconds=roles.seconds,
    )
