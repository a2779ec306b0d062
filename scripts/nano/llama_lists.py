"""Pairs of caption lists with a known answer: what the nano language model learns to propose from.

A pair is drawn as a benchmark pair is (a difference, shared contexts, attributes that are fixed or
vary freely, a nuisance), but from *training* combinations only, and is then read through a
captioner that forgets and confuses things. The answer is counted on the captions as they ended up:
what the model is to say can be seen in what it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from visdiff_local.scenes.language import caption, phrase, understand
from visdiff_local.scenes.vocabulary import SAYABLE, Assertion
from visdiff_local.scenes.world import (
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

VALUES: tuple[Assertion, ...] = tuple(
    (attribute, value)
    for attribute in ATTRIBUTES
    for value in SAYABLE[attribute]
    if value != DEFAULTS.get(attribute)
)
"""Everything that a caption can name, in the order that settles ties."""
_INDEX = {assertion: i for i, assertion in enumerate(VALUES)}
_PHRASES = tuple(phrase(*assertion) for assertion in VALUES)

MOST_LINES = 10
MIN_GAP = 0.2
"""Smallest difference of two frequencies that is worth proposing."""
MIN_Z = 1.5
"""Smallest pooled two-proportion z-score: one picture in five is no difference."""
NOTHING = "nothing"

DIFFERING = ("kind", "setting", "colour", "pattern", "count", "accessory", "facing", "size",
             "weather", "time", "rendering", "relation", "landmark")  # fmt: skip
_SHARES = np.array([0.3, 0.15, *[0.05] * 11])
"""How often each of those is the difference; most often what has the most values to learn."""
_FREE = ("colour", "pattern", "count", "accessory", "facing", "size",
         "weather", "time", "rendering", "relation")  # fmt: skip


@dataclass(frozen=True)
class ListPair:
    """Two lists of captions and what each of them says.

    ``counts_a`` and ``counts_b`` are bool (captions, len(VALUES)).
    """

    captions_a: tuple[str, ...]
    captions_b: tuple[str, ...]
    counts_a: np.ndarray
    counts_b: np.ndarray

    @property
    def answer(self) -> tuple[str, ...]:
        """The phrases of what is more frequent in A, the largest gap first."""
        return tuple(_PHRASES[i] for i in more_in_a(self.counts_a, self.counts_b))

    @property
    def running_gaps(self) -> np.ndarray:
        """float32 (lines of the prompt, len(VALUES)): the gap of the frequencies in the captions
        read so far, at the end of every line of the prompt (A's heading and captions, B's, and the
        question)."""
        part_a, part_b = _running_mean(self.counts_a), _running_mean(self.counts_b)
        nothing = np.zeros_like(part_a[:1])
        gap = part_a[-1:] - part_b
        return np.concatenate([nothing, part_a, part_a[-1:], gap, gap[-1:]])

    @property
    def gaps_left(self) -> np.ndarray:
        """float32 (lines of the answer, len(VALUES)): the real gaps that are still to be said when
        a line is begun; one row of zeros where there is nothing to say."""
        order = more_in_a(self.counts_a, self.counts_b)
        gap = self.counts_a.mean(0) - self.counts_b.mean(0)
        left = np.zeros((max(1, len(order)), len(VALUES)), dtype=np.float32)
        for line in range(len(order)):
            left[line, order[line:]] = gap[order[line:]]
        return left


def _running_mean(counts: np.ndarray) -> np.ndarray:
    return (counts.cumsum(0) / np.arange(1, len(counts) + 1)[:, None]).astype(np.float32)


def more_in_a(counts_a: np.ndarray, counts_b: np.ndarray) -> list[int]:
    """Positions in :data:`VALUES` of the real gaps, largest first, at most :data:`MOST_LINES`."""
    n_a, n_b = len(counts_a), len(counts_b)
    gap = (counts_a.mean(0) - counts_b.mean(0)).round(6)  # ties are ties, whatever the rounding
    pooled = (counts_a.sum(0) + counts_b.sum(0)) / (n_a + n_b)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-9) * (1 / n_a + 1 / n_b))
    real = (gap >= MIN_GAP - 1e-9) & (gap / spread >= MIN_Z)
    order = np.argsort(-gap, kind="stable")
    return [int(i) for i in order if real[i]][:MOST_LINES]


def said(text: str) -> np.ndarray:
    """bool (len(VALUES),): what a caption says."""
    row = np.zeros(len(VALUES), dtype=bool)
    for assertion in understand(text) or ():
        if assertion in _INDEX:
            row[_INDEX[assertion]] = True
    return row


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


def _pick(rng: np.random.Generator, values: Sequence[str], n: int = 1) -> tuple[str, ...]:
    chosen = rng.choice(len(values), size=min(n, len(values)), replace=False)
    return tuple(values[int(i)] for i in chosen)


def _only(value: str) -> Share:
    return (value,), np.ones(1)


def _mixture(values: Sequence[str], shares: np.ndarray) -> Share:
    cumulative = np.cumsum(shares / shares.sum())
    cumulative[-1] = 1.0  # whatever the rounding, searchsorted stays inside
    return tuple(values), cumulative


def _background(name: str, rng: np.random.Generator) -> Share:
    """How an attribute that is not the difference behaves: usual, fixed, few values, or free."""
    values = ATTRIBUTES[name]
    mode = rng.random()
    if mode < 0.4 and name in DEFAULTS and name != "facing":
        return _only(DEFAULTS[name])
    if mode < 0.55:
        return _only(_pick(rng, values)[0])
    if mode < 0.75:
        few = _pick(rng, values, int(rng.integers(2, 4)))
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


def _values_of(attribute: str) -> tuple[str, ...]:
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
        kinds, settings = _pick(rng, kinds, int(rng.integers(1, 4))), _pick(rng, settings, 3)
    shares = {name: _background(name, rng) for name in _FREE}
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
    mine = _pick(rng, everything, int(rng.choice((1, 1, 1, 2, 3))))
    others = [v for v in everything if v not in mine]
    theirs = _pick(rng, others, int(rng.choice((1, 1, 1, 3, len(others)))))
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
    mine = _only(_pick(rng, _values_of(attribute))[0])
    how = rng.random()
    if attribute in DEFAULTS and attribute not in ("facing", "landmark") and how < 0.45:
        theirs = _only(DEFAULTS[attribute])
    elif how < 0.85:
        theirs = _only(_pick(rng, [v for v in _values_of(attribute) if v != mine[0][0]])[0])
    else:
        theirs = _mixture(ATTRIBUTES[attribute], np.ones(len(ATTRIBUTES[attribute])))
    sides = (shares | {attribute: mine}, shares | {attribute: theirs})
    if attribute == "landmark":
        relation = _only(_pick(rng, _values_of("relation"))[0])
        sides = (sides[0] | {"relation": relation}, sides[1] | {"relation": relation})
    return sides if rng.random() < 0.8 else sides[::-1]


def _add_nuisance(
    rng: np.random.Generator, sides: tuple[Shares, Shares], attribute: str | None
) -> tuple[Shares, Shares]:
    """Makes another attribute lean to one side."""
    name = str(rng.choice([n for n in _FREE if n != attribute]))
    one, other = _pick(rng, ATTRIBUTES[name], 2)
    lean = rng.uniform(0.5, 0.8)
    a = _mixture((one, other), np.array([lean, 1 - lean]))
    b = _mixture((one, other), np.array([1 - lean, lean]))
    return sides[0] | {name: a}, sides[1] | {name: b}


def _misread(scene: Scene, forget: float, confuse: float, rng: np.random.Generator) -> Scene:
    """The scene as an imperfect captioner sees it."""
    changes: dict[str, str] = {}
    for name in ATTRIBUTES:
        luck = rng.random()
        if luck < confuse and scene.get(name) != "none":
            changes[name] = _pick(rng, _values_of(name))[0]
        elif luck < confuse + forget and scene.get(name) != DEFAULTS.get(name) and name in DEFAULTS:
            changes[name] = DEFAULTS[name]
    seen = settle(replace(scene, **changes))  # type: ignore[arg-type]
    return scene if is_held_out(seen.kind, seen.setting) else seen


def read_captions(
    scenes: Sequence[Scene], rng: np.random.Generator, *, detailed: bool = False
) -> tuple[str, ...]:
    """What an imperfect captioner, whose habits are drawn first, says of the scenes."""
    forget, confuse = rng.uniform(0.0, 0.15), rng.uniform(0.0, 0.1)
    canonical = 1.0 if rng.random() < 0.5 else rng.random()
    style = "detailed" if detailed else "short"
    texts = []
    for scene in scenes:
        seen = _misread(scene, forget, confuse, rng)
        texts.append(caption(seen, None if rng.random() < canonical else rng, style=style))
    return tuple(texts)


def draw_lists(rng: np.random.Generator, n_a: int, n_b: int, *, detailed: bool = False) -> ListPair:
    """A pair of lists of ``n_a`` and ``n_b`` captions; one in ten has no intended difference."""
    attribute = None if rng.random() < 0.1 else str(rng.choice(DIFFERING, p=_SHARES))
    one, other = draw_recipes(rng, attribute)
    strays = (1 - rng.uniform(0.4, 1.0)) / 2 if rng.random() < 0.5 else 0.0
    lists = []
    for recipe, stray_recipe, n in ((one, other, n_a), (other, one, n_b)):
        stray = int(rng.binomial(n, strays))
        scenes = recipe.draw(n - stray, rng) + stray_recipe.draw(stray, rng)
        rng.shuffle(scenes)  # type: ignore[arg-type]
        lists.append(read_captions(scenes, rng, detailed=detailed))
    counts = [np.stack([said(text) for text in texts]) for texts in lists]
    return ListPair(lists[0], lists[1], counts[0], counts[1])
