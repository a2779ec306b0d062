"""Pairs of captions whose difference no caption says in so many words: animals v vehicles.

Every caption of A names some animal and every one of B some vehicle, in the same places and
weathers, so that what tells the sides apart is a concept above the words. Counting words alone
finds nothing there; a language model can.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from visdiff_local.bench.scenes.language.language import caption
from visdiff_local.bench.scenes.language.vocabulary import NOUNS
from visdiff_local.bench.scenes.world import (
    ATTRIBUTES,
    COLOURS,
    DEFAULTS,
    KIND_GROUPS,
    KINDS,
    SETTINGS,
    Scene,
    settle,
)
from visdiff_local.pipeline.proposers.phrases import content
from visdiff_local.types import Direction

WORDS: Mapping[str, tuple[str, ...]] = {
    "animal": ("animal", "creature", "wildlife", "living creature", "pet", "fauna", "wild animal"),
    "vehicle": ("vehicle", "transport", "transportation", "mode of transport"),
    "food": ("food", "food item", "meal", "snack", "dish", "edible", "treat"),
    "plant": ("plant", "vegetation", "flora", "nature and plant"),
    "furniture": ("furniture", "piece of furniture", "furnishing", "household furniture"),
    "tool": ("tool", "household tool", "equipment", "utensil", "hand tool"),
    "person": ("person", "people", "human", "individual", "human figure"),
    "indoors": ("indoor", "indoors", "interior", "room", "inside a house", "home interior"),
    "outdoors": ("outdoor", "outside", "open air", "outdoor nature", "outdoor landscape"),
}  # fmt: skip
"""What counts as naming the concept, beside what only frames it."""
_INSIDE = ("room",)
_OUTSIDE = tuple(setting for setting in SETTINGS if setting not in _INSIDE)
_FREE = ("pattern", "count", "weather", "time", "rendering")
_UNSEEN = ("pixelated", "blurry")
_PLACES = ("indoors", "outdoors")


@dataclass(frozen=True, slots=True)
class AbstractPair:
    """Captions of both sides, and the concept that each stands for."""

    concept_a: str
    concept_b: str
    a: tuple[str, ...]
    b: tuple[str, ...]

    def grade(self, text: str, direction: Direction = "a") -> int:
        """2: names the concept of its side; 1: something that only its side has, one kind of
        animal, or the concept with more; 0: else."""
        own, other = self.concept_a, self.concept_b
        if direction == "b":
            own, other = other, own
        said = content(text)
        mine, theirs = (
            [content(word) for word in (*WORDS[name], *_members(name))] for name in (own, other)
        )
        if any(words <= said for words in theirs):
            return 0
        if said in [content(word) for word in WORDS[own]]:
            return 2
        return int(any(words <= said for words in mine))


def abstract_pairs(count: int, seed: int, *, n: int) -> list[AbstractPair]:
    """``count`` pairs of ``n`` captions a side: groups of kinds, and every fifth in- v outdoors."""
    groups = list(permutations(KIND_GROUPS, 2))
    order = np.random.default_rng([seed, 3]).permutation(len(groups))
    pairs = []
    for index in range(count):
        rng = np.random.default_rng([seed, 4, index])
        if index % 5 == 2:
            concepts = _PLACES if index % 2 else _PLACES[::-1]
        else:
            concepts = groups[int(order[index % len(groups)])]
        pairs.append(_pair((concepts[0], concepts[1]), rng, n))
    return pairs


def _pair(concepts: tuple[str, str], rng: np.random.Generator, n: int) -> AbstractPair:
    free = [str(name) for name in rng.permutation(_FREE)[:3]]
    kinds, settings = [str(k) for k in rng.permutation(KINDS)[:12]], _some(SETTINGS, 4, rng)
    sides = []
    for concept in concepts:
        if concept in _PLACES:
            places: Sequence[str] = _INSIDE if concept == "indoors" else _OUTSIDE
            scenes = [_scene(kinds, places, free, rng) for _ in range(n)]
        else:
            scenes = [_scene(KIND_GROUPS[concept], settings, free, rng) for _ in range(n)]
        sides.append(tuple(caption(scene, rng) for scene in scenes))
    return AbstractPair(*concepts, *sides)


def _scene(
    kinds: Sequence[str], settings: Sequence[str], free: Sequence[str], rng: np.random.Generator
) -> Scene:
    values = {
        "kind": str(rng.choice(kinds)),
        "setting": str(rng.choice(settings)),
        "colour": str(rng.choice(COLOURS)),
        "facing": str(rng.choice(("left", "right"))),
    }
    for name in free:
        others = [value for value in ATTRIBUTES[name] if value not in _UNSEEN]
        values[name] = str(rng.choice(others)) if rng.random() < 0.5 else DEFAULTS[name]
    return settle(Scene(seed=int(rng.integers(2**31)), **values))


def _some(values: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    return [str(value) for value in rng.permutation(values)[:count]]


def _members(concept: str) -> tuple[str, ...]:
    """Whatever captions call what falls under the concept."""
    if concept == "indoors":
        return (*_INSIDE, "house", "inside")
    if concept == "outdoors":
        return tuple(s for s in _OUTSIDE if s != "night sky")
    return tuple(name for kind in KIND_GROUPS[concept] for name in NOUNS[kind])
