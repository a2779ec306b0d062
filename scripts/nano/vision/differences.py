"""What the feature proposer is taught: the difference of two sets' mean features, and its words.

Half of the lessons come from drawn pairs, which are mixed as the benchmark's are and have its
nuisances; half are put together from single pictures that have one attribute value each and at
random a part of the rest in common, so that no two lessons are the same.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from scripts.nano.vision.pair_pool import PairPool
from scripts.nano.vision.pool import NAMES, Pool
from visdiff_local.bench.scenes.language.language import conjunction, phrase
from visdiff_local.bench.scenes.plans import DIFFERENCES
from visdiff_local.bench.scenes.world import (
    ATTRIBUTES,
    COLOURLESS,
    DEFAULTS,
    ENCLOSED,
    SIDEWAYS,
    WEARERS,
)

Rows = npt.NDArray[np.intp]
FEWEST, MOST = 6, 20
"""Pictures a side."""
_ATTRIBUTES = ("kind", "setting", *DIFFERENCES["medium"], *DIFFERENCES["hard"])
_EASY_SHARE = 0.5
_WIDTH = {"kind": 12, "setting": 6}
"""How often they are the context that both sides share, relative to one another."""


@dataclass(frozen=True)
class Lesson:
    """Rows of the pictures of both sides, and what is more true of A; of B, where it is asked."""

    a: Rows
    b: Rows
    words: str
    words_b: str = ""


def from_pair(pairs: PairPool, pair: int, rng: np.random.Generator, *, pure: bool) -> Lesson:
    """A drawn pair, either way round, some pictures of it, some of them on the wrong side."""
    first = int(rng.integers(2))
    sizes = rng.integers(min(FEWEST, pairs.n), pairs.n + 1, size=2)
    a, b = (
        rng.permutation(pairs.rows(pair, side))[:size]
        for side, size in zip((first, 1 - first), sizes, strict=True)
    )
    if not pure:
        swaps = int(rng.integers(0, min(len(a), len(b)) // 4 + 1))
        a[:swaps], b[:swaps] = b[:swaps].copy(), a[:swaps].copy()
    return Lesson(a, b, pairs.truths[pair][first])


@dataclass
class Singles:
    """Lessons from single pictures: both sides share a context and differ in one attribute."""

    pool: Pool
    count: int
    """How many pictures of the pool may be used."""
    _is: dict[tuple[str, str], npt.NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        codes = self.pool.codes[: self.count]
        for column, name in enumerate(NAMES):
            for code, value in enumerate(ATTRIBUTES[name]):
                self._is[name, value] = codes[:, column] == code

    def lesson(self, rng: np.random.Generator) -> Lesson:
        while True:
            found = self._try(rng)
            if found is not None:
                return found

    def _try(self, rng: np.random.Generator) -> Lesson | None:
        easy = rng.random() < _EASY_SHARE
        attribute = str(rng.choice(_ATTRIBUTES[:2] if easy else _ATTRIBUTES[2:]))
        values = [v for v in ATTRIBUTES[attribute] if (attribute, v) not in _UNSAID]
        own, other = (str(v) for v in rng.choice(values, 2, replace=False))
        allowed = self._context(attribute, rng)
        rows_a = np.flatnonzero(self._is[attribute, own] & allowed)
        rows_b = np.flatnonzero(self._is[attribute, other] & allowed)
        if min(len(rows_a), len(rows_b)) < FEWEST:
            return None
        sizes = rng.integers(FEWEST, MOST + 1, size=2)
        a, b = rng.permutation(rows_a)[: sizes[0]], rng.permutation(rows_b)[: sizes[1]]
        return Lesson(a, b, self._words(attribute, own, other, a))

    def _context(self, attribute: str, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """What both sides have in common: one kind or a few settings, and some other values."""
        allowed = self._visible(attribute)
        for name in ("kind", "setting"):
            if name != attribute and rng.random() < 0.5:
                some = rng.choice(ATTRIBUTES[name], int(rng.integers(1, 4)), replace=False)
                allowed &= np.logical_or.reduce([self._is[name, str(v)] for v in some])
        for name, default in DEFAULTS.items():
            if name not in (attribute, "facing", "landmark") and rng.random() < 0.3:
                allowed &= self._is[name, default]
        return allowed

    def _visible(self, attribute: str) -> npt.NDArray[np.bool_]:
        """Pictures in which the attribute can be seen."""
        allowed = np.ones(self.count, np.bool_)
        hidden = {
            "colour": [("rendering", v) for v in COLOURLESS],
            "weather": [("setting", v) for v in ENCLOSED],
            "time": [("setting", v) for v in ENCLOSED],
            "accessory": [("kind", v) for v in ATTRIBUTES["kind"] if v not in WEARERS],
            "facing": [("kind", v) for v in ATTRIBUTES["kind"] if v not in SIDEWAYS],
        }.get(attribute, [])
        for one in hidden:
            allowed &= ~self._is[one]
        return allowed

    def _words(self, attribute: str, own: str, other: str, a: Rows) -> str:
        if (attribute, own) == ("accessory", "none"):
            return phrase("accessory", f"no {other}")
        if attribute == "relation":
            landmarks = {self.pool.scene(int(row)).landmark for row in a}
            if len(landmarks) == 1:
                return conjunction([("relation", own), ("landmark", landmarks.pop())])
        return phrase(attribute, own)


_UNSAID = frozenset((("facing", "none"), ("relation", "none"), ("landmark", "none")))


def difference(features: npt.NDArray[np.float16], lesson: Lesson) -> torch.Tensor:
    """Mean features of A minus those of B, as the backend has it: float32 (tokens, width)."""
    a, b = (
        torch.from_numpy(features[np.sort(rows)]).float().mean(0) for rows in (lesson.a, lesson.b)
    )
    return a - b


def tail_of(pool: Pool, end: int, count: int) -> Pool:
    """The ``count`` pictures before ``end``, as a pool of their own."""
    part = slice(end - count, end)
    return Pool(pool.images[part], pool.codes[part], pool.cover[:0])
