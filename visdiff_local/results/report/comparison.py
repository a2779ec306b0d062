"""The report of a comparison: many sets on one page, drawn from ``comparison.json`` alone."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from visdiff_local.results.report import comparison_words as words
from visdiff_local.results.report.page import TEMPLATES, Group, environment, source_hash
from visdiff_local.results.report.pictures import Figure, Pictures
from visdiff_local.results.report.trends import TrendPlot, trend_plot
from visdiff_local.types import Example
from visdiff_local.types.comparison import ComparisonResult, InGroup, PartSummary, Text

SHOWN = 60
"""Texts of the page; the rest stands in comparison.json."""
PICTURED = 40
"""Texts with pictures: of those that are not confirmed ``FEW`` of each kind."""
FEW = 3
COLUMNS = 40
"""Groups of the table of texts by group, those with something confirmed first."""
PANELS = 60
"""Small multiples, a group each."""
IN_A_PANEL = 3
"""Texts, and pictures of the first."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a group: its number, and how strongly, −4 … 4."""

    found: InGroup
    strength: int


@dataclass(frozen=True, slots=True)
class Row:
    """A text with its cells, in the order of the columns, its line and its pictures."""

    number: int
    text: Text
    cells: tuple[Cell | None, ...]
    plot: TrendPlot | None
    groups: tuple[Group, ...]
    leaning: str
    step: str | None


@dataclass(frozen=True, slots=True)
class Panel:
    """A group at a glance: what is confirmed in it, strongest first, with where to read on."""

    part: PartSummary
    standing: str
    texts: tuple[tuple[Row, InGroup], ...]
    figures: tuple[Figure, ...]


def render(found: ComparisonResult, pictures: Pictures | None, *, names: bool = True) -> str:
    """The whole page.

    Args:
        pictures: where thumbnails come from; None for a page without any picture.
        names: whether the comparison still has the names of its files and groups.
    """
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704  our own file
    columns = _columns(found)
    texts = ranked(found)[:SHOWN]
    rows = [_row(n, text, columns, found, pictures) for n, text in enumerate(texts, start=1)]
    numbers = {row.text.text: row.number for row in rows}
    return (
        environment()
        .get_template("comparison.html")
        .render(
            found=found,
            style=style,
            style_hash=source_hash(style),
            headline=words.headline(found),
            kind=words.KINDS[found.kind],
            scale=words.scale(found),
            columns=columns,
            hidden=len(found.comparisons) - len(columns),
            parts=[(part, words.standing(found, part), _links(part, numbers, found))
                   for part in found.comparisons],
            rows=rows,
            held=[row for row in rows if row.text.verdict == "confirmed"],
            others=[row for row in rows if row.text.verdict != "confirmed"],
            panels=_panels(found, rows, pictures),
            matrix=bool(columns) and any(text.by_group for text in found.texts),
            accuracies=[(row, one) for row in rows for one in row.text.accuracy],
            has_pictures=pictures is not None,
            has_names=names and pictures is not None,
        )
    )  # fmt: skip


def ranked(found: ComparisonResult) -> list[Text]:
    """The confirmed first, then what varies most between the parts."""
    order = {"confirmed": 0, "unsupported": 1, "suggestive": 2, "rejected": 3}
    return sorted(found.texts, key=lambda text: (order[text.verdict], -_varies(text)))


def pictured(found: ComparisonResult) -> Iterator[Example]:
    """The images that the page shows."""
    for text in ranked(found)[:PICTURED]:
        many = None if text.verdict == "confirmed" else FEW
        for some in (text.examples, text.others, text.against):
            yield from some[:many]


def _columns(found: ComparisonResult) -> list[str]:
    """Names of the parts that have a column, in order."""
    if len(found.comparisons) <= COLUMNS:
        return [part.name for part in found.comparisons]
    ranked = sorted(found.comparisons, key=lambda part: not part.confirmed)[:COLUMNS]
    chosen = {part.name for part in ranked}
    return [part.name for part in found.comparisons if part.name in chosen]


def _row(
    number: int,
    text: Text,
    columns: Sequence[str],
    found: ComparisonResult,
    pictures: Pictures | None,
) -> Row:
    cells = tuple(_cell(text.by_group.get(name)) for name in columns)
    plot = None if text.trend is None else trend_plot(text.trend)
    change = None if text.trend is None else text.trend.change
    groups: tuple[Group, ...] = ()
    if pictures is not None and number <= PICTURED:
        where, many = text.direction, None if text.verdict == "confirmed" else FEW
        groups = (
            Group(f"{where} where it shows most", _figures(text.examples[:many], pictures)),
            Group("The others, where it shows least", _figures(text.others[:many], pictures)),
            Group(
                f"Against it: high in the others, low in {where}",
                _figures(text.against[:many], pictures),
            ),
        )
    step = None if change is None or text.redundant else words.step(change)
    leaning = words.leaning(found, text)
    shown = tuple(group for group in groups if group.figures)
    return Row(number, text, cells, plot, shown, leaning, step)


def _figures(examples: Sequence[Example], pictures: Pictures) -> tuple[Figure, ...]:
    return tuple(pictures.figure(example, "") for example in examples)


def _cell(found: InGroup | None) -> Cell | None:
    if found is None or math.isnan(found.auroc):
        return None
    return Cell(found, round(max(-1.0, min(1.0, 2 * (found.auroc - 0.5))) * 4))


def _varies(text: Text) -> float:
    areas = [cell.auroc for cell in text.by_group.values() if not math.isnan(cell.auroc)]
    if not areas:
        return abs(text.auroc - 0.5)
    mean = sum(areas) / len(areas)
    return math.sqrt(sum((area - mean) ** 2 for area in areas) / len(areas))


def _links(
    part: PartSummary, numbers: dict[str, int], found: ComparisonResult
) -> list[tuple[str, int | None]]:
    """What is confirmed in a part, each with the number of its text on this page."""
    links = []
    for said in part.confirmed:
        side, _, text = said.partition(": ")
        for name in (part.a, part.b):  # a name may hold a colon itself
            if said.startswith(f"{name}: "):
                side, text = name, said.removeprefix(f"{name}: ")
        shown = text if found.kind == "groups" else f"{side}: {text}"
        links.append((shown, numbers.get(text)))
    return links


def _panels(found: ComparisonResult, rows: Sequence[Row], pictures: Pictures | None) -> list[Panel]:
    """Of groups and classes in which something is confirmed."""
    panels = []
    for part in found.comparisons:
        if part.name not in found.groups:
            continue
        here = [
            (row, row.text.by_group[part.name]) for row in rows if part.name in row.text.by_group
        ]
        sure = [(row, cell) for row, cell in here if cell.verdict == "confirmed"]
        sure.sort(key=lambda pair: -abs(pair[1].auroc - 0.5))
        if not sure:
            continue
        own = [row for row, _ in sure if row.text.part == part.name]
        shown = own[0].text.examples[:IN_A_PANEL] if own and pictures is not None else ()
        figures = _figures(shown, pictures) if pictures is not None else ()
        panels.append(Panel(part, words.standing(found, part), tuple(sure[:IN_A_PANEL]), figures))
    return panels[:PANELS]
