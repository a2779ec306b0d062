"""The paper's proposer: a language model compares the captions of A's images with those of B's."""

from collections.abc import Mapping, Sequence

from visdiff_local import prompts
from visdiff_local.pipeline.proposers.base import Asking, Proposals, brief, collect, turns
from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.protocols import TextModel
from visdiff_local.types import Caption, Provenance


def from_captions(
    samples: Sequence[Sample],
    captions: Mapping[str, Caption],
    llm: TextModel,
    asking: Asking,
) -> Proposals:
    """The paper's proposer: a language model compares the two lists of captions.

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
