"""Benchmark rows as tables: for the terminal, and as Markdown for a README."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from visdiff_local.bench.accuracy import Row

SPLIT_ORDER = ("imagenet-r/*", "easy", "medium", "hard")


def accuracy_grid(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Head and body in the layout of the paper's Table 2: a line a combination, Acc@1 / Acc@5 with
    their intervals and the two ceilings in the columns, one a split."""
    splits = _in_order({row["split"] for row in rows})
    several = len({row["purity"] for row in rows}) > 1
    head = ["proposer → ranker", *(["purity"] if several else []), "grader", *splits]
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        label = [f"{row['proposer']} → {row['ranker']}"]
        label += [f"{row['purity']:.0%}"] if several else []
        key = (*label, str(row["grader"]))
        lines.setdefault(key, {})[row["split"]] = f"{_acc(row, 1)}  {_acc(row, 5)}{_ceiling(row)}"
    body = [[*key, *(cells.get(split, "–") for split in splits)] for key, cells in lines.items()]
    return head, body


def flat_grid(rows: Sequence[Row], columns: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Head and body with one column a field; intervals join their number."""
    shown = [c for c in columns if any(c in row for row in rows)]
    return list(shown), [[_cell(row, column) for column in shown] for row in rows]


def terminal(head: Sequence[str], body: Iterable[Sequence[str]], title: str = "") -> Table:
    """A table for the terminal."""
    table = Table(title=title or None, title_justify="left")
    for column in head:
        table.add_column(column, overflow="fold")
    for line in body:
        table.add_row(*line)
    return table


def markdown(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """The same as Markdown."""
    lines = [head, ["---"] * len(head), *body]
    return "".join("| " + " | ".join(cell for cell in line) + " |\n" for line in lines)


def _in_order(splits: set[str]) -> list[str]:
    known = [split for split in SPLIT_ORDER if split in splits]
    return known + sorted(splits - set(known))


def _acc(row: Row, k: int) -> str:
    low, high = row[f"acc@{k}_ci"]
    return f"{_short(row[f'acc@{k}'])} [{_short(low)}–{_short(high)}]"


def _ceiling(row: Row) -> str:
    """What bounds the list: the share of pairs whose truth was proposed, the oracle's Acc@1."""
    proposed, oracle = row.get("proposed"), row.get("oracle@1")
    text = "" if proposed is None else f"  proposed {_short(proposed)}"
    return text if oracle is None else f"{text}  oracle {_short(oracle)}"


def _cell(row: Row, column: str) -> str:
    if column not in row:
        return "–"
    value = row[column]
    interval = row.get(f"{column}_ci")
    text = _text(value)
    return f"{text} [{_text(interval[0])}–{_text(interval[1])}]" if interval else text


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _short(share: float) -> str:
    """.75, 1.00: as the paper writes it."""
    text = f"{share:.2f}"
    return text[1:] if text.startswith("0") else text
