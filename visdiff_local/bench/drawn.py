"""The drawn-scene benchmark: pairs whose difference is known exactly, run through everything.

The pictures are drawn once into the workspace. Runs are ordinary ones, with the pair's folders as A
and B; what they compute goes to the ordinary store, so that the same scene at another purity, or
under another ranker, costs nothing again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visdiff_local.bench import ceilings
from visdiff_local.bench.accuracy import TOP, Trial, graded, proposed
from visdiff_local.bench.engine import Engine, run_once, world_version
from visdiff_local.bench.ledger import Json, Ledger
from visdiff_local.bench.scenes.grading import grade
from visdiff_local.bench.scenes.pairs import Pair, benchmark, write_pair
from visdiff_local.config import RunConfig
from visdiff_local.types import RunResult

SPLITS = ("easy", "medium", "hard")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which pairs to run, and how often."""

    pairs: int = 20
    """Of each difficulty."""
    runs: int = 1
    """Seeds a pair."""
    seed: int = 0
    """Of the pairs; run number r on them has the seed ``seed + r``."""
    purity: float = 1.0
    images: int = 100
    """A set."""
    splits: tuple[str, ...] = SPLITS


def trials(
    plan: Plan,
    options: Mapping[str, Any],
    engine: Engine,
    workspace: Path,
    *,
    advance: Callable[[int], None] = lambda count: None,
) -> Iterator[Trial]:
    """Runs every pair of the plan with every seed; what the ledger knows is not run again.

    Args:
        options: of :class:`RunConfig`, without the sets and the truth.
        workspace: where the pictures and the ledger are kept.
        advance: told after each trial.
    """
    ledger = Ledger(workspace / "scenes.jsonl")
    for pair in drawn_pairs(plan):
        for seed in range(plan.seed, plan.seed + plan.runs):
            yield _trial(pair, seed, plan, options, engine, workspace, ledger)
            advance(1)


def drawn_pairs(plan: Plan) -> list[Pair]:
    """The pairs of the plan's splits; the pictures are not drawn yet."""
    pairs = benchmark(plan.pairs, plan.seed, n=plan.images, purity=plan.purity)
    return [pair for pair in pairs if pair.difficulty in plan.splits]


def pair_folder(pair: Pair, plan: Plan, workspace: Path) -> Path:
    """The folder of the pair's pictures, drawn now where they are not there yet.

    ``pair.json`` is written after the last picture, so a folder without it was not finished.
    """
    name = f"{plan.seed}-{plan.images}-{plan.purity:g}-{world_version()}"
    folder = workspace / "pictures" / name / pair.name
    if not (folder / "pair.json").exists():
        write_pair(pair, folder)
    return folder


def _trial(
    pair: Pair,
    seed: int,
    plan: Plan,
    options: Mapping[str, Any],
    engine: Engine,
    workspace: Path,
    ledger: Ledger,
) -> Trial:
    folder = pair_folder(pair, plan, workspace)
    given = {
        "one_way": True,
        **options,
        "a": str(folder / "a"),
        "b": str(folder / "b"),
        "seed": seed,
        "truth_a": pair.truth_a,
        "truth_b": pair.truth_b,
    }
    config = RunConfig.checked(**given)

    def exact(text: str) -> int:
        return grade(text, pair.truth)

    def record(result: RunResult, seconds: float) -> Json:
        best = ceilings.oracle(
            ceilings.proposed(result),
            pair,
            (result.a.validate, result.b.validate),
            TOP,
            np.random.default_rng(seed),
        )
        return Trial(
            split=pair.difficulty,
            pair=pair.name,
            seed=seed,
            proposer=",".join(config.proposer),
            ranker=config.ranker,
            purity=plan.purity,
            ranked=graded(result, exact),
            seconds=seconds,
            proposed=proposed(result, exact),
            oracle=tuple(best[k] for k in TOP),
        ).as_dict()

    return Trial.from_dict(run_once(engine, config, ledger, record))
