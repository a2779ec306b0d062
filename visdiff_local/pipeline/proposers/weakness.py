"""A language model that cannot propose is noticed, named in one sentence, and not used.

A weak model does not say that it is weak. It repeats a caption, or what the prompt holds, writes
prose, is cut in the middle, or speaks of the captions: none of that is a hypothesis, and where most
of what it says is of this kind the rest is not worth testing either.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from visdiff_local.pipeline.proposers.phrases import content
from visdiff_local.prompts.replies import phrase

Fault = Literal["echo of A", "echo of B", "prompt", "prose", "cut", "talk", "both", "vague"]

LEAST_SAID = 4
"""Proposals from which a model is judged at all."""
WEAK = 0.5
"""Share of faulty proposals from which nothing of the model is used."""
LONG = 5
"""Words of meaning from which a phrase that stands in one caption is that caption."""
PROSE_WORDS = 12

_PROMPT = frozenset(
    content(text)
    for text in (
        "another difference",
        "general words",
        "a few words",
        "sentences",
        "a dog wearing a hat",
        "visual concepts",
        "a concept",
        "group A",
        "group B",
        "different things",
    )
)
"""What the prompts themselves say."""
_SENTENCE: dict[Fault, str] = {
    "echo of A": "echoes captions: {count} of {all} proposals are captions of A",
    "echo of B": "echoes captions: {count} of {all} proposals are captions of B",
    "prompt": "repeats the prompt: {count} of {all} proposals are words of the request",
    "prose": "writes prose: {count} of {all} proposals are no short phrases",
    "cut": "does not come to an end: {count} of {all} proposals were cut off",
    "talk": "talks about captions: {count} of {all} proposals are not about images",
    "vague": "says nothing in particular: {count} of {all} proposals fit any image",
    "both": "does not tell the groups apart: it says {count} of {all} proposals of both",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One proposal; empty where it held nothing but a frame ("a variety of scenes"). ``cut``: the
    reply was no answer in the form that was asked for, or ended before the model ended it."""

    text: str
    cut: bool = False
    both: bool = False
    """Whether the same was said of the other group in the same breath."""


def fault(said: Said, captions_a: Iterable[str], captions_b: Iterable[str]) -> Fault | None:
    """What is wrong with a proposal; None where nothing is."""
    if said.cut:
        return "cut"
    if not said.text:
        return "vague"
    if len(said.text.split()) > PROSE_WORDS:
        return "prose"
    if phrase(said.text) is None:
        return "talk"
    words = content(said.text)
    if words in _PROMPT:
        return "prompt"
    if said.both:
        return "both"
    for name, captions in (("echo of A", captions_a), ("echo of B", captions_b)):
        if any(_echoes(words, content(caption)) for caption in captions):
            return "echo of A" if name == "echo of A" else "echo of B"
    return None


def _echoes(words: frozenset[str], caption: frozenset[str]) -> bool:
    """Whether a phrase is a caption over again: nearly all of a caption of some length."""
    if len(words) < min(LONG, max(3, len(caption))):
        return False
    return words <= caption or len(words & caption) >= 0.8 * len(words | caption)


def weak(
    said: Sequence[Said], captions_a: Sequence[str], captions_b: Sequence[str]
) -> tuple[list[bool], str | None]:
    """Which proposals are sound, and what the model does instead of proposing: its commonest fault
    in words, where at least :data:`WEAK` of its proposals are faulty."""
    faults = [fault(one, captions_a, captions_b) for one in said]
    found = Counter(one for one in faults if one is not None)
    sound = [one is None for one in faults]
    if len(said) < LEAST_SAID or sum(found.values()) < WEAK * len(said):
        return sound, None
    worst, count = found.most_common(1)[0]
    return sound, _SENTENCE[worst].format(count=count, all=len(said))
