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
    band: str
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
    means, bands = trend.get("means") or {}, trend.get("bands") or {}
    line, band = _line(list(means.values()), [bands.get(name) for name in means])
    figures: tuple[Figure, ...] = ()
    if pictures is not None and text["verdict"] == "confirmed":
        figures = tuple(
            pictures.figure(Example(e["id"], e["path"], float(e["score"] or 0)), "")
            for e in text["examples"]
        )
    names = list(means)
    ends = (names[0], names[-1]) if names else ("", "")
    return Row(text, cells, line, band, ends, figures)


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


def _line(
    means: Sequence[float | None], bands: Sequence[Sequence[float | None] | None]
) -> tuple[str, str]:
    """The points of a line through the groups' mean scores, and those of the band around it."""
    known = [(i, float(mean)) for i, mean in enumerate(means) if mean is not None]
    if len(known) < 2:
        return "", ""
    ends = [
        (float(band[0]), float(band[1]))
        if (band := bands[i]) and band[0] is not None and band[1] is not None
        else (mean, mean)
        for i, mean in known
    ]
    bottom, top = min(low for low, _ in ends), max(high for _, high in ends)
    wide, tall = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN

    def point(place: int, value: float) -> str:
        across = MARGIN + wide * place / (len(means) - 1)
        return f"{across:.1f},{MARGIN + tall * (1 - (value - bottom) / ((top - bottom) or 1)):.1f}"

    places = [i for i, _ in known]
    upper = [point(i, high) for i, (_, high) in zip(places, ends, strict=True)]
    lower = [point(i, low) for i, (low, _) in zip(places, ends, strict=True)]
    return " ".join(point(i, mean) for i, mean in known), " ".join([*upper, *reversed(lower)])
