"""Benchmark pairs: two sets of scenes with a known difference, and their pictures on disk."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from visdiff_local.bench.scenes.grading import Truth
from visdiff_local.bench.scenes.language.language import conjunction, phrase
from visdiff_local.bench.scenes.language.understanding import holds
from visdiff_local.bench.scenes.language.vocabulary import DENIALS, SAYABLE, Assertion
from visdiff_local.bench.scenes.plans import DIFFERENCES, Difficulty, Nuisance, Plan, make_plan
from visdiff_local.bench.scenes.world import Scene

DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sets of scenes, and how they differ.

    ``truth`` is what :func:`grade` wants; ``truth_a`` and ``truth_b`` are the same in words.
    ``nuisance`` leans to one side without being the difference (hard pairs only).
    """

    name: str
    difficulty: Difficulty
    attribute: str
    truth: Truth
    truth_a: str
    truth_b: str
    a: tuple[Scene, ...]
    b: tuple[Scene, ...]
    nuisance: Nuisance | None = None


def _shared(scenes: Iterable[Scene]) -> frozenset[Assertion]:
    """Everything that is true of all the scenes."""
    scenes = tuple(scenes)
    return frozenset(
        (attribute, value)
        for table in (SAYABLE, DENIALS)
        for attribute, values in table.items()
        for value in values
        if all(holds([(attribute, value)], scene) for scene in scenes)
    )


def _in_words(plan: Plan, own: str, other: str) -> str:
    """The canonical hypothesis for one side of the plan."""
    if plan.attribute == "relation":
        return conjunction([("relation", own), ("landmark", plan.fixed["landmark"])])
    if (plan.attribute, own) == ("accessory", "none"):
        return phrase("accessory", f"no {other}")
    return phrase(plan.attribute, own)


def _mix(
    a: tuple[Scene, ...], b: tuple[Scene, ...], purity: float, rng: np.random.Generator
) -> tuple[tuple[Scene, ...], tuple[Scene, ...]]:
    """Swaps ``round(n * (1 - purity) / 2)`` random scenes of A for as many of B."""
    if not 0.0 <= purity <= 1.0:
        raise ValueError(f"purity is a share between 0 and 1, not {purity}")
    order_a, order_b = rng.permutation(len(a)), rng.permutation(len(b))
    swaps = round(len(a) * (1.0 - purity) / 2.0)
    mixed_a, mixed_b = list(a), list(b)
    for i, j in zip(order_a[:swaps], order_b[:swaps], strict=True):
        mixed_a[i], mixed_b[j] = b[j], a[i]
    return tuple(mixed_a), tuple(mixed_b)


def make_pair(
    difficulty: Difficulty,
    rng: np.random.Generator,
    *,
    attribute: str | None = None,
    n: int = 100,
    purity: float = 1.0,
    held_out: bool = True,
) -> Pair:
    """A random pair of ``n`` scenes a side.

    The same generator state gives the same scenes at every ``purity``, only mixed differently.

    Args:
        attribute: what differs, one of ``DIFFERENCES[difficulty]``; ``None`` for a random one.
        purity: 1 keeps the sides apart, 0 leaves half of each side in the other one.
        held_out: which combinations of kind and setting to draw from (:func:`is_held_out`).

    Raises:
        ValueError: the difficulty has no such attribute, ``n`` is not positive, or ``purity`` lies
            outside 0 to 1.
    """
    if n < 1:
        raise ValueError(f"a pair needs at least one scene a side, not {n}")
    attribute = attribute or str(rng.choice(DIFFERENCES[difficulty]))
    plan = make_plan(difficulty, attribute, rng, held_out=held_out)
    a = tuple(plan.draw("a", rng) for _ in range(n))
    b = tuple(plan.draw("b", rng) for _ in range(n))
    truth = Truth(
        a=frozenset({(attribute, plan.value_a)}),
        b=frozenset({(attribute, plan.value_b)}),
        shared=_shared((*a, *b)),
    )
    mixed_a, mixed_b = _mix(a, b, purity, rng)
    return Pair(
        name=f"{difficulty} {attribute} {plan.value_a} {plan.value_b}".replace(" ", "-"),
        difficulty=difficulty,
        attribute=attribute,
        truth=truth,
        truth_a=_in_words(plan, plan.value_a, plan.value_b),
        truth_b=_in_words(plan, plan.value_b, plan.value_a),
        a=mixed_a,
        b=mixed_b,
        nuisance=plan.nuisance,
    )


def benchmark(
    n_pairs_per_difficulty: int, seed: int, *, n: int = 100, purity: float = 1.0
) -> tuple[Pair, ...]:
    """Pairs of every difficulty, balanced over the attributes that differ, with unique names.

    Every pair has a seed of its own: asking for more pairs, or for another purity, leaves the
    scenes of the earlier ones as they were.
    """
    pairs = []
    for level, difficulty in enumerate(DIFFICULTIES):
        attributes = DIFFERENCES[difficulty]
        for index in range(n_pairs_per_difficulty):
            rng = np.random.default_rng([seed, level, index])
            attribute = attributes[index % len(attributes)]
            pair = make_pair(difficulty, rng, attribute=attribute, n=n, purity=purity)
            pairs.append(replace(pair, name=f"{index:03d}-{pair.name}"))
    return tuple(pairs)


def _as_json(pair: Pair) -> dict[str, Any]:
    """The pair as plain data; sets of assertions become sorted lists of [attribute, value]."""
    truth = {side: sorted(getattr(pair.truth, side)) for side in ("a", "b", "shared")}
    return {"schema_version": 1, **asdict(pair), "truth": truth}


def write_pair(pair: Pair, folder: Path, size: int = 96) -> None:
    """Draws the pair: ``folder/a/*.png``, ``folder/b/*.png`` and ``folder/pair.json``.

    The pictures are numbered in the order of the scenes in ``pair.json``, which is written last.

    Args:
        size: edge of the square pictures in pixels.
    """
    from visdiff_local.bench.scenes.drawing.render import render

    for side, scenes in (("a", pair.a), ("b", pair.b)):
        pictures = folder / side
        pictures.mkdir(parents=True, exist_ok=True)
        for index, scene in enumerate(scenes):
            render(scene, size=size).image.save(pictures / f"{index:04d}.png")
    text = json.dumps(_as_json(pair), indent=1)
    (folder / "pair.json").write_text(text + "\n", encoding="utf-8")
