"""Putting wordings together into sentences: noun phrases, clauses and their order.

The functions take ``values``, the attributes to be said with their values; whatever is missing is
left unsaid. Which of several wordings is used is up to a :data:`Pick`.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from visdiff_local.bench.scenes.language.vocabulary import (
    ACCESSORIES_WORN,
    ADJECTIVES,
    CLAUSES,
    COUNTERS,
    GROUP_NOUNS,
    LANDMARK_NOUNS,
    NOUNS,
    PATTERN_MARKS,
    RENDERING_NOUNS,
    plural,
    with_article,
)

Pick = Callable[[tuple[str, ...]], str]
"""Chooses one of several wordings of the same thing."""

SUBJECT_CLAUSES = ("accessory", "facing", "relation", "size")
PLACE_CLAUSES = ("setting", "time", "weather")


def first(wordings: tuple[str, ...]) -> str:
    return wordings[0]


def picker(rng: np.random.Generator) -> Pick:
    return lambda wordings: wordings[int(rng.integers(len(wordings)))]


def _accessory(value: str, many: bool, pick: Pick) -> str:
    """``"wearing a hat"``, ``"holding balloons"``, ``"without a hat"``."""
    if value == "none":
        return "without an accessory"
    noun = pick(ACCESSORIES_WORN[value.removeprefix("no ")])
    named = plural(noun) if many else with_article(noun)
    if value.startswith("no "):
        return f"without {named}"
    return f"{'holding' if value == 'balloon' else 'wearing'} {named}"


def _clause(attribute: str, values: Mapping[str, str], pick: Pick) -> str:
    value = values[attribute]
    if attribute == "accessory":
        return _accessory(value, values.get("count", "one") != "one", pick)
    if attribute == "pattern":
        return f"without {PATTERN_MARKS[value.removeprefix('no ')]}"
    if value.startswith("no "):
        return f"without {value.removeprefix('no ')}"
    clause = pick(CLAUSES[attribute][value])
    if attribute == "relation":
        if "landmark" not in values:
            return f"{clause} something"
        return f"{clause} {with_article(pick(LANDMARK_NOUNS[values['landmark']]))}"
    return clause


def _noun_phrase(values: Mapping[str, str], pick: Pick) -> str:
    """``"two red striped dogs"``; a missing kind is an ``"object"``."""
    if "kind" in values:
        noun = pick(NOUNS[values["kind"]])
    else:
        noun = pick(GROUP_NOUNS[values["group"]]) if "group" in values else "object"
    if values.get("count", "one") != "one":
        noun = plural(noun)
    adjectives = [
        pick(ADJECTIVES[attribute][values[attribute]])
        for attribute in ("colour", "pattern")
        if not values.get(attribute, "no ").startswith("no ")
    ]
    described = " ".join([*adjectives, noun])
    if "count" in values:
        return f"{pick(COUNTERS[values['count']])} {described}"
    return with_article(described)


def _prefix(values: Mapping[str, str], pick: Pick) -> str:
    """``"a close-up pencil sketch of"``, or nothing when the rendering goes without saying."""
    close = "close-up" if values.get("size") == "close-up" else ""
    noun = pick(RENDERING_NOUNS[values["rendering"]]) if "rendering" in values else ""
    medium = f"{close} {noun}".strip()
    return f"{with_article(medium)} of" if medium else ""


def clauses(
    attributes: Iterable[str], values: Mapping[str, str], pick: Pick, *, close: bool = False
) -> list[str]:
    """The clauses of the given attributes; a close-up only where no prefix has said it."""
    said = [name for name in attributes if name in values]
    if values.get("size") == "close-up" and not close:
        said = [name for name in said if name != "size"]
    return [_clause(name, values, pick) for name in said]


def sentence(
    values: Mapping[str, str],
    pick: Pick = first,
    place: tuple[str, ...] = PLACE_CLAUSES,
) -> str:
    """One phrase without punctuation: ``"a pencil sketch of two dogs wearing hats on a beach"``."""
    denied = ["pattern"] if values.get("pattern", "").startswith("no ") else []
    tail = clauses((*denied, *SUBJECT_CLAUSES, *place), values, pick)
    if "landmark" in values and "relation" not in values:
        tail.append(f"with {with_article(pick(LANDMARK_NOUNS[values['landmark']]))}")
    return " ".join(
        part for part in (_prefix(values, pick), _noun_phrase(values, pick), *tail) if part
    )


def detailed(values: Mapping[str, str], pick: Pick) -> str:
    """Two to four sentences, as a captioner writes when it is asked to describe in detail."""
    many = values.get("count", "one") != "one"
    noun = pick(NOUNS[values["kind"]])
    subject, be = f"the {plural(noun) if many else noun}", "are" if many else "is"
    looks = clauses(("accessory", "facing", "relation"), values, pick)
    where = clauses(("size", *PLACE_CLAUSES), values, pick, close=True)
    sentences = [f"there {be} {_noun_phrase(values, pick)}"]
    if looks:
        sentences.append(f"{subject} {be} {' and '.join(looks)}")
    if where:
        sentences.append(f"{subject} {be} {' '.join(where)}")
    if "rendering" in values:
        sentences.append(f"this is {with_article(pick(RENDERING_NOUNS[values['rendering']]))}")
    if len(sentences) == 1:
        sentences.append("this is a picture")
    return ". ".join(sentences) + "."
