"""Short questions with known answers: is it in the caption, and which grade does a hypothesis earn.

The answers come from :func:`holds` and :func:`grade`, so the model learns the package's own rules.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scripts.nano.language.pair_recipes import DIFFERING
from visdiff_local.bench.scenes.grading import Truth, grade, possible
from visdiff_local.bench.scenes.language.language import caption, conjunction, holds
from visdiff_local.bench.scenes.language.vocabulary import DENIALS, SAYABLE, Assertion
from visdiff_local.bench.scenes.world import (
    ATTRIBUTES,
    DEFAULTS,
    GROUP_OF,
    KIND_GROUPS,
    Scene,
    is_held_out,
    sample_scene,
)

UNKNOWN_WORDS = (
    "zebra", "guitar", "volcano", "kitchen", "castle", "robot", "tiger", "piano", "smiling",
    "wooden", "metallic", "soccer", "running", "tall", "shiny", "old-fashioned", "happy", "river",
    "helmet", "laptop", "banner", "sharp", "sleeping", "transparent", "dirty", "modern", "circus",
)  # fmt: skip
"""Ordinary words from outside the drawn-scene world: whatever holds one is graded 0."""

KIND_SHARE = 0.3
"""Of truths about kinds, of which there are more to tell apart than values of anything else."""


@dataclass(frozen=True)
class CaptionQuestions:
    """One caption; hypotheses, each with whether it is true of the scene."""

    caption: str
    asked: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class GradeQuestions:
    """One truth; predictions, each with its grade for side A."""

    truth_a: str
    truth_b: str
    asked: tuple[tuple[str, int], ...]


def _choose(rng: np.random.Generator, values: Sequence[str]) -> str:
    return values[int(rng.integers(len(values)))]


def _wording(rng: np.random.Generator, canonical: float = 0.5) -> np.random.Generator | None:
    """``canonical``: how often a text has the canonical wording."""
    return None if rng.random() < canonical else rng


def _any_assertion(rng: np.random.Generator) -> Assertion:
    attribute = _choose(rng, tuple(SAYABLE))
    if attribute in DENIALS and rng.random() < 0.1:
        return attribute, _choose(rng, DENIALS[attribute])
    return attribute, _choose(rng, SAYABLE[attribute])


def _true_assertions(scene: Scene, rng: np.random.Generator) -> list[Assertion]:
    """What can be said of the scene; of what goes without saying, only a part."""
    facts = [(name, scene.get(name)) for name in ATTRIBUTES if name in SAYABLE]
    facts = [fact for fact in facts if fact[1] in SAYABLE[fact[0]] and holds([fact], scene)]
    facts.append(("group", GROUP_OF[scene.kind]))
    return [fact for fact in facts if DEFAULTS.get(fact[0]) != fact[1] or rng.random() < 0.25]


def _compatible(assertions: Sequence[Assertion]) -> tuple[Assertion, ...]:
    """The first assertion of each attribute; kind and group are one noun."""
    slots: dict[str, Assertion] = {}
    for attribute, value in assertions:
        slots.setdefault("kind" if attribute == "group" else attribute, (attribute, value))
    return tuple(slots.values())


def draw_caption_questions(
    rng: np.random.Generator, n: int = 1, *, held_out: bool = False
) -> CaptionQuestions:
    """A caption that leaves nothing out, and hypotheses that are as often true as not."""
    scene = sample_scene(rng, held_out=held_out, usual=float(rng.uniform(0.3, 1.0)))
    style = "detailed" if rng.random() < 0.15 else "short"
    text = caption(scene, _wording(rng), style=style, keep=tuple(ATTRIBUTES))
    return CaptionQuestions(text, tuple(_ask(scene, rng) for _ in range(n)))


def _ask(scene: Scene, rng: np.random.Generator) -> tuple[str, bool]:
    wanted = bool(rng.random() < 0.5)
    facts = _true_assertions(scene, rng)
    while True:
        size = int(rng.choice((1, 2, 3), p=(0.7, 0.22, 0.08)))
        chosen = [facts[int(i)] for i in rng.integers(len(facts), size=size)]
        if not wanted:
            chosen[0] = _near_miss(scene, rng) if rng.random() < 0.7 else _any_assertion(rng)
        said = _compatible(chosen)
        if holds(said, scene) == wanted:
            return conjunction(said, _wording(rng)), wanted


def _near_miss(scene: Scene, rng: np.random.Generator) -> Assertion:
    """Another value of an attribute that the caption names, or another group of kinds."""
    if rng.random() < 0.15:
        return "group", _choose(rng, [g for g in KIND_GROUPS if g != GROUP_OF[scene.kind]])
    named = [
        name for name in ATTRIBUTES
        if name in SAYABLE and scene.get(name) not in (DEFAULTS.get(name), "none")
    ]  # fmt: skip
    name = _choose(rng, named)
    return name, _choose(rng, [v for v in SAYABLE[name] if v != scene.get(name)])


def draw_truth(rng: np.random.Generator, *, held_out: bool = False) -> Truth:
    """A difference as benchmark pairs have it, with or without a shared context."""
    while True:
        attribute = "kind" if rng.random() < KIND_SHARE else _choose(rng, DIFFERING)
        mine, theirs = (_choose(rng, SAYABLE[attribute]) for _ in range(2))
        if attribute in DEFAULTS and rng.random() < 0.4 and DEFAULTS[attribute] != "none":
            theirs = DEFAULTS[attribute]
        a, b = {(attribute, mine)}, {(attribute, theirs)}
        shared: set[Assertion] = set()
        for name in ("kind", "setting", "colour"):
            if name != attribute and rng.random() < (0.15 if name == "colour" else 0.5):
                shared.add((name, _choose(rng, ATTRIBUTES[name])))
        if attribute == "relation" and rng.random() < 0.7:
            shared.add(("landmark", _choose(rng, SAYABLE["landmark"])))
        if rng.random() < 0.15:  # a conjunction in A, one half of it in B or neither
            name = _choose(rng, [n for n in DIFFERING if n != attribute])
            a.add((name, _choose(rng, SAYABLE[name])))
        fits = possible(a | shared) and possible(b | shared) and not a & b
        distinct = len(_compatible([*a, *shared])) == len(a | shared)
        if fits and distinct and _is_from(held_out, a | shared):
            return Truth(frozenset(a), frozenset(b), frozenset(shared))


def _is_from(held_out: bool, assertions: set[Assertion]) -> bool:
    """Whether a kind and a setting, where both are named, are of this side of the split."""
    values = dict(assertions)
    both = "kind" in values and "setting" in values
    return not both or is_held_out(values["kind"], values["setting"]) == held_out


def _exact(truth: Truth, rng: np.random.Generator) -> list[Assertion]:
    extra = [fact for fact in truth.shared if rng.random() < 0.3]
    return [*truth.a, *extra]


def _wider(truth: Truth, rng: np.random.Generator) -> list[Assertion]:
    """The group of A's kind, or one half of a conjunction, or a denial of B's value."""
    options: list[Assertion] = []
    for attribute, value in truth.a:
        if attribute == "kind":
            options.append(("group", GROUP_OF[value]))
        if len(truth.a) > 1:
            options.append((attribute, value))
    for attribute, value in truth.b:
        if f"no {value}" in DENIALS.get(attribute, ()):
            options.append((attribute, f"no {value}"))
    return [options[int(rng.integers(len(options)))]] if options else _narrower(truth, rng)


def _narrower(truth: Truth, rng: np.random.Generator) -> list[Assertion]:
    return [*_exact(truth, rng), _any_assertion(rng)]


def _elsewhere(truth: Truth, rng: np.random.Generator) -> list[Assertion]:
    """The other side, the shared context, another value of the same attribute, or anything."""
    how = rng.random()
    if how < 0.35:
        return [*truth.b, *(fact for fact in truth.shared if rng.random() < 0.3)]
    if how < 0.5 and truth.shared:
        return list(truth.shared)
    if how < 0.75:
        attribute = next(iter(truth.a))[0]
        return [(attribute, _choose(rng, SAYABLE[attribute]))]
    return [_any_assertion(rng)]


_ASKED: dict[int, tuple[Callable[[Truth, np.random.Generator], list[Assertion]], ...]] = {
    2: (_exact,),
    1: (_wider, _narrower),
    0: (_elsewhere, _elsewhere, _narrower),
}


def _with_unknown_word(text: str, rng: np.random.Generator) -> str:
    word = _choose(rng, UNKNOWN_WORDS)
    return f"a {word}" if rng.random() < 0.5 else f"{text} {word}"


def _tell(
    shared: frozenset[Assertion],
    own: frozenset[Assertion],
    other: frozenset[Assertion],
    rng: np.random.Generator,
) -> str:
    """One side of a truth in words; the lack of what the other side wears is said as such."""
    denied = {("accessory", f"no {v}") for name, v in other if name == "accessory"}
    if own == {("accessory", "none")} and denied and rng.random() < 0.5:
        own = frozenset(denied)
    return conjunction(sorted(shared | own), _wording(rng))


def draw_grade_questions(
    rng: np.random.Generator, n: int = 1, *, held_out: bool = False
) -> GradeQuestions:
    """A truth and predictions about it; the grades 0, 1 and 2 are nearly equally frequent."""
    truth = draw_truth(rng, held_out=held_out)
    if rng.random() < 0.5:
        truth = Truth(truth.b, truth.a, truth.shared)
    told_a = _tell(truth.shared, truth.a, truth.b, rng)
    told_b = _tell(truth.shared, truth.b, truth.a, rng)
    return GradeQuestions(told_a, told_b, tuple(_predict(truth, rng) for _ in range(n)))


def _predict(truth: Truth, rng: np.random.Generator) -> tuple[str, int]:
    """A prediction of the wanted grade, or of another where the truth allows none soon."""
    wanted = int(rng.integers(3))
    for _ in range(12):
        make = _ASKED[wanted][int(rng.integers(len(_ASKED[wanted])))]
        text = conjunction(_compatible(make(truth, rng)), _wording(rng, canonical=0.2))
        if wanted == 0 and rng.random() < 0.12:
            text = _with_unknown_word(text, rng)
        if grade(text, truth) == wanted:
            break
    return text, grade(text, truth)
