"""Forced contrasts: small samples, and sentences that must say something of both groups.

A small language model that is asked for a list names what is salient, whether both groups share it
or not, and takes any offer to say "nothing". A sentence that the grammar begins with "Group A
shows" and goes on with "while group B shows" cannot do either, and answers both directions at once.
Small samples of captions differ from one another, so that what is named again and again is what
lasts. How this was chosen is measured: ``visdiff-local bench proposer``.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local import prompts
from visdiff_local.pipeline.proposers.phrases import content, plain
from visdiff_local.protocols import TextModel
from visdiff_local.types import Direction

CAPTIONS = 5
"""A side in one small round."""
SENTENCES = 3
"""In one reply."""
LEAST_ROUNDS = 4
TOKENS = 160
"""A reply of three sentences takes about 60."""
_WORDS = 7
"""At most, a side of a sentence."""

_MORE = ' (" " word)?'
GRAMMAR = (
    f"root ::= {'sentence ' * SENTENCES}\n"
    'sentence ::= "Group A shows " side ", while group B shows " side ".\\n"\n'
    f"side ::= word{_MORE * (_WORDS - 1)}\n"
    """word ::= [a-zA-Z]+ ("-" [a-z]+)? ("'s")?\n"""
)
_SENTENCE = re.compile(
    r"Group A shows (.+?),? while group B shows (.+?)(?:\.(?:\s|$)|\s*$)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Contrast:
    """What one sentence says of each side, in the round of this number."""

    a: tuple[str, ...]
    b: tuple[str, ...]
    round: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A phrase said of one side, before it is checked."""

    text: str
    direction: Direction
    votes: int
    """Rounds that said it of this side, less those that said it of the other."""
    round: int
    """The first that said it."""


def ask(
    captions_a: Sequence[str],
    captions_b: Sequence[str],
    llm: TextModel,
    *,
    rounds: int,
    family: str,
    goal: str = "",
    seed: int = 0,
    paired: bool = False,
    grammar: bool = True,
) -> tuple[list[Contrast], list[str]]:
    """The sentences of all rounds, and the replies in which there was none.

    In every other round the groups change places, so that a model which likes to say "indoors"
    first says it of either.

    Args:
        captions_a: texts, as many as there are; each round draws a few. ``paired``: aligned with
            ``captions_b``, and drawn together.
        grammar: whether the model can be held to one; else it is told the form.
    """
    rng = np.random.default_rng([seed, 19])
    asked: list[str] = []
    for number in range(rounds):
        few_a = rng.permutation(len(captions_a))[:CAPTIONS]
        few_b = few_a if paired else rng.permutation(len(captions_b))[:CAPTIONS]
        sides = [[captions_a[i] for i in few_a], [captions_b[i] for i in few_b]]
        first, second = sides if number % 2 == 0 else sides[::-1]
        asked.append(
            prompts.render(
                "contrast",
                family,
                captions_a=first,
                captions_b=second,
                n=SENTENCES,
                goal=goal,
                form=not grammar,
            )
        )
    replies = llm.complete(asked, grammar=GRAMMAR if grammar else None, max_tokens=TOKENS)
    contrasts: list[Contrast] = []
    unread: list[str] = []
    for number, reply in enumerate(replies):
        found = _SENTENCE.findall(" ".join(reply.split()) + " ")
        if not found:
            unread.append(reply)
        for first, second in found:
            sides_said = parts(first), parts(second)
            a, b = sides_said if number % 2 == 0 else sides_said[::-1]
            contrasts.append(Contrast(a, b, number))
    return contrasts, unread


def parts(side: str) -> tuple[str, ...]:
    """The phrases of a side: "animals and a beach" are two; "black and white photos" is one."""
    whole = side.replace("black and white", "black-and-white")
    pieces = re.split(r"\s+and\s+|\s*,\s*", whole)
    cleaned = (plain(piece.replace("black-and-white", "black and white")) for piece in pieces)
    return tuple(dict.fromkeys(text for text in cleaned if text))


def counted(contrasts: Sequence[Contrast]) -> list[Candidate]:
    """The distinct phrases, most voted first; those that are said of both sides as often are out.

    "yoga on mountains" is a vote for "yoga" too. What a sentence says of both sides at once is no
    contrast and counts for neither.
    """
    first: dict[tuple[frozenset[str], Direction], tuple[str, int]] = {}
    for one in contrasts:
        for text in one.a:
            first.setdefault((content(text), "a"), (text, one.round))
        for text in one.b:
            first.setdefault((content(text), "b"), (text, one.round))
    found = []
    for (words, direction), (text, number) in first.items():
        of_a, of_b = _rounds(words, contrasts)
        own, other = (of_a, of_b) if direction == "a" else (of_b, of_a)
        if words and own > other:
            found.append(Candidate(text, direction, own - other, number))
    return sorted(found, key=lambda one: (-one.votes, len(one.text.split())))


def _rounds(words: frozenset[str], contrasts: Iterable[Contrast]) -> tuple[int, int]:
    """In how many rounds a sentence says the words of A alone, and of B alone."""
    rounds: tuple[set[int], set[int]] = set(), set()
    for one in contrasts:
        of_a, of_b = (any(words <= content(text) for text in side) for side in (one.a, one.b))
        if of_a != of_b:
            rounds[0 if of_a else 1].add(one.round)
    return len(rounds[0]), len(rounds[1])
