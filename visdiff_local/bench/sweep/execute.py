"""Runs a sweep: every combination on every pair with every seed, each at most once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from visdiff_local.bench import drawn
from visdiff_local.bench.accuracy import Trial
from visdiff_local.bench.engine import Engine
from visdiff_local.bench.sweep.plan import Combination, Sweep


@dataclass(frozen=True, slots=True)
class Measured:
    """A combination and its trials."""

    combination: Combination
    trials: tuple[Trial, ...]


def run_sweep(
    sweep: Sweep,
    engine: Engine,
    workspace: Path,
    *,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Measured]:
    """All trials of the sweep. What was finished before an interruption is not run again.

    Args:
        engine: keeps models open from one combination to the next.
        workspace: where pictures and the ledger are kept; sweeps and benchmarks may share one.
        advance: told after each trial.
    """
    return [
        Measured(
            combination,
            tuple(
                drawn.trials(
                    combination.plan, combination.options, engine, workspace, advance=advance
                )
            ),
        )
        for combination in sweep.combinations
    ]
