"""Plots of a sweep's summary, with intervals: curves over a number, else one line a combination."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visdiff_local.bench.accuracy import TOP, Row
from visdiff_local.bench.sweep.plan import Sweep
from visdiff_local.errors import MissingDependencyError

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Okabe & Ito's palette, which colour-blind readers can tell apart."""

INCHES_A_LETTER = 0.08


def draw(sweep: Sweep, summary: Sequence[Row], out: Path) -> list[Path]:
    """One SVG a grader in ``out``; raises MissingDependencyError without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingDependencyError(
            "plots need matplotlib: pip install 'visdiff_local[plots]'"
        ) from error
    matplotlib.use("agg")
    over = _number(sweep)
    paths = []
    for grader in dict.fromkeys(row["grader"] for row in summary):
        rows = [row for row in summary if row["grader"] == grader]
        figure = _curves(sweep, rows, over) if over else _lines(sweep, rows)
        path = out / f"{grader}.svg"
        figure.savefig(path, bbox_inches="tight")
        paths.append(path)
    return paths


def _number(sweep: Sweep) -> str | None:
    """The one varied option that is a number in every combination, for the x axis."""
    names = [
        name
        for name in sweep.combinations[0].varied
        if all(
            isinstance(c.varied.get(name), int | float) and not isinstance(c.varied.get(name), bool)
            for c in sweep.combinations
        )
    ]
    return names[0] if len(names) == 1 else None


def _panels(
    sweep: Sweep, splits: Sequence[str], height: float, margin: float = 0.0
) -> tuple[Any, list[Any]]:
    """A panel a split. ``height``, and ``margin`` for labels on the left, in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(margin + 3.4 * len(splits), height), layout="constrained")
    axes = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    figure.suptitle(sweep.title)
    for axis, split in zip(axes, splits, strict=True):
        axis.set_title(split)
        axis.grid(alpha=0.3)
    return figure, list(axes)


def _curves(sweep: Sweep, rows: Sequence[Row], over: str) -> Any:
    splits = list(dict.fromkeys(row["split"] for row in rows))
    figure, axes = _panels(sweep, splits, 3.2)
    others = [name for name in sweep.combinations[0].varied if name != over]
    for axis, split in zip(axes, splits, strict=True):
        groups: dict[str, list[Row]] = {}
        for row in rows:
            if row["split"] == split:
                groups.setdefault(", ".join(str(row[n]) for n in others), []).append(row)
        for colour, (label, members) in zip(_cycle(len(groups)), groups.items(), strict=True):
            members.sort(key=lambda row: float(row[over]))
            x = [row[over] for row in members]
            for k, style in zip(TOP, ("-", "--"), strict=True):
                low, high = zip(*(row[f"acc@{k}_ci"] for row in members), strict=True)
                name = f"{label} Acc@{k}".strip()
                y = [row[f"acc@{k}"] for row in members]
                axis.plot(x, y, style, color=colour, marker="o", markersize=3, label=name)
                axis.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
        axis.set_xlabel(over)
        axis.set_ylim(-0.02, 1.02)
    axes[-1].legend(fontsize="x-small")
    axes[0].set_ylabel("accuracy")
    return figure


def _lines(sweep: Sweep, rows: Sequence[Row]) -> Any:
    """One horizontal line a combination: Acc@1 filled, Acc@5 hollow, each with its interval."""
    splits = list(dict.fromkeys(row["split"] for row in rows))
    labels = [combination.label for combination in sweep.combinations]
    margin = INCHES_A_LETTER * max(map(len, labels))
    figure, axes = _panels(sweep, splits, 1.2 + 0.35 * len(labels), margin)
    names = list(sweep.combinations[0].varied)
    for axis, split in zip(axes, splits, strict=True):
        for row in rows:
            if row["split"] != split:
                continue
            point = {name: row[name] for name in names}
            y = next(i for i, c in enumerate(sweep.combinations) if dict(c.varied) == point)
            for k, colour, offset in zip(TOP, COLOURS[:2], (-0.12, 0.12), strict=True):
                low, high = row[f"acc@{k}_ci"]
                axis.plot([low, high], [y + offset] * 2, color=colour, linewidth=1)
                first = y == 0
                axis.plot(
                    row[f"acc@{k}"], y + offset, "o", color=colour, markersize=4,
                    label=f"Acc@{k}" if first else None,
                )  # fmt: skip
        axis.set_xlim(-0.02, 1.02)
        axis.set_yticks(range(len(labels)), labels)
        axis.set_xlabel("accuracy")
    axes[0].invert_yaxis()
    axes[-1].legend(fontsize="x-small", loc="lower left")
    return figure


def _cycle(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]
