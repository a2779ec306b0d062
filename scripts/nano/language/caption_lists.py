"""Pairs of caption lists with a known answer: what the nano language model learns to propose from.

Scenes are drawn by :mod:`llama_recipes` and then read through a captioner that forgets and
confuses things. The answer is counted on the captions as they ended up: what the model is to say
can be seen in what it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scripts.nano.language.pair_recipes import DIFFERING, draw_recipes, pick, values_of
from visdiff_local.bench.scenes.language.language import caption, phrase, understand
from visdiff_local.bench.scenes.language.vocabulary import SAYABLE, Assertion
from visdiff_local.bench.scenes.world import ATTRIBUTES, DEFAULTS, Scene, is_held_out, settle

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

_SHARES = np.array([0.38, 0.18, *[0.04] * 11])
"""How often each of those is the difference; most often what has the most values to learn."""


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
    real = (gap >= MIN_GAP - 1e-9) & (gap >= MIN_Z * spread - 1e-9)
    order = np.argsort(-gap, kind="stable")
    return [int(i) for i in order if real[i]][:MOST_LINES]


def said(text: str) -> np.ndarray:
    """bool (len(VALUES),): what a caption says."""
    row = np.zeros(len(VALUES), dtype=bool)
    for assertion in understand(text) or ():
        if assertion in _INDEX:
            row[_INDEX[assertion]] = True
    return row


def _misread(scene: Scene, forget: float, confuse: float, rng: np.random.Generator) -> Scene:
    """The scene as an imperfect captioner sees it."""
    changes: dict[str, str] = {}
    for name in ATTRIBUTES:
        luck = rng.random()
        if luck < confuse and scene.get(name) != "none":
            changes[name] = pick(rng, values_of(name))[0]
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
    """A pair of lists of ``n_a`` and ``n_b`` captions; one in five has no intended difference."""
    attribute = None if rng.random() < 0.2 else str(rng.choice(DIFFERING, p=_SHARES))
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
