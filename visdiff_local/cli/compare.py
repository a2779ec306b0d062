"""``compare``: many sets, one report, one false-discovery rate."""

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
    Headed,
    given,
    with_options,
)
from visdiff_local.system import terminal

if TYPE_CHECKING:
    from visdiff_local.types.comparison import ComparisonResult, Text


@click.command(cls=Headed)
@click.argument("table", metavar="TABLE")
@click.option("--by", metavar="COLUMN", help="Each group against the rest.")
@click.option("--ordered", is_flag=True, help="With --by: what rises or falls from value to value.")
@click.option("--each", metavar="COLUMN", help="A against B (--a, --b) within each class.")
@click.option(
    "--models",
    "predictions",
    metavar="LABEL,M1,M2",
    help="Two models' predictions (models.toml: --models-file).",
)
@click.option("--errors", metavar="LABEL,MODEL", help="What one model gets wrong.")
@click.option("--score", metavar="COLUMN", help="What goes with a score for each image.")
@click.option("--text", "texts", metavar="TEXT", multiple=True, help="Your own text; repeat it.")
@click.option(
    "--models-file", "models", metavar="FILE", help="Your own models.toml; `run` calls it --models."
)
@with_options(
    SETS,
    OUTPUT,
    PROPOSING,
    RANKING,
    SEED,
    STATISTICS,
    tuple(option for number, option in enumerate(MODELS) if number != 1),
    STORE,
)
def compare(
    table: str,
    by: str | None,
    ordered: bool,
    each: str | None,
    predictions: str | None,
    errors: str | None,
    score: str | None,
    texts: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    opens: bool,
    **options: Any,
) -> None:
    """Compare many sets of one TABLE: groups, classes, months, models, scores.

    Each text is scored once on every image and tested in every part; false discoveries are
    controlled over the whole. The result is a table here, and a folder with comparison.json,
    report.html and images.parquet.
    """
    from visdiff_local import session
    from visdiff_local.comparisons import launch
    from visdiff_local.comparisons.plan import Asked
    from visdiff_local.errors import UsageError
    from visdiff_local.system import progress, run_folders

    if predictions is not None and predictions.endswith(".toml"):
        raise UsageError(
            f"--models {predictions}: here --models names columns of predictions "
            f"(LABEL,MODEL_1,MODEL_2); type --models-file {predictions}"
        )
    sides = options["where_a"] is not None
    asked = Asked.of(by, each, predictions, errors, score, ordered=ordered, sides=sides)
    if texts:
        options["hypotheses"] = texts
    config = session.configured(a=table, b=table, **given(options))
    folder = None
    with ExitStack() as held:
        if config.out is not None or not as_json:
            folder = held.enter_context(run_folders.claimed(config.out, [table]))
            config = config.with_paths(folder)
        with progress.shown(quiet=quiet or as_json) as shown:
            outcome = launch.launch(asked, config, shown)
            if folder is not None:
                outcome.save(folder)
    if as_json:
        terminal.out_json_text(outcome.to_json())
    else:
        _show(outcome.result, folder)
    if opens and folder is not None:
        from visdiff_local.cli.run import _open_report

        _open_report(folder)


def _show(found: "ComparisonResult", folder: Path | None) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from visdiff_local.system.terminal import printable

    parts: list[Any] = [
        f"{found.images} images, {len(found.groups)} groups by {', '.join(found.columns)}",
        Text(f"{found.conclusion[0].upper()}{found.conclusion[1:]}.", "bold"),
    ]
    shown = Table(box=box.SIMPLE_HEAD, expand=False)
    for name in ("text", "more in", "AUROC", "q", ""):
        shown.add_column(name, justify="right" if name in ("AUROC", "q") else "left")
    for text in found.texts[:SHOWN]:
        q = text.trend.q_value if text.trend else min(one.q_value for one in text.by_group.values())
        shown.add_row(
            printable(text.text, lines=False),
            printable(_where(text, found), lines=False),
            f"{text.auroc if text.auroc_plain is None else text.auroc_plain:.2f}",
            "–" if text.class_mix else "<1e-9" if q < 1e-9 else f"{q:.1g}",
            _verdict(text),
            style="" if text.verdict == "confirmed" else "dim",
        )
    if found.texts:
        parts.append(shown)
    parts += [
        f"{printable(one.model, lines=False)}: right on {one.with_text:.0%} of images with "
        f"{printable(text.text, lines=False)}, {one.without:.0%} without"
        for text in found.confirmed
        for one in text.accuracy
    ]
    parts += [_step(text) for text in found.texts if _changes(text)][:SHOWN]
    parts += [Text(f"warning: {printable(warning, lines=False)}") for warning in found.warnings]
    if folder is not None:
        parts.append(f"report: {printable(folder / 'report.html', lines=False)}")
    terminal.show(*parts, width=100)


def _where(text: "Text", found: "ComparisonResult") -> str:
    several = found.kind == "each" and len(found.comparisons) > 1
    return f"{text.part}: {text.direction}" if several else text.direction


def _changes(text: "Text") -> bool:
    shown = text.verdict == "confirmed" or not text.redundant
    return shown and text.trend is not None and text.trend.change is not None


def _step(text: "Text") -> str:
    """Where it changes, as far as the data say."""
    from visdiff_local.results.report.comparison_words import step
    from visdiff_local.system.terminal import printable

    assert text.trend is not None
    assert text.trend.change is not None
    return printable(f"{text.text}: {step(text.trend.change)}", lines=False)


def _verdict(text: "Text") -> str:
    from visdiff_local.system.terminal import printable

    if text.class_mix:
        return "class mix"
    if text.follows_from is not None:
        return f"follows from {printable(text.follows_from, lines=False)}"
    return text.verdict


SHOWN = 20
"""Texts on the terminal; the report has them all."""
