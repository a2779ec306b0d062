"""``run``, ``test``, ``demo``, ``report``: the loop, and its result again."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from visdiff_local.cli.options import (
    MODELS,
    OUTPUT,
    PROPOSING,
    RANKING,
    SEED,
    SETS,
    STATISTICS,
    STORE,
    TRUTH,
    Headed,
    given,
    with_options,
)
from visdiff_local.system import terminal

if TYPE_CHECKING:
    from visdiff_local.config import RunConfig


@click.command(cls=Headed)
@click.argument("sources", nargs=-1, required=True, metavar="A B | TABLE", type=click.Path())
@with_options(SETS, OUTPUT, PROPOSING, RANKING, SEED, STATISTICS, TRUTH, MODELS, STORE)
def run(sources: tuple[str, ...], as_json: bool, quiet: bool, opens: bool, **options: Any) -> None:
    """Say how two sets of images differ.

    A and B are folders or globs; or one TABLE (CSV, Parquet) with --a and --b, which name a
    group_name or a condition on the columns. The result is a table here, and a folder with
    run.json and report.html (with --json, only where --out names one).
    """
    a, b = _two_sets(sources, options)
    _execute(a, b, options, as_json=as_json, quiet=quiet, opens=opens)


@click.command(cls=Headed)
@click.argument(
    "words", nargs=-1, required=True, metavar='"TEXT"… A B | "TEXT"… TABLE', type=click.Path()
)
@click.option("--file", "file", metavar="FILE", help="More hypotheses, one a line.")
@with_options(SETS, OUTPUT, RANKING, SEED, STATISTICS, MODELS, STORE)
def test(
    words: tuple[str, ...],
    file: str | None,
    as_json: bool,
    quiet: bool,
    opens: bool,
    **options: Any,
) -> None:
    """Test your own hypotheses: ranked, with the same numbers, nothing proposed.

    Each text is held against both sets, in both directions.
    """
    from visdiff_local.errors import UsageError

    places = 1 if options["where_a"] is not None else 2
    texts, sources = words[:-places], words[-places:]
    a, b = _two_sets(sources, options)
    if file is not None:
        texts += _lines(Path(file))
    if not texts:
        raise UsageError('no hypothesis is given; type: visdiff-local test "a text" A B')
    given_all = {**options, "hypotheses": texts}
    _execute(a, b, given_all, as_json=as_json, quiet=quiet, opens=opens)


@click.command(cls=Headed)
@with_options(OUTPUT, MODELS, STORE)
def demo(as_json: bool, quiet: bool, opens: bool, **options: Any) -> None:
    """The whole loop on bundled images, with bundled models."""
    from visdiff_local.session import DEMO

    options["profile"] = options["profile"] or "nano"
    a, b = str(DEMO / "a"), str(DEMO / "b")
    _execute(a, b, options, as_json=as_json, quiet=quiet, opens=opens)


@click.command()
@click.argument("run_dir", metavar="RUN_DIR", type=click.Path())
@click.option("--no-images", is_flag=True, help="To be shared: no picture, no name, no path.")
@click.option("--no-paths", is_flag=True, help="Pictures, but no file's or folder's name.")
@click.option("--name-a", metavar="NAME", help="What A is called where no name is shown.  [A]")
@click.option("--name-b", metavar="NAME", help="Likewise for B.  [B]")
@click.option("--out", metavar="FILE", help="Where it goes.  [report.html, report-shared.html]")
def report(
    run_dir: str,
    no_images: bool,
    no_paths: bool,
    name_a: str | None,
    name_b: str | None,
    out: str | None,
) -> None:
    """Draw the report of a run or a comparison again, from its JSON alone.

    COMPARISON/parts/NAME is a run too. What may be shared is a file of its own; the report with
    pictures stays as it is.
    """
    from visdiff_local.comparisons import parts
    from visdiff_local.results.report import write_report

    written = write_report(
        parts.ready(Path(run_dir).expanduser()),
        images=not no_images,
        paths=not no_paths and not no_images,
        names=(name_a, name_b),
        out=None if out is None else Path(out).expanduser(),
    )
    terminal.out(written)


def _folders(config: "RunConfig") -> tuple[str, ...]:
    """The sets that are whatever lies in a place; a table names its images one by one."""
    return () if config.where_a is not None else (config.a, config.b)


def _two_sets(sources: tuple[str, ...], options: dict[str, Any]) -> tuple[str, str]:
    """The places of A and B: two folders or globs, or one table twice."""
    from visdiff_local.errors import UsageError

    table = options["where_a"] is not None or options["where_b"] is not None
    if table and len(sources) == 1:
        return sources[0], sources[0]
    if len(sources) == 2:
        return sources[0], sources[1]
    if len(sources) == 1:
        raise UsageError(
            f"{sources[0]}: only one place is given; type two folders (visdiff-local run A B), "
            'or a table and its groups (visdiff-local run TABLE.csv --a "x" --b "y")'
        )
    raise UsageError(
        f"{len(sources)} places are given ({', '.join(sources)}); type two folders or globs "
        "(quote a glob, or the shell expands it), or one table with --a and --b"
    )


def _lines(path: Path) -> tuple[str, ...]:
    from visdiff_local.errors import InputError

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--file {path}: cannot be read ({error})") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _execute(
    a: str, b: str, options: dict[str, Any], *, as_json: bool, quiet: bool, opens: bool
) -> None:
    from visdiff_local import session
    from visdiff_local.cli import tables
    from visdiff_local.results import serialize
    from visdiff_local.system import progress, run_folders

    config: RunConfig = session.configured(a=a, b=b, **given(options))
    folder = None
    with ExitStack() as held:
        if config.out is not None or not as_json:
            # Before the work begins: hours later is too late to be told that it cannot be kept.
            folder = held.enter_context(run_folders.claimed(config.out, _folders(config)))
            config = config.with_paths(folder)
        with progress.shown(quiet=quiet or as_json) as shown:
            outcome = session.launch(config, shown)
            if folder is not None:
                outcome.write(folder)
    if as_json:
        terminal.out_json_text(serialize.to_json(outcome.result))
    else:
        tables.show(outcome.result, folder)
    if opens:
        _open_report(folder)


def _open_report(folder: Path | None) -> None:
    """In the user's browser, which is asked to show a file and nothing else."""
    import webbrowser

    if folder is None:
        terminal.note("--open: there is no report without a run folder; name one with --out")
    elif not webbrowser.open((folder / "report.html").resolve().as_uri()):
        terminal.note("--open: no browser could be started; open the report by hand")
