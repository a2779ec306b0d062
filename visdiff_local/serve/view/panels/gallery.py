"""All images: sorted by any text or attribute, filtered, enlarged, tagged; your own text."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from nicegui import events, run, ui

from visdiff_local.errors import VisdiffError
from visdiff_local.serve.view.app import Desk
from visdiff_local.serve.view.data import Query, shown
from visdiff_local.serve.view.panels.answer import show_answer
from visdiff_local.serve.view.panels.enlarged import Enlarged

_SIZE = 128
"""Pixels of a cell at least; as many a row as fit."""
_BUTTONS = 5
"""Sets, and "all", that are buttons; more are a list."""
_LISTED = 2000
"""Clusters in the list: no browser likes more."""


class ImageGrid(ui.element, component=Path(__file__).parents[1] / "gallery.js"):
    """``gallery.js``: holds and loads only the images that are looked at."""

    def __init__(self, reader: str, groups: tuple[str, ...]) -> None:
        super().__init__()
        self._props |= {"query": reader, "groups": list(groups), "base": "", "size": _SIZE}
        self._props |= {"total": 0, "version": 0}

    def show(self, total: int) -> None:
        """Another order, from its beginning."""
        self._props["total"] = total
        self._props["version"] += 1
        self.update()


class GalleryPanel:
    """The first tab."""

    def __init__(self, desk: Desk, reader: str) -> None:
        self._desk, self._reader = desk, reader
        self._query = Query()
        self._chosen: list[int] = []
        self._dialog = Enlarged(desk, self._order)
        self._toolbar()
        self._answer = ui.element("div").classes("vd-answer")
        self._count = ui.label().classes("vd-count").props("aria-live=polite")
        self._grid = ImageGrid(reader, desk.gallery.groups).classes("vd-grid")
        self._grid.on("open", lambda e: self._dialog.show(int(e.args["place"])))
        self._grid.on("chosen", self._choose)
        self._bar()
        self._apply()

    @property
    def enlarged(self) -> bool:
        return self._dialog.is_open

    def enlarge(self, row: int) -> None:
        """One image, from elsewhere on the page."""
        self._dialog.show_row(row)

    def sort_by(self, text: str) -> None:
        """The images on which the text scores highest first."""
        self._sort.set_value(text)

    def key(self, name: str) -> None:
        if self._dialog.is_open:
            self._dialog.key(name)
        elif name == "/":
            self._own.run_method("focus")
        elif name == "t":
            self._tag.run_method("focus")

    def _toolbar(self) -> None:
        gallery = self._desk.gallery
        with ui.row().classes("vd-tools"):
            self._sort = ui.select(
                self._columns(), label="sort by", value="", on_change=self._changed, with_input=True
            ).props("dense outlined options-dense aria-label='sort by'")
            self._sort.classes("vd-sort")
            self._down = ui.toggle({True: "high", False: "low"}, value=True)
            self._down.on_value_change(self._changed).props("dense no-caps aria-label='first'")
            self._group = self._sets({"": "all", **{g: shown(g) for g in gallery.groups}})
            self._group.on_value_change(self._changed)
            more = ui.button("Filter", icon="tune").props("flat dense no-caps")
            self._own = ui.input(placeholder="ask your own text: a hat").classes("vd-own")
            self._own.props("dense outlined clearable aria-label='your own text'")
            self._own.on("keydown.enter", self._ask)
            if self._desk.asker is None:
                self._own.disable()
                self._own.props("placeholder='no model is open: see the terminal'")
        with ui.row().classes("vd-tools vd-more") as filters:
            self._words = self._field("name or caption", "search")
            self._half = self._choice("half", ["explore", "validate", "both"])
            self._cluster = self._choice("cluster", list(gallery.clusters)[:_LISTED])
            self._stratum = self._choice("stratum", list(gallery.strata)[:_LISTED])
            self._with_tag = self._choice("tag", self._tags())
            self._low, self._high = (
                ui.number(name, on_change=self._changed).props("dense outlined step=0.01")
                for name in ("score from", "score to")
            )
            for bound in (self._low, self._high):
                bound.bind_enabled_from(self._sort, "value", bool)
                bound.props("hint='of what is sorted by' hide-hint")
        filters.set_visibility(False)
        more.on_click(lambda: filters.set_visibility(not filters.visible))

    @staticmethod
    def _sets(options: dict[str, str]) -> Any:
        """Buttons for a few sets, a list for many."""
        if len(options) <= _BUTTONS:
            return ui.toggle(options, value="").props("dense no-caps aria-label='set'")
        many = ui.select(options, label="set", value="", with_input=True)
        return many.props("dense outlined options-dense").classes("vd-choice")

    def _field(self, name: str, icon: str) -> Any:
        field = ui.input(name, on_change=self._changed)
        return field.props(f"dense outlined clearable debounce=250 prepend-icon={icon}")

    def _choice(self, name: str, options: list[str]) -> Any:
        choice = ui.select(["", *options], label=name, value="", on_change=self._changed)
        choice.props("dense outlined options-dense").classes("vd-choice")
        choice.set_visibility(bool(options) or name == "tag")
        return choice

    def _columns(self) -> dict[str, str]:
        gallery = self._desk.gallery
        own = {text: f"“{text}” (yours)" for text in gallery.own}
        tested = {t.text: f"“{t.text}”" for t in gallery.images.texts}
        measured = {name: name for name in gallery.images.attributes}
        return {"": "the order of the run", **own, **tested, **measured}

    def _tags(self) -> list[str]:
        return sorted({t for tags in self._desk.gallery.notes.tags.values() for t in tags})

    def _changed(self, _: Any = None) -> None:
        before = self._query.sort
        low, high = self._low.value, self._high.value
        self._query = Query(
            sort=self._sort.value or "",
            descending=bool(self._down.value),
            group=self._group.value or "",
            half=self._half.value or "",
            cluster=self._cluster.value or "",
            stratum=self._stratum.value or "",
            tag=self._with_tag.value or "",
            words=self._words.value or "",
            low=None if low is None else float(low),
            high=None if high is None else float(high),
        )
        if before != self._query.sort and self._answer.default_slot.children:
            self._answer.clear()
        self._apply()

    def _order(self) -> Any:
        return self._desk.gallery.order(self._query)

    def _apply(self) -> None:
        self._desk.ask_for(self._reader, self._query)
        found = len(self._order())
        self._count.set_text(f"{found:,} of {self._desk.gallery.rows:,} images")
        self._grid.show(found)

    async def _ask(self) -> None:
        asker, text = self._desk.asker, self._own.value or ""
        if asker is None or not text.strip():
            return
        try:
            answer = await run.io_bound(asker.ask, text)
            if answer is None:  # the page is closing
                return
        except VisdiffError as error:
            ui.notify(str(error), type="negative", multi_line=True)
            return
        self._sort.set_options(self._columns())
        self._down.set_value(True)
        self._sort.set_value(answer.text)
        self._apply()
        self._answer.clear()
        with self._answer:
            show_answer(answer, self._desk.gallery.groups, self._answer.clear)

    def _choose(self, event: events.GenericEventArguments) -> None:
        self._chosen = [int(row) for row in event.args or []]
        self._marked.set_text(f"{len(self._chosen):,} chosen")
        self._actions.set_visibility(bool(self._chosen))

    def _bar(self) -> None:
        with ui.row().classes("vd-bar") as self._actions:
            self._marked = ui.label()
            self._tag = ui.input(placeholder="tag").props("dense outlined aria-label=tag")
            self._tag.on("keydown.enter", lambda: self._mark(on=True))
            ui.button("Tag", on_click=lambda: self._mark(on=True)).props("dense no-caps unelevated")
            ui.button("Untag", on_click=lambda: self._mark(on=False)).props("dense no-caps flat")
            ui.button("Clear", on_click=lambda: self._grid.run_method("clear")).props(
                "dense no-caps flat"
            )
        self._actions.set_visibility(False)

    def _mark(self, *, on: bool) -> None:
        tag = " ".join((self._tag.value or "").replace(";", " ").split())[:60]
        if not tag:
            self._tag.run_method("focus")
            return
        gallery = self._desk.gallery
        try:
            gallery.change(gallery.notes.tagged(gallery.ids(self._chosen), tag, on=on))
        except OSError as error:
            ui.notify(f"the tag could not be kept: {error}", type="negative")
            return
        self._with_tag.set_options(["", *self._tags()])
        self._grid.run_method("refresh")
        self._query = replace(self._query)
