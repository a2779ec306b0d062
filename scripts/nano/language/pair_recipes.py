"""How pairs of sets of scenes are drawn for training: one difference, and much that is none.

As in a benchmark pair there are shared contexts, attributes that are fixed or vary freely, and
perhaps a nuisance; but everything comes from *training* combinations of kind and setting.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local.bench.scenes.language.vocabulary import SAYABLE
from visdiff_local.bench.scenes.world import (
    ATTRIBUTES,
    COLOURLESS,
    DEFAULTS,
    ENCLOSED,
    KINDS,
    SETTINGS,
    SIDEWAYS,
    WEARERS,
    Scene,
    is_held_out,
    settle,
)

DIFFERING = ("kind", "setting", "colour", "pattern", "count", "accessory", "facing", "size",
             "weather", "time", "rendering", "relation", "landmark")  # fmt: skip
_FREE = ("colour", "pattern", "count", "accessory", "facing", "size",
         "weather", "time", "rendering", "relation")  # fmt: skip

Share = tuple[tuple[str, ...], np.ndarray]
"""Values with their cumulative shares."""
Shares = dict[str, Share]
"""A :data:`Share` for every attribute but kind and setting."""


@dataclass(frozen=True)
class Recipe:
    """How one side is drawn: its (kind, setting) contexts, and all that varies besides."""

    contexts: tuple[tuple[str, str], ...]
    shares: Shares

    def draw(self, n: int, rng: np.random.Generator) -> list[Scene]:
        places = rng.integers(len(self.contexts), size=n)
        columns = {
            name: [values[i] for i in np.searchsorted(cumulative, rng.random(n))]
            for name, (values, cumulative) in self.shares.items()
        }
        seeds = rng.integers(2**31, size=n)
        return [self._scene(int(places[i]), int(seeds[i]), columns, i, rng) for i in range(n)]

    def _scene(
        self, place: int, seed: int, columns: dict[str, list[str]], i: int, rng: np.random.Generator
    ) -> Scene:
        kind, setting = self.contexts[place]
        values = {name: column[i] for name, column in columns.items()}
        if kind in SIDEWAYS and values["facing"] == "none":
            values["facing"] = "left" if rng.random() < 0.5 else "right"
        if values["relation"] == "none":
            values["landmark"] = "none"
        return settle(Scene(kind=kind, setting=setting, seed=seed, **values))  # type: ignore[arg-type]


def pick(rng: np.random.Generator, values: Sequence[str], n: int = 1) -> tuple[str, ...]:
    chosen = rng.choice(len(values), size=min(n, len(values)), replace=False)
    return tuple(values[int(i)] for i in chosen)


def _only(value: str) -> Share:
    return (value,), np.ones(1)


def _mixture(values: Sequence[str], shares: np.ndarray) -> Share:
    cumulative = np.cumsum(shares / shares.sum())
    cumulative[-1] = 1.0  # whatever the rounding, searchsorted stays inside
    return tuple(values), cumulative


def _background(name: str, busy: float, rng: np.random.Generator) -> Share:
    """How an attribute that is not the difference behaves: usual, fixed, few values, or free.

    ``busy`` is the share of attributes that may be other than usual (or fixed).
    """
    values = ATTRIBUTES[name]
    if rng.random() > busy:
        has_usual = name in DEFAULTS and name != "facing"
        return _only(DEFAULTS[name] if has_usual else pick(rng, values)[0])
    mode = rng.random()
    if mode < 0.4 and name in DEFAULTS and name != "facing":
        return _only(DEFAULTS[name])
    if mode < 0.55:
        return _only(pick(rng, values)[0])
    if mode < 0.75:
        few = pick(rng, values, int(rng.integers(2, 4)))
        return _mixture(few, rng.dirichlet(np.ones(len(few))))
    shares = np.ones(len(values))
    if name in DEFAULTS and name != "facing":
        shares[values.index(DEFAULTS[name])] = (len(values) - 1) * rng.uniform(0.3, 2.0)
    return _mixture(values, shares)


def _contexts(
    kinds: Sequence[str], settings: Sequence[str], rng: np.random.Generator, most: int
) -> tuple[tuple[str, str], ...]:
    allowed = [(k, s) for k in kinds for s in settings if not is_held_out(k, s)]
    if len(allowed) <= most:
        return tuple(allowed)
    return tuple(allowed[int(i)] for i in rng.choice(len(allowed), size=most, replace=False))


def _suitable(attribute: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The kinds and settings in which a difference of this attribute can be seen."""
    kinds, settings = KINDS, SETTINGS
    if attribute == "accessory":
        kinds = tuple(k for k in KINDS if k in WEARERS)
    if attribute == "facing":
        kinds = tuple(k for k in KINDS if k in SIDEWAYS)
    if attribute in ("weather", "time"):
        settings = tuple(s for s in SETTINGS if s not in ENCLOSED)
    return kinds, settings


