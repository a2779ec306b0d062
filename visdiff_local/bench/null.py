"""A/A: how often is a difference found where there is none? And how often where there is one?

The images of one set are dealt into two at random, again and again, and each deal is run like any
other comparison. Whatever is confirmed then is false. ``power`` asks the opposite on pairs of drawn
scenes: the share of runs that confirm the true difference, by purity.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from visdiff_local.bench.accuracy import Row, Trial
from visdiff_local.bench.engine import Engine, run_once, world_version
from visdiff_local.bench.ledger import Json, Ledger
from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError
from visdiff_local.system import spreadsheets
from visdiff_local.types import RunResult

LEVEL = 0.95
PATIENT = "patient"
"""The column of the clusters, where there are any."""


def aa_row(
    pool: Sequence[Path],
    options: Mapping[str, Any],
    engine: Engine,
    workspace: Path,
    *,
    runs: int,
    seed: int,
    patients: Sequence[int] | None = None,
    clustered: bool = False,
    advance: Callable[[int], None] = lambda count: None,
) -> Row:
    """One row: the share of random halvings of the pool in which a difference is confirmed.

    Args:
        patients: the cluster of each image of the pool; whole clusters are dealt then.
        clustered: run with ``--cluster-by patient``.

    A/A is `visdiff-local docs statistics`, "In benchmarks"; the interval of the rate is exact.

    Raises:
        InputError: there are fewer than two images.
    """
    if len(pool) < 2:
        raise InputError("an A/A benchmark needs at least two images")
    confirmed = warned = 0
    given = {**options, **({"cluster_by": PATIENT} if clustered else {})}
    seeds = range(seed, seed + runs)
    for found in _outcomes(pool, patients, given, engine, workspace, seeds):
        confirmed += bool(found["confirmed"])
        warned += bool(found["warned"])
        advance(1)
    config = RunConfig.checked(**{**options, "a": "pool", "b": "pool"})
    rate, low, high = share(confirmed, runs)
    return {
        "stats": config.stats,
        "design": "clustered" if clustered else "plain",
        "proposer": ",".join(config.proposer),
        "ranker": config.ranker,
        "images": len(pool),
        "runs": runs,
        "alpha": config.alpha,
        "confirmed": confirmed,
        "rate": rate,
        "rate_ci": [low, high],
        **({} if patients is None else {"warned": warned}),
    }


def share(count: int, n: int) -> tuple[float, float, float]:
    """``count / n`` with its exact (Clopper–Pearson) 95% interval."""
    interval = binomtest(count, n).proportion_ci(LEVEL, method="exact")
    return count / n, float(interval.low), float(interval.high)


def power_rows(trials: Sequence[Trial]) -> list[Row]:
    """By split and purity: the share of runs that confirm a hypothesis whose exact grade is 1 or 2.

    ``false`` counts the runs that confirm only what is graded 0.
    """
    groups: dict[tuple[str, float], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.split, trial.purity), []).append(trial)
    rows: list[Row] = []
    for (split, purity), members in groups.items():
        best = [_best_confirmed(trial) for trial in members]
        found = sum(grade is not None and grade > 0 for grade in best)
        rate, low, high = share(found, len(members))
        rows.append(
            {
                "split": split,
                "purity": purity,
                "runs": len(members),
                "found": found,
                "false": sum(grade == 0 for grade in best),
                "rate": rate,
                "rate_ci": [low, high],
            }
        )
    return rows


def draw_pool(n: int, seed: int, folder: Path) -> list[Path]:
    """``n`` pictures of the drawn world, as varied as it is, drawn where they are not there yet."""
    from visdiff_local.bench.scenes.drawing.render import render
    from visdiff_local.bench.scenes.world import sample_scene

    target = folder / f"{seed}-{n}-{world_version()}"
    paths = [target / f"{number:05d}.png" for number in range(n)]
    if not (target / "complete").exists():
        target.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([seed, 1])
        for path in paths:
            render(sample_scene(rng, held_out=True)).image.save(path)
        (target / "complete").touch()
    return paths


def draw_patients(
    clusters: int, each: int, icc: float, seed: int, folder: Path
) -> tuple[list[Path], list[int]]:
    """Pictures of patients, and the patient of each: what a scene shows is its patient's own with
    probability √``icc`` for every attribute, so that two of one patient share it in ``icc``."""
    from visdiff_local.bench.scenes.drawing.render import render
    from visdiff_local.bench.scenes.world import ATTRIBUTES, Scene, sample_scene, settle

    target = folder / f"patients-{seed}-{clusters}-{each}-{icc:g}-{world_version()}"
    patients = [patient for patient in range(clusters) for _ in range(each)]
    paths = [target / f"{number:05d}.png" for number in range(len(patients))]
    if (target / "complete").exists():
        return paths, patients
    target.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 2])
    for patient in range(clusters):
        own = sample_scene(rng, held_out=None)
        for number in range(each):
            other = sample_scene(rng, held_out=None)
            values = {
                name: (own if rng.random() < icc**0.5 else other).get(name) for name in ATTRIBUTES
            }
            scene = settle(Scene(seed=other.seed, **values))
            render(scene).image.save(paths[patient * each + number])
    (target / "complete").touch()
    return paths, patients


def _best_confirmed(trial: Trial) -> int | None:
    grades = [item.exact or 0 for item in trial.ranked if item.verdict == "confirmed"]
    return max(grades, default=None)


def _outcomes(
    pool: Sequence[Path],
    patients: Sequence[int] | None,
    options: Mapping[str, Any],
    engine: Engine,
    workspace: Path,
    seeds: range,
) -> Iterator[Json]:
    """Whether each run confirmed anything, and whether it warned of patients."""
    ledger = Ledger(workspace / "null.jsonl")
    for seed in seeds:
        table = _deal(pool, patients, seed, workspace)
        config = RunConfig.checked(
            **{**options, "a": str(table), "b": str(table), "where_a": "a", "where_b": "b"},
            seed=seed,
        )
        yield run_once(engine, config, ledger, _outcome)


def _outcome(result: RunResult, seconds: float) -> Json:
    confirmed = any(found.verdict == "confirmed" for found in result.differences)
    warned = any(f"--cluster-by {PATIENT}" in warning for warning in result.warnings)
    return {"confirmed": confirmed, "warned": warned, "seconds": seconds}


def _deal(pool: Sequence[Path], patients: Sequence[int] | None, seed: int, workspace: Path) -> Path:
    """A table that deals the pool into two halves, whole patients where they are given; the same
    for the same pool and seed."""
    unit = list(range(len(pool))) if patients is None else list(patients)
    units = sorted(set(unit))
    order = np.random.default_rng(seed).permutation(len(units))
    side = {units[int(at)]: "a" if number % 2 == 0 else "b" for number, at in enumerate(order)}
    lines = [
        [str(path.resolve()), side[of], *([] if patients is None else [f"p{of}"])]
        for path, of in zip(pool, unit, strict=True)
    ]
    head = ["path", "group_name", *([] if patients is None else [PATIENT])]
    digest = hashlib.sha256(repr(lines).encode()).hexdigest()[:16]
    table = workspace / "tables" / f"{digest}.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", encoding="utf-8", newline="", errors="surrogateescape") as file:
        spreadsheets.write_rows(file, [head, *sorted(lines)])
    return table
