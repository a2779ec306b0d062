"""What is said about scenes: captions, and hypotheses about sets of them.

Sentences are put together from the tables of :mod:`vocabulary`. Everything said here is truthful
and is read back by :func:`understand` as the same assertions.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import numpy as np

from visdiff_local.bench.scenes.language.sentences import (
    PLACE_CLAUSES,
    SUBJECT_CLAUSES,
    clauses,
    detailed,
    first,
    picker,
    sentence,
)
from visdiff_local.bench.scenes.language.understanding import holds, understand
from visdiff_local.bench.scenes.language.vocabulary import (
    ACCESSORIES_WORN,
    ADJECTIVES,
    CLAUSES,
    COUNTERS,
    DENIALS,
    GROUP_NOUNS,
    LANDMARK_NOUNS,
    MASS_NOUNS,
    NOUNS,
    PATTERN_MARKS,
    RENDERING_NOUNS,
    SAYABLE,
    Assertion,
    plural,
    with_article,
    without_preposition,
    words_of,
)
from visdiff_local.bench.scenes.world import ATTRIBUTES, DEFAULTS, Scene

__all__ = [
    "Assertion",
    "Style",
    "caption",
    "conjunction",
    "holds",
    "phrase",
    "phrases",
    "understand",
    "vocabulary",
]

Style = Literal["short", "detailed"]
_OMISSION = 0.15
"""How often a paraphrasing captioner leaves out an attribute that it need not name."""


def _visible(scene: Scene) -> dict[str, str]:
    """The attributes that a caption names: all but defaults and a colour that cannot be seen."""
    values = {name: scene.get(name) for name in ATTRIBUTES if scene.get(name) != DEFAULTS.get(name)}
    if not scene.shows_colour:
        del values["colour"]
    return values


def _omit(
    values: Mapping[str, str], keep: Collection[str], rng: np.random.Generator
) -> dict[str, str]:
    """Leaves out some attributes; a relation and its landmark go together."""
    always = {"kind", *keep}
    if "landmark" in always:  # it is named with where the object stands to it
        always.add("relation")
    kept = {n: v for n, v in values.items() if n in always or rng.random() >= _OMISSION}
    if "relation" in kept and "landmark" in values:
        kept["landmark"] = values["landmark"]
    elif "landmark" in kept and "landmark" not in keep:
        del kept["landmark"]
    return kept


def caption(
    scene: Scene,
    rng: np.random.Generator | None = None,
    *,
    style: Style = "short",
    keep: Collection[str] = (),
) -> str:
    """A truthful caption in lower case.

    Args:
        rng: ``None`` for the one canonical caption, which names every visible attribute that is not
            at its default; otherwise synonyms, another order of place, time and weather, and some
            attributes left out.
        style: ``"short"`` is one phrase without punctuation, ``"detailed"`` two to four sentences.
        keep: attributes that a paraphrase must not leave out.
    """
    values = _visible(scene)
    if rng is None:
        return sentence(values) if style == "short" else detailed(values, first)
    values, pick = _omit(values, keep, rng), picker(rng)
    if style == "detailed":
        return detailed(values, pick)
    order = tuple(str(name) for name in rng.permutation(PLACE_CLAUSES))
    return sentence(values, pick, order)


def _check_sayable(attribute: str, value: str) -> None:
    if value not in (*SAYABLE.get(attribute, ()), *DENIALS.get(attribute, ())):
        raise ValueError(f"this world has no words for {attribute} = {value!r}")


def _noun_forms(nouns: tuple[str, ...]) -> tuple[str, ...]:
    forms = [form for noun in nouns for form in (with_article(noun), plural(noun))]
    return tuple(dict.fromkeys([*forms, f"pictures of {plural(nouns[0])}"]))


def _denials(attribute: str, denied: str) -> tuple[str, ...]:
    if attribute == "weather":
        return (f"no {denied}", f"without {denied}", f"scenes without {denied}")
    if attribute == "pattern":
        marks = PATTERN_MARKS[denied]
        return (f"no {marks}", f"without {marks}", f"not {ADJECTIVES['pattern'][denied][0]}")
    noun = ACCESSORIES_WORN[denied][0]
    return (f"no {noun}", f"without {with_article(noun)}", f"not wearing {with_article(noun)}")


def _adjectival(attribute: str, value: str) -> tuple[str, ...]:
    adjectives = ADJECTIVES[attribute][value]
    if attribute == "colour":
        forms = [f"{word} objects" for word in adjectives]
        return (*forms, with_article(f"{value} object"), f"something {value}", f"coloured {value}")
    forms = [f"{word} pattern" for word in adjectives] + [f"{word} objects" for word in adjectives]
    if value == "plain":
        return (*forms, "no pattern")
    return (*forms, PATTERN_MARKS[value], f"objects with {PATTERN_MARKS[value]}")


def _accessory_phrases(value: str) -> tuple[str, ...]:
    if value == "none":
        return ("no accessory", "without an accessory", "not wearing an accessory")
    verb = "holding" if value == "balloon" else "wearing"
    forms = _noun_forms(ACCESSORIES_WORN[value])[:-1]
    named = with_article(ACCESSORIES_WORN[value][0])
    return (*forms, f"{verb} {named}", f"with {named}")


def _clausal(attribute: str, value: str) -> tuple[str, ...]:
    clauses = CLAUSES[attribute][value]
    if attribute == "relation":
        return tuple(f"{clause} something" for clause in clauses)
    if attribute == "size" and value == "close-up":
        return ("a close-up", "close-ups", *clauses)
    if attribute in ("setting", "weather"):
        forms = [form for clause in clauses for form in (without_preposition(clause), clause)]
        return tuple(dict.fromkeys(forms))
    return clauses


def phrases(attribute: str, value: str) -> tuple[str, ...]:
    """Hypotheses that say exactly this, at least three, the canonical one first.

    Raises:
        ValueError: the value has no wording (see :data:`vocabulary.SAYABLE`).
    """
    _check_sayable(attribute, value)
    if value.startswith("no "):
        return _denials(attribute, value.removeprefix("no "))
    if attribute == "group":
        mass = (MASS_NOUNS[value],) if value in MASS_NOUNS else ()
        return (*mass, *_noun_forms(GROUP_NOUNS[value]))
    if attribute in ("kind", "landmark"):
        return _noun_forms((NOUNS if attribute == "kind" else LANDMARK_NOUNS)[value])
    if attribute in ADJECTIVES:
        return _adjectival(attribute, value)
    if attribute == "count":
        noun = "object" if value == "one" else "objects"
        forms = [f"{word} {noun}" for word in COUNTERS[value]]
        return (*forms, f"scenes with {forms[0]}")
    if attribute == "accessory":
        return _accessory_phrases(value)
    if attribute == "rendering":
        return _noun_forms(RENDERING_NOUNS[value])[:-1]
    return _clausal(attribute, value)


def phrase(attribute: str, value: str) -> str:
    """The canonical hypothesis: ``"a dog"``, ``"red objects"``, ``"at sunset"``, ``"no hat"``.

    Raises:
        ValueError: the value has no wording.
    """
    return phrases(attribute, value)[0]


def conjunction(assertions: Iterable[Assertion], rng: np.random.Generator | None = None) -> str:
    """One hypothesis that says all the assertions: ``"a striped cat wearing a hat"``.

    Args:
        assertions: at most one of each attribute; ``"kind"`` and ``"group"`` exclude each other.
        rng: ``None`` for the canonical wording, otherwise synonyms.

    Raises:
        ValueError: none given, two that exclude each other, or one that has no wording.
    """
    values: dict[str, str] = {}
    for attribute, value in assertions:
        _check_sayable(attribute, value)
        if values.setdefault(attribute, value) != value or {"kind", "group"} <= values.keys():
            raise ValueError(f"cannot say {attribute} = {value!r} together with {values}")
    pick = first if rng is None else picker(rng)
    if not values:
        raise ValueError("a conjunction needs at least one assertion")
    if len(values) == 1:
        return pick(phrases(*next(iter(values.items()))))
    if values.keys() <= {*SUBJECT_CLAUSES, *PLACE_CLAUSES, "landmark"}:
        if values.keys() >= {"landmark"} and "relation" not in values:
            return sentence(values, pick)
        return " ".join(clauses((*SUBJECT_CLAUSES, *PLACE_CLAUSES), values, pick, close=True))
    return sentence(values, pick)


_GRAMMAR = "a an the of there is are and this something object objects without with wearing holding"


def vocabulary() -> frozenset[str]:
    """All words that captions, phrases and conjunctions may use, lower case."""
    said = [
        text
        for table in (SAYABLE, DENIALS)
        for attribute, values in table.items()
        for value in values
        for text in phrases(attribute, value)
    ]
    return words_of([_GRAMMAR, *said])
