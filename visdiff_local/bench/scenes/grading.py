"""Exact grades for hypotheses about a known difference between two sets of scenes.

The scale is that of VisDiffBench (CVPR 2024): 2 says the difference, 1 is related but too narrow or
too wide, 0 is neither. VisDiff asks a language model; here the world is closed, so it is computed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from visdiff_local.bench.scenes.language.understanding import holds, understand
from visdiff_local.bench.scenes.language.vocabulary import Assertion
from visdiff_local.bench.scenes.world import (
    DEFAULTS,
    GROUP_OF,
    KIND_GROUPS,
    SIDEWAYS,
    Scene,
    settle,
)

Grade = Literal[0, 1, 2]
Direction = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Truth:
    """How set A differs from set B.

    ``a`` holds what is typical of A and not of B, ``b`` the reverse; both may be conjunctions.
    ``shared`` holds what is true of every image of both sets: saying it adds and costs nothing.
    """

    a: frozenset[Assertion]
    b: frozenset[Assertion]
    shared: frozenset[Assertion] = frozenset()

    def sides(self, direction: Direction) -> tuple[frozenset[Assertion], frozenset[Assertion]]:
        """The assertions of the direction's own side, and those of the other side.

        Raises:
            ValueError: this side has nothing to be said of it.
        """
        own, other = (self.a, self.b) if direction == "a" else (self.b, self.a)
        if not own:
            raise ValueError(f"the truth has no side {direction!r} that could be graded")
        return own, other


def _implied(assertion: Assertion, facts: Iterable[Assertion]) -> bool:
    """Whether the assertion follows from one of the facts."""
    attribute, value = assertion
    for fact in facts:
        if fact == assertion:
            return True
        if attribute == "group" and fact[0] == "kind" and GROUP_OF[fact[1]] == value:
            return True
        is_denial = value.startswith("no ") and not fact[1].startswith("no ")
        if fact[0] == attribute and is_denial and fact[1] != value.removeprefix("no "):
            return True
    return False


def _candidates(values: dict[str, str]) -> Iterator[dict[str, str]]:
    """Complete attribute values that agree with ``values``, enough to find a possible scene."""
    group = values.get("group")
    kinds = [values["kind"]] if "kind" in values else KIND_GROUPS.get(group or "", ("dog", "apple"))
    for kind in kinds:
        full = {"colour": "red", "setting": "beach", "kind": kind, **values}
        full.pop("group", None)
        if kind in SIDEWAYS:
            full.setdefault("facing", "left")
        if "relation" in full:
            full.setdefault("landmark", "box")
        if "landmark" in full:
            full.setdefault("relation", "left of")
        yield full


def possible(assertions: Iterable[Assertion]) -> bool:
    """Whether some scene of this world has all of them: a car wearing a hat is not one."""
    assertions = frozenset(assertions)
    values: dict[str, str] = {}
    for attribute, value in assertions:
        if not value.startswith("no ") and values.setdefault(attribute, value) != value:
            return False
    scenes = (settle(Scene(seed=0, **full)) for full in _candidates(values))
    return any(holds(assertions, scene) for scene in scenes)


def _names(
    rest: frozenset[Assertion], own: frozenset[Assertion], other: frozenset[Assertion]
) -> bool:
    """Whether ``rest`` is ``own``, or denies the other side where ``own`` is but a default."""
    denied = {(attribute, f"no {value}") for attribute, value in other}
    defaults = {(a, v) for a, v in own if DEFAULTS.get(a) == v}
    return rest == own or (
        own == defaults and bool(rest) and rest <= denied and len(rest) == len(own)
    )


def grade(text: str, truth: Truth, *, direction: Direction = "a") -> Grade:
    """Grades a hypothesis that is claimed to be more true of one side.

    Worked table, for A = dogs, B = cars, every image on a beach:

    ======================  =====  ========================================================
    hypothesis              grade  why
    ======================  =====  ========================================================
    ``a dog``               2      the difference
    ``puppies``             2      the same in other words
    ``a dog on a beach``    2      what is shared costs nothing
    ``an animal``           1      a wider group that has A's kind and not B's
    ``a red dog``           1      the difference, narrowed further
    ``a red object``        0      a nuisance: it may be true of A, but is no difference
    ``on a beach``          0      true of both sides
    ``a dog in the snow``   0      contradicts what is true of every image
    ``a car``               0      true of the other side
    ``a zebra``             0      not understood
    ======================  =====  ========================================================

    Where the difference is a conjunction (A = red dogs), one conjunct that the other side lacks is
    graded 1. Where A has a value and B only its default (A = hats, B = none), ``no hat`` is graded
    2 for direction ``b``. Against another value (B = scarves) it is graded 1: true, but too wide.

    Args:
        direction: the side that the hypothesis is claimed for.

    Raises:
        ValueError: the truth says nothing about this side.
    """
    own, other = truth.sides(direction)
    said = understand(text)
    if said is None:
        return 0
    rest = frozenset(one for one in said if not _implied(one, truth.shared))
    if _names(rest, own, other):
        return 2
    separates = any(_implied(one, own) and not _implied(one, other) for one in rest)
    return 1 if separates and possible(said | own | truth.shared) else 0
