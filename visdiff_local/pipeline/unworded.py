"""What no text has said: whether the images differ at all, and how much of it the texts explain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local import stats
from visdiff_local.config import RunConfig
from visdiff_local.images.listing import taken
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.propose import clip
from visdiff_local.pipeline.read import Sets
from visdiff_local.pipeline.verdicts import Tested

AT_MOST = 20_000
"""Images whose embeddings are held together; of more, whole units are drawn."""


@dataclass(frozen=True, slots=True)
class Unworded:
    """None where the run has no embeddings to tell it from."""

    p_any: float | None = None
    explained: float | None = None
    """The share of the difference that the confirmed texts account for; None without any."""


def test(
    sets: Sets,
    settled: Sequence[Tested],
    config: RunConfig,
    roles: RunModels,
    rng: np.random.Generator,
) -> Unworded:
    """On all images, since no text was chosen on any: of many, on a sample of whole clusters."""
    if config.stats == "paper" or not _embeds(settled, config):
        return Unworded()
    images = sets.everything
    refs, design = images.refs, images.design
    if len(refs) > AT_MOST:
        chosen = np.flatnonzero(design.halve(rng, AT_MOST / len(refs)))
        refs, design = taken(refs, chosen), design.subset(chosen)
    texts = [
        hypothesis.text
        for fold in settled
        for hypothesis, verdict in zip(fold.hypotheses, fold.standing, strict=True)
        if verdict == "confirmed"
    ]
    with roles.stage("embed", len(refs)):
        vectors = roles.embedder.embed_images(refs)
        scores = clip(roles)(texts, refs) if texts else None
    found = stats.difference(vectors, design, permutations=config.permutations, rng=rng)
    if scores is None:
        return Unworded(found.p_any)
    return Unworded(found.p_any, stats.explained(vectors, scores, design, rng=rng))


def _embeds(settled: Sequence[Tested], config: RunConfig) -> bool:
    """Whether the run embeds its images anyway: to rank, or to merge what was proposed."""
    tested = any(fold.hypotheses for fold in settled)
    return ("clip" in config.ranker_names and tested) or (tested and not config.hypotheses)
