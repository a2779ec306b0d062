"""What a benchmark pair is about: the difference, its contexts, and what else may vary.

A :class:`Plan` settles everything before a scene is drawn, so that both sides are drawn from one
distribution of contexts and distractors and only the difference (and a nuisance, where there is
one) separates them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Literal

import numpy as np

from visdiff_local.bench.scenes.language.vocabulary import SAYABLE
from visdiff_local.bench.scenes.world import (
    ATTRIBUTES,
    COLOURLESS,
    DEFAULTS,
    ENCLOSED,
    KINDS,
    LANDMARKS,
    SETTINGS,
    SIDEWAYS,
    WEARERS,
    Scene,
    is_held_out,
    settle,
)

Difficulty = Literal["easy", "medium", "hard"]
Side = Literal["a", "b"]

DIFFERENCES: Mapping[Difficulty, tuple[str, ...]] = {
    "easy": ("kind", "setting"),
    "medium": ("colour", "pattern", "count", "weather", "time", "rendering"),
    "hard": ("accessory", "facing", "time", "size", "relation"),
}
"""The attributes that differ. Time is day, night or one twilight in medium pairs; telling sunrise
from sunset is hard."""

NUISANCE_SHARE = 0.65
"""How often a nuisance value occurs on the side that it leans to; 0.35 on the other side."""

_DISTRACTORS: Mapping[Difficulty, int] = {"easy": 2, "medium": 3, "hard": 5}
"""How many attributes vary freely on both sides."""

_DEFAULT_SHARE = 0.5
"""How often a freely varying attribute keeps its default."""

_COARSE = ("pixelated", "blurry")
_TWILIGHT = ("sunrise", "sunset")
_NOT_ONE = tuple(v for v in ATTRIBUTES["count"] if v != "one")
_NOT_MEDIUM = tuple(v for v in ATTRIBUTES["size"] if v != "medium")
_RELATED = tuple(v for v in ATTRIBUTES["relation"] if v != "none")

_HIDING: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "kind": {"rendering": _COARSE, "size": ("far away",)},
    "setting": {"rendering": _COARSE, "size": ("close-up",)},
    "colour": {
        "rendering": (*COLOURLESS, "vintage"),
        "time": (*_TWILIGHT, "night"),
    },
    "pattern": {"rendering": _COARSE, "size": ("far away",)},
    "count": {"size": _NOT_MEDIUM, "relation": _RELATED},
    "weather": {"rendering": _COARSE},
    "time": {"rendering": (*COLOURLESS, "vintage")},
    "rendering": {"time": _TWILIGHT},
    "accessory": {"rendering": _COARSE, "size": ("far away",)},
    "facing": {"rendering": _COARSE, "size": ("far away",)},
    "size": {"count": _NOT_ONE, "relation": _RELATED},
    "relation": {"rendering": _COARSE, "count": _NOT_ONE, "size": _NOT_MEDIUM},
}
"""Values of other attributes under which a difference could not be seen, or which
:func:`settle` would have to change on one side only."""


@dataclass(frozen=True, slots=True)
class Nuisance:
    """An attribute that leans to one value in A and another in B without being the difference."""

    attribute: str
    value_a: str
    value_b: str

    def draw(self, side: Side, rng: np.random.Generator) -> str:
        """The side's own value with probability :data:`NUISANCE_SHARE`, otherwise the other's."""
        own, other = (self.value_a, self.value_b) if side == "a" else (self.value_b, self.value_a)
        return own if rng.random() < NUISANCE_SHARE else other


@dataclass(frozen=True, slots=True)
class Plan:
    """All decisions about a pair.

    ``contexts`` are combinations of attribute values, one of which is chosen at random for each
    scene; ``fixed`` is the same in every scene; ``free`` lists the values between which an
    attribute varies.
    """

    attribute: str
    value_a: str
    value_b: str
    contexts: tuple[Mapping[str, str], ...]
    fixed: Mapping[str, str]
    free: Mapping[str, tuple[str, ...]]
    nuisance: Nuisance | None

    def draw(self, side: Side, rng: np.random.Generator) -> Scene:
        """One scene of a side."""
        values = dict(self.fixed) | dict(self.contexts[int(rng.integers(len(self.contexts)))])
        for attribute, allowed in self.free.items():
            values[attribute] = _vary(attribute, allowed, rng)
        if self.nuisance is not None:
            values[self.nuisance.attribute] = self.nuisance.draw(side, rng)
        values[self.attribute] = self.value_a if side == "a" else self.value_b
        if values["relation"] == "none":
            values["landmark"] = "none"
        return settle(Scene(seed=int(rng.integers(2**31)), **values))


def _vary(attribute: str, allowed: tuple[str, ...], rng: np.random.Generator) -> str:
    default = DEFAULTS.get(attribute)
    others = [value for value in allowed if value != default]
    if default in allowed and rng.random() < _DEFAULT_SHARE:
        return str(default)
    return _choose(others, rng)


def _choose(values: Sequence[str], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]


@cache
def _combinations(held_out: bool) -> frozenset[tuple[str, str]]:
    """The (kind, setting) combinations of one side of the split."""
    return frozenset((k, s) for k in KINDS for s in SETTINGS if is_held_out(k, s) == held_out)


def _some(values: Sequence[str], rng: np.random.Generator) -> list[str]:
    """One to three of the values."""
    size = min(len(values), int(rng.integers(1, 4)))
    return [str(value) for value in rng.choice(values, size=size, replace=False)]


def _swapped_pair(
    values: Sequence[str],
    companions: Callable[[str], frozenset[str]],
    alike: Callable[[str], bool],
    rng: np.random.Generator,
) -> tuple[str, str, list[str]]:
    """Two values that are ``alike`` and have companions in common, and some of those companions."""
    pairs = [
        (a, b)
        for a, b in permutations(values, 2)
        if alike(a) == alike(b) and companions(a) & companions(b)
    ]
    a, b = pairs[int(rng.integers(len(pairs)))]
    return a, b, _some(sorted(companions(a) & companions(b)), rng)


def _values(attribute: str, difficulty: Difficulty, rng: np.random.Generator) -> tuple[str, str]:
    """The two values of a difference; a default always belongs to B."""
    pairs = list(permutations(SAYABLE[attribute], 2))
    if attribute == "time":
        subtle = difficulty == "hard"
        pairs = [pair for pair in pairs if (set(pair) == set(_TWILIGHT)) == subtle]
    a, b = pairs[int(rng.integers(len(pairs)))]
    return (b, a) if a == DEFAULTS.get(attribute) else (a, b)


def _suits(attribute: str, kind: str, setting: str) -> bool:
    """Whether the attribute can take any of its values with this kind in this setting."""
    return (
        (attribute != "accessory" or kind in WEARERS)
        and (attribute != "facing" or kind in SIDEWAYS)
        and (attribute not in ("weather", "time") or setting not in ENCLOSED)
    )


def _contexts(
    attribute: str, held_out: bool, rng: np.random.Generator
) -> tuple[Mapping[str, str], ...]:
    """One kind in one to three settings, or one to three kinds in one setting."""
    suitable = sorted((k, s) for k, s in _combinations(held_out) if _suits(attribute, k, s))
    kind, setting = suitable[int(rng.integers(len(suitable)))]
    if rng.random() < 0.5:
        settings = _some([s for k, s in suitable if k == kind], rng)
        return tuple({"kind": kind, "setting": s} for s in settings)
    return tuple(
        {"kind": k, "setting": setting}
        for k in _some([k for k, s in suitable if s == setting], rng)
    )


def _difference(
    attribute: str, difficulty: Difficulty, held_out: bool, rng: np.random.Generator
) -> tuple[str, str, tuple[Mapping[str, str], ...]]:
    """The two values and the contexts they share."""
    combinations = _combinations(held_out)
    if attribute == "kind":
        a, b, settings = _swapped_pair(
            KINDS,
            lambda kind: frozenset(s for k, s in combinations if k == kind),
            lambda kind: kind in SIDEWAYS,
            rng,
        )
        return a, b, tuple({"setting": setting} for setting in settings)
    if attribute == "setting":
        a, b, kinds = _swapped_pair(
            SETTINGS,
            lambda setting: frozenset(k for k, s in combinations if s == setting),
            lambda setting: setting in ENCLOSED,
            rng,
        )
        return a, b, tuple({"kind": kind} for kind in kinds)
    a, b = _values(attribute, difficulty, rng)
    return a, b, _contexts(attribute, held_out, rng)


def _nuisance(attribute: str, settings: Iterable[str], rng: np.random.Generator) -> Nuisance:
    """A random nuisance among the attributes that no other attribute can hide or change."""
    names = [name for name in ("colour", "pattern", "weather") if name != attribute]
    if any(setting in ENCLOSED for setting in settings):
        names = [name for name in names if name != "weather"]
    name = _choose(names, rng)
    value_a, value_b = rng.permutation(ATTRIBUTES[name])[:2]
    return Nuisance(name, str(value_a), str(value_b))


def _allowed(name: str, attribute: str, nuisance: Nuisance | None) -> tuple[str, ...]:
    """The values of ``name`` under which the difference and the nuisance can be seen."""
    hidden = set(_HIDING[attribute].get(name, ()))
    if nuisance is not None:
        hidden |= set(_HIDING[nuisance.attribute].get(name, ()))
    return tuple(v for v in ATTRIBUTES[name] if v not in hidden and (name, v) != ("facing", "none"))


def _distractors(
    attribute: str,
    count: int,
    kinds: Iterable[str],
    nuisance: Nuisance | None,
    rng: np.random.Generator,
) -> dict[str, tuple[str, ...]]:
    """``count`` attributes that vary freely, with the values they may take."""
    taken = {attribute, nuisance.attribute if nuisance else attribute}
    names = ["colour", "pattern", "count", "size", "weather", "time", "rendering", "relation"]
    if all(kind in WEARERS for kind in kinds):
        names.append("accessory")
    if all(kind in SIDEWAYS for kind in kinds):
        names.append("facing")
    free = {name: _allowed(name, attribute, nuisance) for name in names if name not in taken}
    free = {name: values for name, values in free.items() if len(values) > 1}
    chosen = [str(name) for name in rng.permutation(sorted(free))[:count]]
    if attribute == "rendering" and "colour" not in chosen:
        chosen[-1] = "colour"  # a fixed colour would vanish with the difference, and so become one
    return {name: free[name] for name in chosen}


def make_plan(
    difficulty: Difficulty, attribute: str, rng: np.random.Generator, *, held_out: bool
) -> Plan:
    """A random plan for a difference in this attribute.

    Raises:
        ValueError: the difficulty has no differences in this attribute.
    """
    if attribute not in DIFFERENCES[difficulty]:
        raise ValueError(f"{difficulty} pairs differ in {DIFFERENCES[difficulty]}, not {attribute}")
    value_a, value_b, contexts = _difference(attribute, difficulty, held_out, rng)
    ends = [{**context, attribute: value} for context in contexts for value in (value_a, value_b)]
    kinds, settings = {end["kind"] for end in ends}, {end["setting"] for end in ends}
    nuisance = _nuisance(attribute, settings, rng) if difficulty == "hard" else None
    free = _distractors(attribute, _DISTRACTORS[difficulty], kinds, nuisance, rng)
    fixed = dict(DEFAULTS) | {
        "colour": _choose(ATTRIBUTES["colour"], rng),
        "facing": _choose(("left", "right"), rng),
        "landmark": _choose(LANDMARKS[1:], rng),
    }
    return Plan(attribute, value_a, value_b, contexts, fixed, free, nuisance)
