"""Which hypotheses are tested: the user's own, or what the proposers find on the explore half."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from visdiff_local.config import RunConfig
from visdiff_local.pipeline.caption import caption_images
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.proposers import base, dedupe, sampling
from visdiff_local.pipeline.proposers.caption import from_captions
from visdiff_local.pipeline.proposers.feature import from_features
from visdiff_local.pipeline.proposers.image import from_images
from visdiff_local.pipeline.proposers.keyword import from_keywords
from visdiff_local.pipeline.proposers.refine import refine
from visdiff_local.pipeline.rankers import scores
from visdiff_local.pipeline.rankers.clip import clip as clip_ranker
from visdiff_local.pipeline.rankers.scores import Images, IntArray, ScoreFunction
from visdiff_local.pipeline.split import Fold, sides
from visdiff_local.protocols import FloatArray, Role
from visdiff_local.types import Caption, Direction, Hypothesis, ImageRef, Provenance


def hypotheses(
    fold: Fold, config: RunConfig, roles: RunModels, rng: np.random.Generator
) -> tuple[Hypothesis, ...]:
    """What is to be tested: the user's own in both directions, or what the proposers find."""
    if config.hypotheses:
        return tuple(
            Hypothesis(text, direction, Provenance("user", 0))
            for text in config.hypotheses
            for direction in directions(config)
        )
    if not config.proposer:
        return ()
    found = _proposed(fold.explore, config, roles, rng)
    for number in range(config.rounds, config.rounds + config.refine):
        found = base.union((*found, *_refined(found, fold.explore, config, roles, number)))
    return _merged(found, fold.explore, roles)


def captions(
    images: Sequence[ImageRef], config: RunConfig, roles: RunModels
) -> Mapping[str, Caption]:
    """Captions by image id. Where every image came with one, no captioner is needed at all."""
    said = _captions(images, config, roles)
    roles.captions.update((id_, caption.text) for id_, caption in said.items())
    return said


def _captions(
    images: Sequence[ImageRef], config: RunConfig, roles: RunModels
) -> Mapping[str, Caption]:
    if all(ref.caption is not None and ref.caption.strip() for ref in images):
        return {ref.id: Caption(ref.id, " ".join(str(ref.caption).split())) for ref in images}
    with roles.stage("caption", len(images)):
        family = roles.family("captioner")
        return caption_images(images, roles.captioner, family=family, style=config.caption_style)


def directions(config: RunConfig) -> tuple[Direction, ...]:
    return ("a",) if config.one_way else ("a", "b")


def explored(found: Sequence[Hypothesis], explore: Images, roles: RunModels) -> FloatArray:
    """CLIP's scores on the explore half: cheap, and good enough to tell which say the same."""
    with roles.stage("embed", len(explore.refs)):
        texts = [h.text for h in found]
        return scores.filled(clip(roles)(texts, explore.refs))


def clip(roles: RunModels) -> ScoreFunction:
    return partial(clip_ranker, embedder=roles.embedder, family=roles.family("embedder"))


def _proposed(
    explore: Images, config: RunConfig, roles: RunModels, rng: np.random.Generator
) -> tuple[Hypothesis, ...]:
    samples = _samples(explore, config, roles, rng)
    shown = tuple(dict.fromkeys(ref for s in samples for ref in (*s.a, *s.b)))
    found = base.Proposals()
    if {"caption", "keyword"} & set(config.proposer):
        said = captions(shown, config, roles)
    with roles.stage("propose"):
        for name in config.proposer:
            if name == "caption":
                found += from_captions(samples, said, roles.llm, _asking("llm", config, roles))
            elif name == "image":
                asking, grid = _asking("vlm", config, roles), not roles.multi_image
                found += from_images(
                    samples,
                    roles.image_proposer,
                    asking,
                    grid=grid,
                    most=roles.most_images,
                )
            elif name == "feature":
                asking = _asking("captioner", config, roles)
                found += from_features(samples, roles.feature_proposer, asking)
            else:
                mined = from_keywords(
                    samples, said, concepts=config.per_round, directions=directions(config)
                )
                found += base.Proposals(mined)
    roles.unparsed_replies += len(found.unparsed)
    roles.notes += [note for note in found.notes if note not in roles.notes]
    return base.union(found.hypotheses)


def _samples(
    explore: Images, config: RunConfig, roles: RunModels, rng: np.random.Generator
) -> list[sampling.Sample]:
    a, b = sides(explore)
    size, rounds = config.samples, config.rounds
    if config.paired_by:
        ids = _by_side(explore, explore.design.pair)
        return sampling.draw_pairs(a, b, *ids, size=size, rounds=rounds, rng=rng)
    if config.within and config.sampling == "random":
        strata = _by_side(explore, explore.design.stratum)
        return sampling.draw_within(a, b, *strata, size=size, rounds=rounds, rng=rng)
    if config.sampling == "random":
        return sampling.draw(a, b, size=size, rounds=rounds, rng=rng)
    with roles.stage("embed", len(a) + len(b)):
        return sampling.draw(
            a,
            b,
            size=size,
            rounds=rounds,
            how=config.sampling,
            rng=rng,
            embedder=roles.embedder,
        )


def _by_side(images: Images, codes: IntArray) -> tuple[IntArray, IntArray]:
    """Codes (N,) of A's images and of B's, in their order."""
    return codes[images.is_a], codes[~images.is_a]


def _refined(
    found: tuple[Hypothesis, ...], explore: Images, config: RunConfig, roles: RunModels, number: int
) -> tuple[Hypothesis, ...]:
    said = captions(explore.refs, config, roles)
    values = explored(found, explore, roles)
    with roles.stage("refine"):
        asking = _asking("llm", config, roles)
        proposals = refine(found, values, explore, said, roles.llm, asking, number=number)
    roles.unparsed_replies += len(proposals.unparsed)
    return proposals.hypotheses


def _merged(
    found: tuple[Hypothesis, ...], explore: Images, roles: RunModels
) -> tuple[Hypothesis, ...]:
    if not found:
        return ()
    values = explored(found, explore, roles)
    with roles.stage("merge"):
        merged, _ = dedupe.merge(found, values, explore.is_a, roles.embedder)
    return merged


def _asking(role: Role, config: RunConfig, roles: RunModels) -> base.Asking:
    return base.Asking(
        concepts=config.per_round,
        goal=config.goal,
        directions=directions(config),
        seed=config.seed,
        family=roles.family(role),
        paired=config.paired_by is not None,
        grammar=roles.obeys_grammar if role == "llm" else True,
        model=roles.name(role),
    ).by(roles.proposing if role == "llm" else "list")
