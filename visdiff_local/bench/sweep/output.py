"""What a sweep leaves behind: a tidy table of trials, a summary with intervals, and plots.

``trials.parquet`` and ``trials.csv``: one row a run. ``summary.csv`` and ``summary.md``: one row a
combination, split and grader. Everything is computed anew from the trials at every call.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visdiff_local.bench import accuracy, tables
from visdiff_local.bench.accuracy import GRADERS, TOP, Row, Trial
from visdiff_local.bench.sweep.execute import Measured
from visdiff_local.bench.sweep.plan import Sweep
from visdiff_local.bench.sweep.plots import draw
from visdiff_local.errors import MissingDependencyError
from visdiff_local.system import spreadsheets

BOOTSTRAP_SEED = 0
"""Intervals are the same whenever they are computed from the same trials."""


def summarise(sweep: Sweep, measured: Sequence[Measured]) -> list[Row]:
    """One row a combination, split and grader: the benchmark's row with the varied options first.

    Where a combination has a baseline, ``acc@k_gain`` is the mean of the differences from it over
    the same pairs, with its interval.
    """
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    summary: list[Row] = []
    for item in measured:
        theirs = sweep.baseline_of(item.combination)
        baseline = next((m.trials for m in measured if m.combination is theirs), None)
        for row in accuracy.rows(item.trials, rng):
            if baseline is not None:
                row |= _gain(item.trials, baseline, row, rng)
            summary.append({**item.combination.varied, **row})
    return summary


def tidy(measured: Sequence[Measured]) -> list[Row]:
    """One flat row a run, the varied options first."""
    return [
        {**item.combination.varied, **_flat(trial)} for item in measured for trial in item.trials
    ]


def write(sweep: Sweep, measured: Sequence[Measured], out: Path) -> list[Path]:
    """Writes tables, summary and, where matplotlib is installed, plots; returns what it wrote."""
    import pyarrow as pa
    from pyarrow import parquet

    out.mkdir(parents=True, exist_ok=True)
    summary = summarise(sweep, measured)
    trials = pa.Table.from_pylist(_uniform(tidy(measured)))
    written = [out / name for name in ("trials.parquet", "trials.csv", "summary.csv", "summary.md")]
    parquet.write_table(trials, written[0])
    spread = pa.Table.from_pylist(_uniform([_spread(row) for row in summary]))
    for place, table in ((written[1], trials), (written[2], spread)):
        with place.open("wb") as stream, spreadsheets.writing(stream, table.schema) as writer:
            writer.write_table(table)
    note = ""
    try:
        written += draw(sweep, summary, out)
    except MissingDependencyError as error:
        note = f"\nThere are no plots: {error}\n"
    written[3].write_text(_markdown(sweep, summary) + note, encoding="utf-8")
    return written


def _gain(
    trials: Sequence[Trial], baseline: Sequence[Trial], row: Row, rng: np.random.Generator
) -> Row:
    split, grader = row["split"], row["grader"]
    ours = [trial for trial in trials if trial.split == split]
    theirs = [trial for trial in baseline if trial.split == split]
    gains: Row = {}
    for k in TOP:
        mean, low, high = accuracy.difference(ours, theirs, grader, k, rng)
        gains[f"acc@{k}_gain"], gains[f"acc@{k}_gain_ci"] = mean, [low, high]
    return gains


def _flat(trial: Trial) -> Row:
    row: Row = {
        name: getattr(trial, name)
        for name in ("split", "pair", "seed", "proposer", "ranker", "purity", "seconds")
    }
    known = {"exact": trial.exactly, "judge": trial.judged}
    for grader in GRADERS:
        for k in TOP:
            row[f"{grader}_acc@{k}"] = trial.score(grader, k) if known[grader] else None
        row[f"{grader}_proposed"] = trial.proposed.get(grader)
    row["hypotheses"] = len(trial.ranked)
    row["first"] = trial.ranked[0].text if trial.ranked else None
    row["first_auroc"] = trial.ranked[0].auroc if trial.ranked else None
    return row


def _uniform(rows: Sequence[Row]) -> list[Row]:
    """Rows that all have the same columns; what a list holds becomes text."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: _cell(row.get(name)) for name in columns} for row in rows]


def _cell(value: Any) -> Any:
    return ",".join(str(item) for item in value) if isinstance(value, list | tuple) else value


def _spread(row: Row) -> Row:
    """Intervals as two columns."""
    flat: Row = {}
    for name, value in row.items():
        if name.endswith("_ci"):
            flat[f"{name[:-3]}_low"], flat[f"{name[:-3]}_high"] = value
        else:
            flat[name] = value
    return flat


def _markdown(sweep: Sweep, summary: Sequence[Row]) -> str:
    varied = list(dict.fromkeys(name for c in sweep.combinations for name in c.varied))
    columns = [*varied, "split", "grader", "pairs", "seeds"]
    columns += [f"acc@{k}{kind}" for kind in ("", "_gain") for k in TOP]
    columns += ["proposed", *(f"oracle@{k}" for k in TOP)]
    head, body = tables.flat_grid(summary, columns)
    gain = "" if sweep.baseline is None else f"Gains are over: {sweep.baseline.label}.\n\n"
    own = {c.varied["case"]: c.against for c in sweep.combinations if c.against}
    gain += "".join(f"Gains of {name} are over: {other}.\n\n" for name, other in own.items())
    note = (
        "Intervals are 95%, by bootstrap over pairs. Two ceilings: *proposed*, the share of pairs "
        "whose truth was proposed at all; *oracle*, a ranker that knows the scenes, on as many "
        "images.\n\n"
    )
    return f"# {sweep.title}\n\n{note}{gain}{tables.markdown(head, body)}"
