"""What a reader sees: the frame with its tabs, and the keys."""

import uuid
from pathlib import Path

from nicegui import ui
from nicegui.events import KeyEventArguments

from visdiff_local.results.report import words
from visdiff_local.serve.view.app import Desk
from visdiff_local.serve.view.panels.compare import ComparePanel
from visdiff_local.serve.view.panels.differences import DifferencesPanel
from visdiff_local.serve.view.panels.gallery import GalleryPanel
from visdiff_local.serve.view.panels.label import LabelPanel
from visdiff_local.serve.view.panels.map import MapPanel

_STYLE = Path(__file__).with_name("view.css")
_TABS = {
    "gallery": "Images",
    "differences": "Differences",
    "label": "Label",
    "map": "Map",
    "compare": "Two runs",
}
_KEYS = """
| key | does |
|---|---|
| 1 … 5 | the tabs |
| arrows, Page Up/Down, Home, End | move in the gallery |
| Enter | enlarge; then ← → the next, Escape back |
| space, x | choose an image (Shift-click: up to here) |
| t | tag what is chosen |
| / | ask your own text |
| ↑ ↓, a, r, o, n, i | differences: move, accept, reject, leave open, note, images |
| y, n, s, u | label: yes, no, skip, undo |
| ? | these keys |
"""


def draw_page(desk: Desk) -> None:
    """One reader's page."""
    ui.add_css(_STYLE)
    dark = ui.dark_mode(None)
    reader = uuid.uuid4().hex
    with ui.dialog() as keys, ui.card():
        ui.markdown(_KEYS)
    with ui.header().classes("vd-header"):
        with ui.row().classes("vd-title"):
            ui.label(_title(desk)).classes("vd-name")
            ui.space()
            ui.button(icon="contrast", on_click=lambda: _turn(dark)).props(
                "flat dense round aria-label='light or dark'"
            )
            ui.button(icon="keyboard", on_click=keys.open).props(
                "flat dense round aria-label='keys'"
            )
        with ui.tabs().classes("vd-tabs").props("dense align=left mobile-arrows") as tabs:
            for name, shown in _TABS.items():
                ui.tab(name, shown)
    with ui.tab_panels(tabs, value="gallery", animated=False).classes("vd-panels"):
        with ui.tab_panel("gallery").classes("vd-panel vd-full"):
            gallery = GalleryPanel(desk, reader)

        def show(text: str) -> None:
            tabs.set_value("gallery")
            gallery.sort_by(text)

        with ui.tab_panel("differences").classes("vd-panel"):
            differences = DifferencesPanel(desk, show)
        with ui.tab_panel("label").classes("vd-panel"):
            label = LabelPanel(desk)
        with ui.tab_panel("map").classes("vd-panel"):
            MapPanel(desk, gallery.enlarge)
        with ui.tab_panel("compare").classes("vd-panel"):
            ComparePanel(desk)

    def key(event: KeyEventArguments) -> None:
        if not event.action.keydown or event.modifiers.ctrl or event.modifiers.meta:
            return
        name = str(event.key)
        if name == "?":
            keys.open()
        elif gallery.enlarged:
            gallery.key(name)
        elif name.isdigit() and 0 < int(name) <= len(_TABS):
            tabs.set_value(list(_TABS)[int(name) - 1])
        elif tabs.value == "gallery":
            gallery.key(name)
        elif tabs.value == "differences":
            differences.key(name)
        elif tabs.value == "label":
            label.key(name)

    ui.keyboard(on_key=key)


def _turn(dark: ui.dark_mode) -> None:
    """Light, dark, and as the system has it, in turns."""
    dark.value = {None: True, True: False, False: None}[dark.value]


def _title(desk: Desk) -> str:
    result = desk.gallery.result
    if result is None:
        count = f"{desk.gallery.rows:,} images in {len(desk.gallery.groups)} groups"
        found = desk.gallery.comparison
        return count if found is None else f"{count}: {found.conclusion}"
    return f"{words.set_name(result, 'a')} and {words.set_name(result, 'b')}: " + str(
        result.summary.conclusion
    )