def values_of(attribute: str) -> tuple[str, ...]:
    """The values of an attribute that can be the difference: those that captions name."""
    return tuple(v for v in SAYABLE[attribute] if v != DEFAULTS.get(attribute))


def _make_visible(attribute: str, shares: Shares) -> Shares:
    """Overrules what would hide a difference of this attribute."""
    changes: Shares = {}
    if attribute in ("colour", "time"):
        values, _ = shares["rendering"]
        if COLOURLESS & set(values):
            changes["rendering"] = _only(DEFAULTS["rendering"])
    if attribute in ("size", "count"):
        changes |= {"relation": _only("none"), "landmark": _only("none")}
        changes["count" if attribute == "size" else "size"] = _only(
            DEFAULTS["count" if attribute == "size" else "size"]
        )
    return shares | changes


def draw_recipes(rng: np.random.Generator, attribute: str | None) -> tuple[Recipe, Recipe]:
    """Two sides that differ in ``attribute`` (``None``: in nothing) and perhaps in a nuisance."""
    for _ in range(100):
        recipes = _try_recipes(rng, attribute)
        if recipes is not None:
            return recipes
    raise ValueError(f"no contexts for a difference of {attribute!r}")


def _try_recipes(rng: np.random.Generator, attribute: str | None) -> tuple[Recipe, Recipe] | None:
    kinds, settings = _suitable(attribute or "kind")
    if rng.random() < 0.75:  # a narrow context, as benchmark pairs have
        kinds, settings = pick(rng, kinds, int(rng.integers(1, 4))), pick(rng, settings, 3)
    busy = rng.uniform(0.2, 1.0)
    shares = {name: _background(name, busy, rng) for name in _FREE}
    shares["landmark"] = _mixture(ATTRIBUTES["landmark"][1:], rng.dirichlet(np.ones(2)))
    most = int(rng.integers(1, 4)) if rng.random() < 0.7 else 40
    if attribute in ("kind", "setting"):
        return _context_difference(rng, attribute, kinds, settings, shares, most)
    contexts = _contexts(kinds, settings, rng, most)
    if not contexts:
        return None
    sides = (shares, shares)
    if attribute is not None:
        sides = _attribute_difference(rng, attribute, _make_visible(attribute, shares))
    if rng.random() < 0.5:
        sides = _add_nuisance(rng, sides, attribute)
    return Recipe(contexts, sides[0]), Recipe(contexts, sides[1])


def _context_difference(
    rng: np.random.Generator,
    attribute: str,
    kinds: Sequence[str],
    settings: Sequence[str],
    shares: Shares,
    most: int,
) -> tuple[Recipe, Recipe] | None:
    """The difference is the kind or the setting: some values in A; one, some, or any in B."""
    everything = ATTRIBUTES[attribute]
    mine = pick(rng, everything, int(rng.choice((1, 1, 1, 2, 3))))
    others = [v for v in everything if v not in mine]
    theirs = pick(rng, others, int(rng.choice((1, 1, 1, 3, len(others)))))
    if attribute == "kind":
        a, b = _contexts(mine, settings, rng, most), _contexts(theirs, settings, rng, 40)
    else:
        a, b = _contexts(kinds, mine, rng, most), _contexts(kinds, theirs, rng, 40)
    if not a or not b:
        return None
    sides = (shares, shares)
    if rng.random() < 0.5:
        sides = _add_nuisance(rng, sides, attribute)
    return Recipe(a, sides[0]), Recipe(b, sides[1])


def _attribute_difference(
    rng: np.random.Generator, attribute: str, shares: Shares
) -> tuple[Shares, Shares]:
    """One value in A; another, the default, or a mixture in B; one time in five the other way."""
    mine = _only(pick(rng, values_of(attribute))[0])
    how = rng.random()
    if attribute in DEFAULTS and attribute not in ("facing", "landmark") and how < 0.45:
        theirs = _only(DEFAULTS[attribute])
    elif how < 0.85:
        theirs = _only(pick(rng, [v for v in values_of(attribute) if v != mine[0][0]])[0])
    else:
        theirs = _mixture(ATTRIBUTES[attribute], np.ones(len(ATTRIBUTES[attribute])))
    sides = (shares | {attribute: mine}, shares | {attribute: theirs})
    if attribute == "landmark":
        relation = _only(pick(rng, values_of("relation"))[0])
        sides = (sides[0] | {"relation": relation}, sides[1] | {"relation": relation})
    return sides if rng.random() < 0.8 else sides[::-1]


def _add_nuisance(
    rng: np.random.Generator, sides: tuple[Shares, Shares], attribute: str | None
) -> tuple[Shares, Shares]:
    """Makes another attribute lean to one side."""
    name = str(rng.choice([n for n in _FREE if n != attribute]))
    one, other = pick(rng, ATTRIBUTES[name], 2)
    lean = rng.uniform(0.5, 0.8)
    a = _mixture((one, other), np.array([lean, 1 - lean]))
    b = _mixture((one, other), np.array([1 - lean, lean]))
    return sides[0] | {name: a}, sides[1] | {name: b}
