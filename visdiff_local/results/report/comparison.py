"""The report of a comparison: many sets on one page, drawn from ``comparison.json`` alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from visdiff_local.results.report.page import TEMPLATES, environment, source_hash
from visdiff_local.results.report.pictures import Figure, Pictures
from visdiff_local.types import Example

Json = Mapping[str, Any]
SHOWN = 60
"""Texts of the table; the rest stands in comparison.json."""
WIDTH, HEIGHT, MARGIN = 320, 110, 14
"""Of a trend line, in units of its picture."""
KINDS = {
    "groups": "each group against the rest",
    "each": "class by class",
    "trend": "what rises or falls",
    "models": "where one model fails and the other does not",
    "errors": "where the model fails",
    "score": "what goes with the score",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a group: how strongly, −1 … 1, and its number."""

    auroc: float
    strength: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Row:
    """A text with its cells, in the groups' order, its line and its pictures."""

    text: Json
    cells: tuple[Cell | None, ...]
    line: str
    labels: tuple[str, str]
    figures: tuple[Figure, ...]


def render(content: Json, pictures: Pictures | None) -> str:
    """The whole page."""
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704  our own file
    columns = [part["name"] for part in content["comparisons"]]
    texts = sorted(content["texts"], key=lambda text: -_varies(text))
    order = {"confirmed": 0, "unsupported": 1, "suggestive": 2, "rejected": 3}
    texts = sorted(texts, key=lambda text: order[text["verdict"]])[:SHOWN]
    rows = [_row(text, columns, pictures) for text in texts]
    return (
        environment()
        .get_template("comparison.html")
        .render(
            content=content,
            style=style,
            style_hash=source_hash(style),
            kind=KINDS[content["kind"]],
            columns=columns,
            rows=rows,
            matrix=content["kind"] in ("groups", "each", "models", "errors"),
            WIDTH=WIDTH,
            HEIGHT=HEIGHT,
        )
    )


def _row(text: Json, columns: Sequence[str], pictures: Pictures | None) -> Row:
    cells = tuple(_cell(text["by_group"].get(name)) for name in columns)
    trend = text.get("trend") or {}
    means = trend.get("means") or {}
    figures: tuple[Figure, ...] = ()
    if pictures is not None and text["verdict"] == "confirmed":
        figures = tuple(
            pictures.figure(Example(e["id"], e["path"], float(e["score"] or 0)), "")
            for e in text["examples"]
        )
    names = list(means)
    ends = (names[0], names[-1]) if names else ("", "")
    return Row(text, cells, _line(list(means.values())), ends, figures)


def _cell(found: Json | None) -> Cell | None:
    if found is None or found["auroc"] is None:
        return None
    area = float(found["auroc"])
    return Cell(area, max(-1.0, min(1.0, 2 * (area - 0.5))), str(found["verdict"]))


def _varies(text: Json) -> float:
    areas = [cell["auroc"] for cell in text["by_group"].values() if cell["auroc"] is not None]
    if not areas:
        return abs(float(text["auroc"]) - 0.5)
    mean = sum(areas) / len(areas)
    return math.sqrt(sum((area - mean) ** 2 for area in areas) / len(areas))


def _line(means: Sequence[float | None]) -> str:
    """The points of a line through the groups' mean scores."""
    known = [(i, float(mean)) for i, mean in enumerate(means) if mean is not None]
    if len(known) < 2:
        return ""
    low, high = min(m for _, m in known), max(m for _, m in known)
    wide, tall = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    return " ".join(
        f"{MARGIN + wide * i / (len(means) - 1):.1f},"
        f"{MARGIN + tall * (1 - (m - low) / ((high - low) or 1)):.1f}"
        for i, m in known
    )
