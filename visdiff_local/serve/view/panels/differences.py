"""The differences of the run: accept, reject, note, merge; kept in the run folder."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from nicegui import ui

from visdiff_local.results.notes import Opinion, Remark
from visdiff_local.results.report import words
from visdiff_local.serve.view.app import Desk
from visdiff_local.serve.view.data import Gallery, shown
from visdiff_local.types.comparison import Text

_OPINIONS = {"a": "accepted", "r": "rejected", "o": ""}


@dataclass(frozen=True, slots=True)
class Finding:
    """A tested text, of a run or of a comparison, as the page lists it."""

    text: str
    more_in: str
    side: str
    """a or b, for its colour."""
    verdict: str
    numbers: str


def findings(gallery: Gallery) -> list[Finding]:
    """A row a text, best first: of a text that was tested both ways, the better one."""
    if gallery.comparison is not None:
        return list(map(_of_comparison, gallery.comparison.texts))
    if gallery.result is None:
        return []
    found: dict[str, Finding] = {}
    for each in gallery.result.differences:
        low, high = each.auroc_ci
        numbers = f"AUROC {each.auroc:.2f} ({low:.2f} … {high:.2f}), q {each.q_value:.1g}"
        if each.prevalence_a is not None and each.prevalence_b is not None:
            numbers += f", shown in {words.percent(each.prevalence_a)} of A"
            numbers += f" and {words.percent(each.prevalence_b)} of B"
        side = each.direction
        found.setdefault(
            each.text.casefold(), Finding(each.text, side.upper(), side, each.verdict, numbers)
        )
    return list(found.values())


def _of_comparison(text: Text) -> Finding:
    numbers = f"AUROC {words.fixed(text.auroc)} in {text.part}"
    if text.trend is not None:
        numbers = f"concordance with the order {words.fixed(text.trend.concordance)}"
    return Finding(text.text, shown(text.direction), "a", text.verdict, numbers)


class DifferencesPanel:
    """The second tab: a card a text; the keyboard moves from one to the next."""

    def __init__(self, desk: Desk, show: Callable[[str], None]) -> None:
        self._desk, self._show = desk, show
        self._at = -1
        self._cards: list[Any] = []
        self._notes: list[Any] = []
        self._opinions: list[Any] = []
        self._found = findings(desk.gallery)
        if not self._found:
            ui.label("This run tested no text.")
            return
        ui.label(
            "What you make of each difference is kept in the run folder (notes.json); the "
            "statistics are not changed by it."
        ).classes("vd-quiet")
        for found in self._found:
            self._card(found, [other.text for other in self._found if other.text != found.text])

    def key(self, name: str) -> None:
        """Arrows move; a, r and o are opinions, n the note, i the images."""
        if name in ("ArrowDown", "ArrowUp", "j", "k"):
            self._move(1 if name in ("ArrowDown", "j") else -1)
        elif not 0 <= self._at < len(self._found):
            return
        elif name in _OPINIONS:
            self._opinions[self._at].set_value(_OPINIONS[name])
        elif name == "n":
            self._notes[self._at].run_method("focus")
        elif name == "i":
            self._show(self._found[self._at].text)

    def _move(self, by: int) -> None:
        if not self._cards:
            return
        if 0 <= self._at < len(self._cards):
            self._cards[self._at].classes(remove="vd-current")
        self._at = min(max(self._at + by, 0), len(self._cards) - 1)
        card = self._cards[self._at]
        card.classes("vd-current")
        ui.run_javascript(f"getHtmlElement({card.id}).scrollIntoView({{block: 'nearest'}})")

    def _card(self, found: Finding, others: list[str]) -> None:
        remark = self._remark(found.text)
        with ui.card().classes("vd-difference").props("flat bordered") as card:
            with ui.row().classes("vd-line"):
                ui.label(found.more_in).classes(f"vd-mark vd-{found.side}")
                ui.label(found.text).classes("vd-text")
                ui.label(found.verdict).classes(f"vd-verdict vd-{found.verdict}")
            ui.label(found.numbers).classes("vd-quiet")
            with ui.row().classes("vd-line"):
                opinion = ui.toggle(
                    {"": "open", "accepted": "accept", "rejected": "reject"},
                    value=remark.opinion,
                    on_change=lambda e: self._keep(
                        found.text, opinion=cast(Opinion, e.value or "")
                    ),
                ).props("dense no-caps")
                images = ui.button("Images", icon="grid_view").props("flat dense no-caps")
                images.on_click(lambda: self._show(found.text))
            with ui.row().classes("vd-line vd-words"):
                note = ui.textarea("note", value=remark.note).props(
                    "dense outlined autogrow rows=1"
                )
                note.on("blur", lambda: self._keep(found.text, note=note.value or ""))
                note.on("keydown.ctrl.enter", lambda: self._keep(found.text, note=note.value or ""))
                note.on("keydown.escape", lambda: note.run_method("blur"))
                ui.select(
                    {"": "–", **{text: text for text in others}},
                    label="says the same as",
                    value=remark.merged_into if remark.merged_into in others else "",
                    on_change=lambda e: self._keep(found.text, merged_into=e.value or None),
                ).props("dense outlined options-dense").classes("vd-merge")
        self._cards.append(card)
        self._notes.append(note)
        self._opinions.append(opinion)

    def _remark(self, text: str) -> Remark:
        return self._desk.gallery.notes.remarks.get(text, Remark())

    def _keep(self, text: str, **changed: Any) -> None:
        gallery, before = self._desk.gallery, self._remark(text)
        after = replace(before, **changed)
        if after == before:
            return
        try:
            gallery.change(gallery.notes.remarked(text, after))
        except OSError as error:
            ui.notify(f"it could not be kept: {error}", type="negative")
            return
        ui.notify("kept", timeout=800)
