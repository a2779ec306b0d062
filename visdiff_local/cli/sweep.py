"""``sweep``: a grid of runs."""

from pathlib import Path
from typing import Any

import click

from visdiff_local.cli.options import MODELS, STORE, given, with_options
from visdiff_local.system import terminal


@click.command()
@click.argument("file", metavar="FILE.toml")
@click.option("--out", metavar="DIR", help="Where tables and plots go.  [runs/NAME]")
@click.option("--pairs", type=click.IntRange(1), help="Of each split, in place of the file's.")
@click.option("--runs", type=click.IntRange(1), help="Seeds a pair, in place of the file's.")
@click.option("--workspace", metavar="DIR", help="Pictures and finished runs.  [in the store]")
@click.option("--quiet", is_flag=True, help="No progress.")
@with_options(MODELS, STORE)
def sweep(file: str, out: str | None, workspace: str | None, quiet: bool, **options: Any) -> None:
    """Run a grid over any options × pairs × seeds; the same command resumes it.

    Writes one row a run (trials.parquet, trials.csv), a summary with intervals, and plots.
    """
    from visdiff_local.bench.sweep import read_sweep, run_sweep, write
    from visdiff_local.session import Launcher
    from visdiff_local.system import progress

    typed = given(options)
    plan = read_sweep(Path(file), typed)
    with Launcher() as launcher, progress.shown(quiet=quiet) as shown:
        folder = launcher.store_at(typed.get("store")).folder
        place = Path(workspace) if workspace else folder / "bench"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        shown.start(plan.title, plan.trials)
        measured = run_sweep(plan, launcher, place, advance=shown.advance)
        shown.finish()
    written = write(plan, measured, Path(out) if out else Path("runs") / Path(file).stem)
    summary = next(path for path in written if path.name == "summary.md")
    terminal.page(summary.read_text(encoding="utf-8"))
    for path in written:
        terminal.out(path)
