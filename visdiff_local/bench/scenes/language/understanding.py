"""Reading captions and hypotheses back into assertions, and checking those against scenes.

Strict on purpose: words of the world decide, fillers are ignored, and a text with any other word is
not understood at all. A hypothesis cannot earn a grade with words that nobody checked.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from visdiff_local.bench.scenes.language.vocabulary import (
    ACCESSORIES_WORN,
    ADJECTIVES,
    ARTICLES,
    CLAUSES,
    COUNTERS,
    DENIALS,
    FILLERS,
    GROUP_NOUNS,
    LANDMARK_NOUNS,
    MASS_NOUNS,
    NOUNS,
    PATTERN_MARKS,
    RENDERING_NOUNS,
    Assertion,
    plural,
    without_preposition,
)
from visdiff_local.bench.scenes.world import ENCLOSED, GROUP_OF, Scene

_NEGATIONS = frozenset(("no", "not", "without"))
_BETWEEN = frozenset(("wearing", "holding", "any"))
"""Words that may stand between a negation and what it denies."""


def _tokens(text: str) -> tuple[str, ...]:
    """Lower-case words without articles; ``"close-up"`` is two words, as in ``"close up"``."""
    return tuple(word for word in re.findall(r"[a-z]+|\d+", text.lower()) if word not in ARTICLES)


def _spellings() -> Iterator[tuple[str, Assertion]]:
    """Every wording of every value."""
    nouns: tuple[tuple[str, Mapping[str, tuple[str, ...]]], ...] = (
        ("kind", NOUNS),
        ("group", GROUP_NOUNS),
        ("landmark", LANDMARK_NOUNS),
        ("accessory", ACCESSORIES_WORN),
        ("rendering", RENDERING_NOUNS),
    )
    for attribute, table in nouns:
        for value, wordings in table.items():
            for noun in wordings:
                yield noun, (attribute, value)
                yield plural(noun), (attribute, value)
    for attribute, adjectives in (*ADJECTIVES.items(), ("count", COUNTERS)):
        for value, wordings in adjectives.items():
            yield from ((word, (attribute, value)) for word in wordings)
    for attribute, clauses in CLAUSES.items():
        for value, wordings in clauses.items():
            yield from ((without_preposition(clause), (attribute, value)) for clause in wordings)
    yield from ((noun, ("group", group)) for group, noun in MASS_NOUNS.items())
    yield from ((marks, ("pattern", value)) for value, marks in PATTERN_MARKS.items())
    yield from _SHORTER.items()


_SHORTER: Mapping[str, Assertion] = {
    "close-up": ("size", "close-up"),
    "close-ups": ("size", "close-up"),
    "distant": ("size", "far away"),
    "one": ("count", "one"),
    "single": ("count", "one"),
    "couple": ("count", "two"),
    "lot of": ("count", "many"),
    "street": ("setting", "city street"),
    "sea": ("setting", "ocean"),
    "snowy": ("setting", "snow"),
    "mountain": ("setting", "mountains"),
    "inside room": ("setting", "room"),
    "dune": ("setting", "desert"),
    "rainy": ("weather", "rain"),
    "raining": ("weather", "rain"),
    "foggy": ("weather", "fog"),
    "misty": ("weather", "fog"),
    "snowing": ("weather", "snowfall"),
    "snow falling": ("weather", "snowfall"),
    "day": ("time", "day"),
    "morning": ("time", "sunrise"),
    "nighttime": ("time", "night"),
    "drawing": ("rendering", "sketch"),
    "monochrome": ("rendering", "black and white"),
    "black and white": ("rendering", "black and white"),
    "pixelated": ("rendering", "pixelated"),
    "blurry": ("rendering", "blurry"),
    "blurred": ("rendering", "blurry"),
    "vintage": ("rendering", "vintage"),
    "framed": ("rendering", "framed"),
    "frame": ("rendering", "framed"),
    "no accessory": ("accessory", "none"),
    "without accessory": ("accessory", "none"),
    "not wearing accessory": ("accessory", "none"),
    "no accessories": ("accessory", "none"),
    "without accessories": ("accessory", "none"),
    "no pattern": ("pattern", "plain"),
    "without pattern": ("pattern", "plain"),
}
"""Wordings that nothing in this package writes, but that a reader takes for granted."""


@cache
def _lexicon() -> Mapping[tuple[str, ...], Assertion]:
    """Token sequences and what they assert.

    Raises:
        ValueError: one wording stands for two things; the tables contradict each other.
    """
    lexicon: dict[tuple[str, ...], Assertion] = {}
    for wording, assertion in _spellings():
        if lexicon.setdefault(_tokens(wording), assertion) != assertion:
            raise ValueError(f"{wording!r} means both {lexicon[_tokens(wording)]} and {assertion}")
    return lexicon


@cache
def _longest() -> int:
    return max(map(len, _lexicon()))


def _match(tokens: tuple[str, ...], start: int) -> tuple[Assertion, int] | None:
    """The longest wording that begins at ``start``, with the position behind it."""
    for end in range(min(len(tokens), start + _longest()), start, -1):
        assertion = _lexicon().get(tokens[start:end])
        if assertion is not None:
            return assertion, end
    return None


def _match_denial(tokens: tuple[str, ...], start: int) -> tuple[Assertion, int] | None:
    """``"no hat"`` or ``"not wearing a hat"``, for what can be denied."""
    if tokens[start] not in _NEGATIONS:
        return None
    start += 1
    while start < len(tokens) and tokens[start] in _BETWEEN:
        start += 1
    found = _match(tokens, start)
    if found is None:
        return None
    (attribute, value), end = found
    denial = f"no {value}"
    return ((attribute, denial), end) if denial in DENIALS.get(attribute, ()) else None


def understand(text: str) -> frozenset[Assertion] | None:
    """The assertions of a caption or hypothesis, whatever its case, number, articles or word order.

    Returns:
        ``None`` when the text names nothing of this world, or has any word that is neither of
        this world nor a filler.
    """
    tokens = _tokens(text)
    said: set[Assertion] = set()
    position = 0
    while position < len(tokens):
        found = _match(tokens, position) or _match_denial(tokens, position)
        if found is not None:
            assertion, position = found
            said.add(assertion)
        elif tokens[position] in FILLERS:
            position += 1
        else:
            return None
    return frozenset(said) or None


def _holds(assertion: Assertion, scene: Scene) -> bool:
    attribute, value = assertion
    if attribute == "group":
        return GROUP_OF[scene.kind] == value
    if value.startswith("no "):
        return scene.get(attribute) != value.removeprefix("no ")
    if attribute == "colour" and not scene.shows_colour:
        return False
    if attribute in ("weather", "time") and scene.setting in ENCLOSED:
        return False
    return scene.get(attribute) == value


def holds(assertions: Iterable[Assertion], scene: Scene) -> bool:
    """Whether all the assertions can be seen to be true of the scene.

    A colour is not true of a picture without colours, nor weather or time of day of an enclosed
    setting, where they cannot be seen; a denial ("no hat") is true wherever the thing is absent.
    """
    return all(_holds(assertion, scene) for assertion in assertions)
