"""What the page shows, in which order; the templates say how."""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from visdiff_local.measure import DESCRIPTIONS
from visdiff_local.results.report import plots, words
from visdiff_local.results.report.pictures import Figure, Pictures
from visdiff_local.types import Evidence, Example, Grade, RunResult, ScoredHypothesis, SetSummary

TEMPLATES = Path(__file__).parent / "templates"
PICTURED = 40
"""Differences that are shown with pictures: the page stays below some 10 MB."""
FEW = 3
"""Rejected texts up to this many are not folded away."""


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures under one heading."""

    heading: str
    figures: tuple[Figure, ...]
    pairs: bool = False
    """Two by two: an image of A, and its partner in B."""


@dataclass(frozen=True, slots=True)
class Card:
    """One difference with all that is drawn for it."""

    rank: int
    found: ScoredHypothesis
    own: str
    other: str
    """The letters of the set that it is said to be true of, and of the other."""
    histogram: plots.HistogramPlot | None
    groups: tuple[Group, ...]
    grade: Grade | None
    other_way: ScoredHypothesis | None = None
    """The same text, tested as more true of the other set."""


def render(result: RunResult, pictures: Pictures | None, *, names: bool = True) -> str:
    """The whole page.

    Args:
        pictures: where thumbnails come from; None for a page without any picture.
        names: whether the result still has the names of its files.
    """
    templates = environment()
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704  our own file
    cards = _cards(result, pictures)
    return templates.get_template("report.html").render(
        result=result,
        config=result.run.config,
        style=style,
        style_hash=source_hash(style),
        headline=words.headline(result),
        lead=words.lead(result),
        design=words.design(result),
        own_texts=bool(result.run.config.get("hypotheses")),
        set_names={side: words.set_name(result, side) for side in ("a", "b")},
        cards=cards,
        sections=_sections(cards, result),
        axis=plots.auroc_axis(result.differences),
        previews={
            side: _figures(summary.preview, pictures, side.upper())
            for side, summary in (("a", result.a), ("b", result.b))
        },
        account=_account(result.a, result.b),
        skipped=[_skipped(letter, side) for letter, side in (("A", result.a), ("B", result.b))],
        files=_files(cards),
        score_is=words.score_is(result),
        descriptions=DESCRIPTIONS,
        has_pictures=pictures is not None,
        has_names=names and pictures is not None,
    )


def histogram_svg(found: plots.Scored) -> str:
    """The histogram alone, for other pages; its classes want the report's or their own style."""
    drawn = plots.histogram(found)
    if drawn is None:
        return ""
    pieces = environment().get_template("_pieces.html").module
    return str(pieces.histogram(drawn, found))  # type: ignore[attr-defined]


def environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("fixed", "significant", "probability", "percent", "seconds", "count", "setting"):
        environment.filters[name] = getattr(words, name)
    environment.globals.update(WIDTH=plots.WIDTH, MIDDLE=plots.MIDDLE, LEFT=plots.LEFT)
    return environment


def _printable(value: Any) -> Any:
    """Control characters and marks that turn the direction of writing are shown, not obeyed."""
    if isinstance(value, str) and not isinstance(value, Markup) and not value.isprintable():
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)
    return value


