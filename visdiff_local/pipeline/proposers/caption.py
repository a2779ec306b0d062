"""The caption proposer: a language model compares the captions of A's images with those of B's.

Two ways of asking. ``list`` is the paper's: both lists of captions, ten concepts wanted; it is for
models that can do it, such as those trained on it. ``contrast`` is for models that cannot: small
samples and forced contrasts (:mod:`.contrast`), general words for what the captions name
(:mod:`.kinds`), and what the words of the captions tell by themselves (:mod:`.keyword`). Whatever
the model proposes is checked on the captions (:mod:`.checks`), and a model that does not propose
at all is noticed (:mod:`.weakness`).
"""

from collections.abc import Iterable, Mapping, Sequence

from visdiff_local import prompts
from visdiff_local.pipeline.proposers import checks, contrast, keyword, kinds
from visdiff_local.pipeline.proposers.base import Asking, Proposals, brief, collect, turns, union
from visdiff_local.pipeline.proposers.phrases import content
from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.pipeline.proposers.weakness import Said, weak
from visdiff_local.protocols import TextModel
from visdiff_local.types import Caption, Direction, Hypothesis, ImageRef, Provenance

LEAST_KEYWORD_Z = checks.LEAST_Z
"""Keywords that join a model's proposals are held to what its words are held to."""


def from_captions(
    samples: Sequence[Sample],
    captions: Mapping[str, Caption],
    llm: TextModel,
    asking: Asking,
) -> Proposals:
    """What the model proposes, in the way of ``asking.style``."""
    if asking.style == "list":
        return _by_lists(samples, captions, llm, asking)
    said_a = _texts((sample.a for sample in samples), captions)
    said_b = _texts((sample.b for sample in samples), captions)
    if not said_a or not said_b:
        return Proposals()
    paired = asking.paired and len(said_a) == len(said_b)
    contrasts, unread = contrast.ask(
        [brief(text) for text in said_a],
        [brief(text) for text in said_b],
        llm,
        rounds=max(contrast.LEAST_ROUNDS, len(samples)),
        family=asking.family,
        goal=asking.goal,
        seed=asking.seed,
        paired=paired,
        grammar=asking.grammar,
    )
    sound, fault = _sound(contrasts, unread, said_a, said_b)
    notes: tuple[str, ...] = ()
    held: dict[contrast.Candidate, checks.Checked] = {}
    if fault is not None:
        notes = (f"{asking.model} {fault}; its proposals were not used, those of keywords were",)
    else:
        able = checks.can_tell(llm, asking.family)
        if not able:
            notes = (
                f"{asking.model} cannot tell what a caption shows: of its proposals only those "
                "were used whose words stand in the captions",
            )
        held = checks.check(
            contrast.counted(sound),
            said_a,
            said_b,
            llm,
            family=asking.family,
            seed=asking.seed,
            ask=able,
        )
        if asking.kinds and able:
            general = kinds.from_kinds(said_a, said_b, llm, family=asking.family)
            held |= {
                contrast.Candidate(one.text, one.direction, 0, 0): checks.Checked(
                    one.text, one.gap, by_words=True
                )
                for one in general
            }
    found = [
        one
        for direction in asking.directions
        for one in _joined(direction, held, said_a, said_b, asking)[
            : asking.concepts * max(1, len(samples))
        ]
    ]
    return Proposals(tuple(found), tuple(unread) if not fault else (), notes)


def _joined(
    direction: Direction,
    held: Mapping[contrast.Candidate, checks.Checked],
    said_a: Sequence[str],
    said_b: Sequence[str],
    asking: Asking,
) -> list[Hypothesis]:
    """The model's proposals and keywords of one direction, by how much more often they are true of
    its side. Of two that say the same in the same words, the model's stays."""
    own, other = (said_a, said_b) if direction == "a" else (said_b, said_a)
    ranked = [
        (checked.gap, Hypothesis(one.text, direction, Provenance("caption", one.round)))
        for one, checked in held.items()
        if one.direction == direction
    ]
    known = {content(hypothesis.text) for _, hypothesis in ranked}
    if asking.keywords:
        for text, z in keyword.contrastive(own, other)[: asking.concepts]:
            if z < LEAST_KEYWORD_Z or content(text) in known:
                continue
            gap = sum(text in keyword.phrases(caption) for caption in own) / len(own)
            gap -= sum(text in keyword.phrases(caption) for caption in other) / len(other)
            ranked.append((gap, Hypothesis(text, direction, Provenance("keyword", 0))))
    ranked.sort(key=lambda item: -item[0])
    return list(union(hypothesis for _, hypothesis in ranked))


def _sound(
    contrasts: Sequence[contrast.Contrast],
    unread: Sequence[str],
    said_a: Sequence[str],
    said_b: Sequence[str],
) -> tuple[list[contrast.Contrast], str | None]:
    """The contrasts without faulty phrases, and what is wrong with the model, if so."""
    said: list[Said] = []
    for one in contrasts:
        sides = [frozenset(content(text) for text in side) for side in (one.a, one.b)]
        for own, other in ((one.a, sides[1]), (one.b, sides[0])):
            said += [Said(text, both=content(text) in other) for text in own or ("",)]
    said += [Said(text, cut=True) for text in unread]
    good, fault = weak(said, said_a, said_b)
    kept = iter(good)
    cleaned = [
        contrast.Contrast(
            tuple(text for text in one.a or ("",) if next(kept)),
            tuple(text for text in one.b or ("",) if next(kept)),
            one.round,
        )
        for one in contrasts
    ]
    return cleaned, fault


def _texts(sides: Iterable[tuple[ImageRef, ...]], captions: Mapping[str, Caption]) -> list[str]:
    """The captions of the images of all samples, each image once."""
    distinct = dict.fromkeys(ref.id for side in sides for ref in side)
    return [captions[identity].text for identity in distinct if identity in captions]


def _by_lists(
    samples: Sequence[Sample], captions: Mapping[str, Caption], llm: TextModel, asking: Asking
) -> Proposals:
    """The paper's proposer: the model sees two lists of captions and lists concepts.

    All rounds and directions are asked in one batch. A round in which a side has no caption at all
    is left out.
    """
    asked = [
        (prompt, direction, number)
        for direction, number, sample in turns(samples, asking.directions)
        if (prompt := _caption_prompt(sample, captions, asking)) is not None
    ]
    replies = llm.complete(
        [prompt for prompt, _, _ in asked], seed=asking.seed, temperature=asking.temperature
    )
    return collect(
        (reply, direction, Provenance("caption", number))
        for reply, (_, direction, number) in zip(replies, asked, strict=True)
    )


def _caption_prompt(sample: Sample, captions: Mapping[str, Caption], asking: Asking) -> str | None:
    if asking.paired:
        pairs = [
            {"a": brief(captions[x.id].text), "b": brief(captions[y.id].text)}
            for x, y in zip(sample.a, sample.b, strict=True)
            if x.id in captions and y.id in captions
        ]
        if not pairs:
            return None
        return prompts.render(
            "propose_paired", asking.family, pairs=pairs, n=asking.concepts, goal=asking.goal
        )
    said = [
        [brief(captions[r.id].text) for r in side if r.id in captions]
        for side in (sample.a, sample.b)
    ]
    if not all(said):
        return None
    return prompts.render(
        "propose",
        asking.family,
        captions_a=said[0],
        captions_b=said[1],
        n=asking.concepts,
        goal=asking.goal,
    )
