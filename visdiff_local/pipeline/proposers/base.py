"""Proposers: a sample of both sets → candidate differences, in both directions.

Every proposer is asked for what is more true of the first set it is shown. For direction "b" the
sets change places and the same question is asked again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from visdiff_local import prompts
from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.prompts import replies as parsing
from visdiff_local.protocols import FeatureProposer, ImageProposer, TextModel
from visdiff_local.types import Caption, Direction, Hypothesis, ImageRef, Provenance

GRID_COLUMNS = 10
CAPTION_WORDS = 80
"""Longer captions are cut in the prompt, so that no single one can fill a model's context."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How to ask: what all proposers share."""

    concepts: int = 10
    """Hypotheses wanted a round and direction."""
    goal: str = ""
    directions: tuple[Direction, ...] = ("a", "b")
    seed: int = 0
    temperature: float = 0.0
    family: str = "default"
    paired: bool = False
    """The samples hold pairs, which are shown side by side."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """Hypotheses, and the raw replies that held none although they did not say "nothing"."""

    hypotheses: tuple[Hypothesis, ...] = ()
    unparsed: tuple[str, ...] = ()

    def __add__(self, other: "Proposals") -> "Proposals":
        return Proposals(self.hypotheses + other.hypotheses, self.unparsed + other.unparsed)


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
        for direction, number, sample in _turns(samples, asking.directions)
        if (prompt := _caption_prompt(sample, captions, asking)) is not None
    ]
    replies = llm.complete(
        [prompt for prompt, _, _ in asked], seed=asking.seed, temperature=asking.temperature
    )
    return collect(
        (reply, direction, Provenance("caption", number))
        for reply, (_, direction, number) in zip(replies, asked, strict=True)
    )


def from_images(
    samples: Sequence[Sample],
    proposer: ImageProposer,
    asking: Asking,
    *,
    grid: bool = True,
) -> Proposals:
    """A vision-language model looks at all images of a round at once.

    Args:
        grid: as one picture of ten columns, A on top, as in the paper; else as many pictures.
    """
    results = Proposals()
    for direction, number, sample in _turns(samples, asking.directions):
        shown = _grid_sample(sample) if grid else sample
        prompt = prompts.render(
            "image_propose" if grid else "image_propose_multi",
            asking.family,
            n=asking.concepts,
            goal=asking.goal,
            rows=len(shown.a) // GRID_COLUMNS,
            n_a=len(shown.a),
            n_b=len(shown.b),
        )
        replies = proposer.describe([shown.a + shown.b], prompt, seed=asking.seed, grid=grid)
        provenance = Provenance("image", number)
        results += collect((reply, direction, provenance) for reply in replies)
    return results


def from_features(
    samples: Sequence[Sample], proposer: FeatureProposer, asking: Asking
) -> Proposals:
    """BLIP-2 puts the difference of the sets' mean vision features into words (the paper, 4.1)."""
    results = Proposals()
    for direction, number, sample in _turns(samples, asking.directions):
        texts = proposer.describe_difference(
            sample.a, sample.b, samples=asking.concepts, seed=asking.seed + number
        )
        provenance = Provenance("feature", number)
        kept = [(text, parsing.phrase(text)) for text in texts]
        results += Proposals(
            tuple(Hypothesis(clean, direction, provenance) for _, clean in kept if clean),
            tuple(text for text, clean in kept if not clean),
        )
    return results


def union(hypotheses: Iterable[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Each text once a direction, up to case; the first to say it keeps the credit."""
    first: dict[tuple[str, Direction], Hypothesis] = {}
    for hypothesis in hypotheses:
        first.setdefault((hypothesis.text.casefold(), hypothesis.direction), hypothesis)
    return tuple(first.values())


def collect(replies: Iterable[tuple[str, Direction, Provenance]]) -> Proposals:
    """Parses replies; see :func:`visdiff_local.prompts.replies.hypotheses`."""
    hypotheses: list[Hypothesis] = []
    unparsed: list[str] = []
    for reply, direction, provenance in replies:
        texts = parsing.hypotheses(reply)
        hypotheses += [Hypothesis(text, direction, provenance) for text in texts]
        if not texts and not parsing.says_nothing(reply):
            unparsed.append(reply)
    return Proposals(union(hypotheses), tuple(unparsed))


def brief(text: str) -> str:
    """The caption's first :data:`CAPTION_WORDS` words."""
    return " ".join(text.split()[:CAPTION_WORDS])


def _turns(
    samples: Sequence[Sample], directions: Sequence[Direction]
) -> Iterable[tuple[Direction, int, Sample]]:
    for number, sample in enumerate(samples):
        for direction in directions:
            yield direction, number, sample if direction == "a" else sample.swapped()


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


def _grid_sample(sample: Sample) -> Sample:
    """Both sides cut, or repeated, to the same number of full grid rows."""
    rows = max(1, min(len(sample.a), len(sample.b)) // GRID_COLUMNS)
    return Sample(_fill(sample.a, rows * GRID_COLUMNS), _fill(sample.b, rows * GRID_COLUMNS))


def _fill(images: tuple[ImageRef, ...], wanted: int) -> tuple[ImageRef, ...]:
    repeats = -(-wanted // len(images))
    return tuple(chain.from_iterable([images] * repeats))[:wanted]