def source_hash(text: str) -> str:
    """The page's only style, as its Content-Security-Policy names it: no other is applied."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _cards(result: RunResult, pictures: Pictures | None) -> list[Card]:
    grades = {} if result.evaluation is None else {g.rank: g for g in result.evaluation.grades}
    turned = _turned(result.differences)
    cards = []
    for rank, found in enumerate(result.differences, start=1):
        if rank in turned.values():
            continue
        own, other = ("A", "B") if found.hypothesis.direction == "a" else ("B", "A")
        shown = pictures if rank <= PICTURED else None
        groups = _groups(found, own, other, shown)
        drawn = plots.histogram(found)
        back = turned.get(rank)
        other_way = None if back is None else result.differences[back - 1]
        cards.append(Card(rank, found, own, other, drawn, groups, grades.get(rank), other_way))
    return cards


def _turned(differences: Sequence[ScoredHypothesis]) -> dict[int, int]:
    """Of each text that was tested both ways: the rank of the better, and of the other."""
    first: dict[str, int] = {}
    both: dict[int, int] = {}
    for rank, found in enumerate(differences, start=1):
        seen = first.setdefault(found.text.casefold(), rank)
        if seen != rank and differences[seen - 1].direction != found.direction:
            both.setdefault(seen, rank)
    return both


def _files(cards: Sequence[Card]) -> list[tuple[Figure, list[tuple[int, float]]]]:
    """Every picture of the page once, with the ranks that show it and its scores there."""
    found: dict[tuple[str, str], tuple[Figure, list[tuple[int, float]]]] = {}
    for card in cards:
        for group in card.groups:
            for figure in group.figures:
                entry = found.setdefault((figure.side, figure.path), (figure, []))
                if (card.rank, figure.score) not in entry[1]:
                    entry[1].append((card.rank, figure.score))
    return [found[key] for key in sorted(found)]


def _groups(
    found: ScoredHypothesis, own: str, other: str, pictures: Pictures | None
) -> tuple[Group, ...]:
    shown = found.evidence
    if pictures is not None and shown.a and _are_pairs(shown.a, shown.b):
        return _pairs(shown, own, other, pictures)
    for_own, for_other = (shown.a, shown.b) if own == "A" else (shown.b, shown.a)
    groups = (
        Group(f"{own} where it shows most", _figures(for_own, pictures, own)),
        Group(f"{other} where it shows least", _figures(for_other, pictures, other)),
        Group(
            f"Against it: high in {other}, low in {own}",
            # In turns, as the evidence was chosen.
            _figures(shown.against, pictures, other, own),
        ),
    )
    return tuple(group for group in groups if group.figures)


def _are_pairs(a: Sequence[Example], b: Sequence[Example]) -> bool:
    """Whether every image stands beside its partner."""
    numbers = [one.pair for one in a], [one.pair for one in b]
    return numbers[0] == numbers[1] and None not in numbers[0]


def _pairs(shown: Evidence, own: str, other: str, pictures: Pictures) -> tuple[Group, ...]:
    """Pairs that show it, and pairs against it; A is always on the left."""
    best = [each for pair in zip(shown.a, shown.b, strict=True) for each in pair]
    turns = list(zip(shown.against[::2], shown.against[1::2], strict=False))
    ordered = [(theirs, mine) if other == "A" else (mine, theirs) for theirs, mine in turns]
    against = [each for pair in ordered for each in pair]
    groups = (
        Group(f"Pairs in which {own} shows it more", _figures(best, pictures, "A", "B"), True),
        Group("Pairs against it", _figures(against, pictures, "A", "B"), True),
    )
    return tuple(group for group in groups if group.figures)


def _figures(
    examples: Sequence[Example], pictures: Pictures | None, *sides: str
) -> tuple[Figure, ...]:
    """The examples as pictures; ``sides`` names the sets that they are from, in turns."""
    if pictures is None:
        return ()
    return tuple(
        pictures.figure(example, sides[place % len(sides)])
        for place, example in enumerate(examples)
    )


def _sections(cards: Sequence[Card], result: RunResult) -> list[dict[str, Any]]:
    """What held, by direction; then what did not."""
    held = [card for card in cards if card.found.verdict != "rejected"]
    sections = [
        {
            "id": f"more-{letter.lower()}",
            "title": f"More true of {words.set_name(result, letter.lower())}",
            "cards": [card for card in held if card.own == letter],
            "folded": False,
        }
        for letter in ("A", "B")
    ]
    rejected = [card for card in cards if card.found.verdict == "rejected"]
    sections.append(
        {
            "id": "rejected",
            "title": "Rejected: the images do not support these",
            "cards": rejected,
            "folded": len(rejected) > FEW,
        }
    )
    return [section for section in sections if section["cards"]]


def _account(a: SetSummary, b: SetSummary) -> list[tuple[str, int, int]]:
    """The account of files of both sets: what became of so many of A, and so many of B."""
    of_a, of_b = a.files, b.files
    rows = [(what, of_a.get(what, 0), of_b.get(what, 0)) for what in {**of_a, **of_b}]
    return [row for row in rows if row[1] or row[2]]


def _skipped(letter: str, side: SetSummary) -> dict[str, Any]:
    """Files that were left out of one set: by name, or counted by reason where names are not
    shown."""
    named = [item for item in side.skipped if item.path]
    reasons = Counter(item.reason for item in side.skipped if not item.path)
    return {"letter": letter, "named": named, "reasons": reasons.most_common()}
