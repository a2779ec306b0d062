"""Proposers: a sample of both sets → candidate differences, in both directions.

Every proposer is asked for what is more true of the first set it is shown. For direction "b" the
sets change places and the same question is asked again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.prompts.replies import hypotheses as parsed
from visdiff_local.prompts.replies import says_nothing
from visdiff_local.types import Direction, Hypothesis, Provenance

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
    style: Literal["list", "contrast"] = "list"
    """How a language model is asked; see :mod:`.caption`."""
    kinds: bool = False
    """Whether ``contrast`` is joined with general words for what the captions name."""
    keywords: bool = True
    """Whether ``contrast`` is joined with keywords."""
    grammar: bool = True
    """Whether the language model can be held to a grammar."""
    model: str = "the language model"
    """Its name, for what is said of it."""

    def by(self, way: str) -> "Asking":
        """The same in a way that models.toml names, such as ``contrast+kinds+keyword``."""
        named = way.split("+")
        return replace(
            self,
            style="list" if "list" in named else "contrast",
            kinds="kinds" in named,
            keywords="keyword" in named,
        )


@dataclass(frozen=True, slots=True)
class Proposals:
    """Hypotheses, the raw replies that held none although they did not say "nothing", and what is
    to be told of the model, a sentence each."""

    hypotheses: tuple[Hypothesis, ...] = ()
    unparsed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: "Proposals") -> "Proposals":
        return Proposals(
            self.hypotheses + other.hypotheses,
            self.unparsed + other.unparsed,
            tuple(dict.fromkeys(self.notes + other.notes)),
        )


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
        texts = parsed(reply)
        hypotheses += [Hypothesis(text, direction, provenance) for text in texts]
        if not texts and not says_nothing(reply):
            unparsed.append(reply)
    return Proposals(union(hypotheses), tuple(unparsed))


def brief(text: str) -> str:
    """The caption's first :data:`CAPTION_WORDS` words."""
    return " ".join(text.split()[:CAPTION_WORDS])


def turns(
    samples: Sequence[Sample], directions: Sequence[Direction]
) -> Iterable[tuple[Direction, int, Sample]]:
    for number, sample in enumerate(samples):
        for direction in directions:
            yield direction, number, sample if direction == "a" else sample.swapped()
