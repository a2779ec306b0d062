"""A result on the terminal: readable at 80 columns, plain where stdout is a pipe."""

from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from visdiff_local.results.report import words
from visdiff_local.system import terminal
from visdiff_local.system.terminal import printable
from visdiff_local.types import MeasuredDifference, RunResult, ScoredHypothesis

SHOWN = 10
"""Differences of each direction; the report has them all."""
MEASURED_SHOWN = 5
FILES_SHOWN = 6
"""Reasons why files were not used; skipped.csv and the report have them all."""
PIPE_WIDTH = 100
TINY, NARROW = 56, 76
"""Below so many columns the interval is left to the report; stands beside the AUROC, without q."""


def show(result: RunResult, folder: Path | None) -> None:
    """Prints the answer, the ranked differences, what was measured, warnings, and the report."""
    columns = terminal.columns(PIPE_WIDTH)
    parts: list[RenderableType] = [_headline(result)]
    for direction, name in (("a", result.a.name), ("b", result.b.name)):
        rows = [d for d in result.differences if d.direction == direction]
        if rows:
            title = f"More true of {direction.upper()} ({name})"
            parts.append(_differences(title, rows, columns=columns))
    noted = [item for item in result.measured if item.note]
    if noted:
        parts.append(_measured(noted[:MEASURED_SHOWN]))
    if result.evaluation is not None:
        found = result.evaluation
        parts.append(f"Against the truth: Acc@1 {found.acc_at_1:.2f}, Acc@5 {found.acc_at_5:.2f}")
    parts += _files(result)
    parts += [
        Text.assemble(("warning: ", "yellow"), printable(warning, lines=False))
        for warning in result.warnings
    ]
    if folder is not None:
        parts.append(f"report: {printable(folder / 'report.html', lines=False)}")
    terminal.show(*parts, width=PIPE_WIDTH)


def _headline(result: RunResult) -> Text:
    summary = result.summary
    sizes = f"A: {_set(result.a.name, result.a.n)}   B: {_set(result.b.name, result.b.n)}"
    style = "bold green" if summary.conclusion == "differences found" else "bold"
    verdict = summary.conclusion[0].upper() + summary.conclusion[1:]
    said = " ".join(words.reasons(result))
    return Text.assemble(sizes, "\n", (f"{verdict}.", style), f" {said}" if said else "")


def _files(result: RunResult) -> list[str]:
    """A line a set where not all of its files were used: what became of them."""
    lines = []
    for letter, side in (("A", result.a), ("B", result.b)):
        account = [(what, count) for what, count in side.files.items() if count]
        if len(account) > 1:
            told = "; ".join(f"{count:,} {what}" for what, count in account[:FILES_SHOWN])
            more = len(account) - FILES_SHOWN
            rest = f"; and {more} more reasons" if more > 0 else ""
            lines.append(printable(f"Files of {letter}: {told}{rest}", lines=False))
    return lines


def _set(name: str, n: int) -> str:
    return f"{printable(name, lines=False)}, {n} image{'' if n == 1 else 's'}"


def _differences(title: str, rows: list[ScoredHypothesis], *, columns: int) -> Table:
    """Texts fold; the verdict is there at any width."""
    narrow = columns < NARROW
    table = Table(
        title=printable(title, lines=False), title_justify="left", box=box.SIMPLE_HEAD, expand=False
    )
    table.add_column("difference", ratio=1, overflow="fold", min_width=12 if narrow else 24)
    table.add_column("AUROC", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("95% interval", justify="center", no_wrap=True)
        table.add_column("q", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows[:SHOWN]:
        low, high = row.auroc_ci
        numbers = [f"{row.auroc:.2f}", f"{low:.2f} … {high:.2f}", _q(row.q_value)]
        if narrow:
            numbers = [f"{row.auroc:.2f}" + (f" ({low:.2f}…{high:.2f})" if columns >= TINY else "")]
        table.add_row(
            printable(row.text, lines=False),
            *numbers,
            row.verdict,
            style="" if row.verdict == "confirmed" else "dim",
        )
    if len(rows) > SHOWN:
        table.add_row(f"… and {len(rows) - SHOWN} more", style="dim")
    return table


def _measured(rows: list[MeasuredDifference]) -> Table:
    table = Table(title="Measured", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("attribute", "A", "B", "AUROC", "q"):
        table.add_column(name, justify="left" if name == "attribute" else "right")
    for row in rows:
        table.add_row(
            row.attribute,
            f"{row.mean_a:.3g}",
            f"{row.mean_b:.3g}",
            f"{row.auroc:.2f}",
            _q(row.q_value),
        )
    return table


def _q(value: float) -> str:
    return "<1e-9" if value < 1e-9 else f"{value:.1g}"
