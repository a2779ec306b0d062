"""General words: what no caption says, because each names a kind of it.

Where A's captions say dog, duck and horse and B's say bus, boat and train, no word is frequent and
counting words finds nothing. A language model is asked of each word by itself what it is a kind of,
and then the kinds are counted as words are: a caption says "animal" when it holds a word for one.
What is asked knows nothing of the groups, so that it cannot lean to either, and is the same in
every run: the store answers it from then on.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local import prompts
from visdiff_local.pipeline.proposers.keyword import FUNCTION_WORDS, log_odds
from visdiff_local.pipeline.proposers.phrases import VAGUE, WORD, content, stem
from visdiff_local.protocols import TextModel
from visdiff_local.types import Direction

MOST_WORDS = 120
"""Asked of one pair of sets, the most frequent first."""
LEAST_CAPTIONS = 2
"""A word in fewer captions of both sides is not asked about."""
LEAST_WORDS = 2
"""A kind of one word alone says no more than the word."""
LEAST_Z = 1.64
"""One-sided, 5%."""
TOKENS = 4
_REPLY = re.compile(r"[^a-z]*([a-z]+(?:[ -][a-z]+)?)\b.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Kind:
    """A general word that the captions of one side fall under more often."""

    text: str
    direction: Direction
    gap: float
    """How much larger a share of its own side's captions says one of its words (0 … 1)."""
    z: float


def kinds_of(words: Sequence[str], llm: TextModel, family: str) -> Mapping[str, tuple[str, ...]]:
    """By word what it is a kind of, and what that is a kind of in turn; empty where the model only
    says the word again."""
    first = _asked(words, llm, family)
    over = _asked(sorted(set(first.values()) - {""}), llm, family)
    chains = {word: (kind, over.get(kind, "")) for word, kind in first.items()}
    return {
        word: tuple(dict.fromkeys(k for k in kinds if k and stem(k) != stem(word)))
        for word, kinds in chains.items()
    }


def from_kinds(
    captions_a: Sequence[str], captions_b: Sequence[str], llm: TextModel, *, family: str
) -> list[Kind]:
    """The kinds of either side, by z."""
    said = [[_words(caption) for caption in side] for side in (captions_a, captions_b)]
    counts = Counter(word for side in said for words in side for word in words)
    frequent = [word for word, n in counts.most_common(MOST_WORDS) if n >= LEAST_CAPTIONS]
    if not frequent:
        return []
    known = kinds_of(frequent, llm, family)
    members: dict[str, set[str]] = defaultdict(set)
    called: dict[frozenset[str], str] = {}
    for word, kinds in known.items():
        for kind in kinds:  # "plants" and "plant" are one
            members[called.setdefault(content(kind), kind)].add(word)
    general = [
        kind
        for kind, words in members.items()
        if len({stem(word) for word in words}) >= LEAST_WORDS
    ]
    found = []
    for kind in general:
        z, gap = _compared([members[kind]], said)[0]
        # Where one of its words tells the sides apart as well, the word says it better.
        alone = max(abs(z_one) for z_one, _ in _compared([{w} for w in members[kind]], said))
        if abs(z) >= LEAST_Z and abs(z) > alone:
            found.append(Kind(kind, "a" if gap > 0 else "b", abs(gap), abs(z)))
    return sorted(found, key=lambda kind: (-kind.z, kind.text))


def _compared(
    groups: Sequence[set[str]], said: Sequence[Sequence[frozenset[str]]]
) -> list[tuple[float, float]]:
    """Of each group of words, z and the gap of the shares of A's and B's captions that say one."""
    of_a, of_b = (
        np.array([sum(not group.isdisjoint(words) for words in side) for group in groups], float)
        for side in said
    )
    n_a, n_b = map(len, said)
    z = log_odds(of_a, of_b, n_a, n_b)
    gaps = of_a / n_a - of_b / n_b
    return [(float(one), float(gap)) for one, gap in zip(z, gaps, strict=True)]


def _asked(words: Sequence[str], llm: TextModel, family: str) -> dict[str, str]:
    asked = [prompts.render("kind", family, word=word) for word in words]
    replies = llm.complete(asked, max_tokens=TOKENS)
    return {word: _plain(reply) for word, reply in zip(words, replies, strict=True)}


def _plain(reply: str) -> str:
    found = _REPLY.fullmatch(reply.casefold())
    return found[1] if found and content(found[1]) else ""


def _words(caption: str) -> frozenset[str]:
    words = (word.removesuffix("'s") for word in WORD.findall(caption.casefold()))
    return frozenset(
        word for word in words if word not in FUNCTION_WORDS and word not in VAGUE and len(word) > 1
    )
