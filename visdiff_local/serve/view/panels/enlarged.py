"""One image, as large as the window, with all that is known of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from nicegui import ui

from visdiff_local.serve.view.app import Desk
from visdiff_local.serve.view.data import shown


class Enlarged:
    """A dialog that walks through what the gallery shows."""

    def __init__(self, desk: Desk, order: Callable[[], Any]) -> None:
        self._desk, self._order = desk, order
        self._place = -1
        with ui.dialog().props("maximized transition-duration=0") as self._dialog:
            self._card = ui.card().classes("vd-enlarged")

    @property
    def is_open(self) -> bool:
        return bool(self._dialog.value)

    def show(self, place: int) -> None:
        """The image at this place of the gallery."""
        order = self._order()
        if 0 <= place < len(order):
            self._place = place
            self._draw(int(order[place]))

    def show_row(self, row: int) -> None:
        """An image of the table, wherever the gallery has it."""
        found = np.flatnonzero(self._order() == row)
        self._place = int(found[0]) if len(found) else -1
        self._draw(row)

    def key(self, name: str) -> None:
        if name in ("ArrowRight", "ArrowLeft") and self._place >= 0:
            self.show(self._place + (1 if name == "ArrowRight" else -1))
        elif name == "Escape":
            self._dialog.close()

    def _draw(self, row: int) -> None:
        gallery = self._desk.gallery
        fact = {n: gallery.fact(row, n) for n in gallery.facts}
        tags = ", ".join(gallery.notes.tags.get(fact["id"] or "", ()))
        self._card.clear()
        with self._card:
            with ui.element("div").classes("vd-picture"):
                ui.element("img").props(f'src="/image/{row}" alt="enlarged"')
            with ui.column().classes("vd-facts"):
                with ui.row().classes("vd-walk"):
                    side = "a" if gallery.groups.index(fact["set"]) % 2 == 0 else "b"
                    ui.label(shown(fact["set"])).classes(f"vd-mark vd-{side}")
                    ui.space()
                    for icon, step in (
                        ("chevron_left", "ArrowLeft"),
                        ("chevron_right", "ArrowRight"),
                    ):
                        ui.button(icon=icon, on_click=lambda step=step: self.key(step)).props(
                            f"flat dense round aria-label={step}"
                        )
                    ui.button(icon="close", on_click=self._dialog.close).props(
                        "flat dense round aria-label=close"
                    )
                ui.label(fact["name"] or "").classes("vd-text")
                ui.label(fact["path"] or "").classes("vd-path")
                if fact["caption"]:
                    ui.label(f"caption: {fact['caption']}")
                for name, value in (
                    ("half", fact["half"]),
                    ("cluster", fact["cluster"]),
                    ("stratum", fact["stratum"]),
                    ("pair", fact["pair"]),
                    ("left out", fact["reason"]),
                    ("tags", tags),
                ):
                    if value:
                        ui.label(f"{name}: {value}").classes("vd-quiet")
                self._scores(row)
        self._dialog.open()

    def _scores(self, row: int) -> None:
        gallery = self._desk.gallery
        rows = [
            {"name": name, "value": "–" if np.isnan(value) else f"{value:.3g}"}
            for name in (*gallery.texts, *gallery.images.attributes)
            for value in (gallery.numbers(name)[row],)
        ]
        columns = [
            {"name": "name", "label": "text or attribute", "field": "name", "align": "left"},
            {"name": "value", "label": "value", "field": "value", "align": "right"},
        ]
        ui.table(rows=rows, columns=columns, row_key="name").props("dense flat").classes(
            "vd-scores"
        )
