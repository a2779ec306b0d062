"""Set difference captioning, top to bottom: propose on one half, prove on the other.

Dunlap et al., "Describing Differences in Image Sets with Natural Language" (CVPR 2024): captions of
samples of A and B go to a language model, which proposes differences; a ranker scores each of them
on every image and measures how well the score separates A from B. What is added here: the images
that suggest a hypothesis never test it, and every number carries its uncertainty.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visdiff_local.config import RunConfig
from visdiff_local.images import ImageSet
from visdiff_local.images.table import ImageTable
from visdiff_local.models.pool import ModelPool
from visdiff_local.pipeline import (
    conclusion,
    confounds,
    looks,
    per_image,
    propose,
    provenance,
    rank,
    read,
    split,
    summary,
    unworded,
    verdicts,
    warnings,
)
from visdiff_local.pipeline.models import RunModels
from visdiff_local.store import Store
from visdiff_local.system.progress import Progress
from visdiff_local.types import RunResult


@dataclass(frozen=True, slots=True, eq=False)
class Unsettled:
    """What a run has tested before anything is concluded: several can be concluded together."""

    config: RunConfig
    roles: RunModels
    sets: read.Sets
    folds: tuple[split.Fold, ...]
    tested: tuple[verdicts.Tested, ...]
    """Of each fold."""


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
        InputError: a set has no readable image, or lacks a column that an option names.
        WeightsError: a model that this configuration needs has no weights.
    """
    return conclude(test(config, a, b, models, store, progress), keep)


def test(
    config: RunConfig,
    a: ImageSet,
    b: ImageSet,
    models: ModelPool,
    store: Store,
    progress: Progress | None = None,
) -> Unsettled:
    """Reads and splits the sets, proposes on one half, scores and tests on the other."""
    roles = RunModels(models, store, progress)
    rng = np.random.default_rng(config.seed)
    rules = rank.rules(config)

    # Read: content ids, facts of every image, what belongs together. Split: explore and validate.
    sets = read.both(a, b, config, roles)
    folds = split.folds(sets, config, rng)
    # Before hours of captioning, and not after them.
    for warning in warnings.about_domain(provenance.known_early(sets, config, roles), roles):
        roles.progress.say(f"warning: {warning}")

    # Propose on the explore half; score and test on the validate half.
    tested = []
    for fold in folds:
        hypotheses = propose.hypotheses(fold, config, roles, rng)
        scores = rank.scores(hypotheses, fold, config, roles, rng)
        found = verdicts.compare(hypotheses, scores, fold.validate, rules, rng)
        tested.append(rank.supported(found, config, roles))
    return Unsettled(config, roles, sets, folds, tuple(tested))


def conclude(run: Unsettled, keep: Callable[[ImageTable], None] | None = None) -> RunResult:
    """q-values and verdicts over all that was tested, then what is said of it."""
    config, roles, sets, folds = run.config, run.roles, run.sets, run.folds
    rng = np.random.default_rng([config.seed, 1])
    rules = rank.rules(config)
    settled = verdicts.settle(run.tested, rules, rng)
    differences = rank.ranked(folds, settled, config, roles)
    if keep is not None:
        keep(per_image.table(sets, folds, settled, config, roles))

    # Evaluate, where the true difference is known.
    evaluation = rank.evaluation(differences, config, roles)

    # Measure what needs no model, and may explain away what the models see; and whether the sets
    # differ in ways that no text has named.
    measured = confounds.measured(sets, config)
    outside = provenance.outside_domain(sets, roles)
    beyond = unworded.test(sets, settled, config, roles, rng)
    seen = looks.remember(sets, verdicts.p_values(settled), config, roles)

    return RunResult(
        run=provenance.info(config, roles.pool.profile.name, roles, sets.window),
        a=summary.of_set(sets.a, True, folds),
        b=summary.of_set(sets.b, False, folds),
        summary=conclusion.summary(settled, beyond, sets.grouping, seen, outside, rules),
        differences=differences,
        measured=measured,
        evaluation=evaluation,
        duplicates=summary.duplicates(sets),
        outside_domain=outside,
        warnings=(
            *warnings.about_sets(sets, folds, config),
            *warnings.about_pixels(sets.window, sets.everything.refs, sets.facts),
            *warnings.about_design(sets, folds, settled),
            *warnings.about_grouping(sets, settled, config, rng),
            *warnings.about_domain(outside, roles),
            *warnings.about_nothing(settled, config),
            *warnings.about_answers(differences, roles.unparsed_replies),
            *roles.notes,
            *warnings.about_looks(seen, settled, config.alpha),
            *confounds.about(sets, differences, measured, config, roles),
        ),
        calls=roles.calls(),
        seconds=roles.seconds,
    )
