"""The differences of the run: accept, reject, note, merge; kept in the run folder."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from nicegui import ui

from visdiff_local.results.notes import Opinion, Remark
from visdiff_local.serve.view.app import Desk
from visdiff_local.types import ScoredHypothesis


class DifferencesPanel:
    """The second tab."""

    def __init__(self, desk: Desk, show: Callable[[str], None]) -> None:
        self._desk, self._show = desk, show
        result = desk.gallery.result
        if result is None or not result.differences:
            ui.label("This run tested no text.")
            return
        ui.label(
            "What you make of each difference is kept in the run folder (notes.json); the "
            "statistics are not changed by it."
        ).classes("vd-quiet")
        for found in result.differences:
            self._card(found, [d.text for d in result.differences if d.text != found.text])

    def _card(self, found: ScoredHypothesis, others: list[str]) -> None:
        remark = self._remark(found.text)
        with ui.card().classes("vd-difference").props("flat bordered"):
            with ui.row().classes("vd-line"):
                ui.label(found.direction.upper()).classes(f"vd-mark vd-{found.direction}")
                ui.label(found.text).classes("vd-text")
                ui.label(found.verdict).classes(f"vd-verdict vd-{found.verdict}")
            low, high = found.auroc_ci
            ui.label(
                f"AUROC {found.auroc:.2f} ({low:.2f} … {high:.2f}), q {found.q_value:.1g}"
            ).classes("vd-quiet")
            with ui.row().classes("vd-line"):
                ui.toggle(
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
                ui.select(
                    {"": "–", **{text: text for text in others}},
                    label="says the same as",
                    value=remark.merged_into if remark.merged_into in others else "",
                    on_change=lambda e: self._keep(found.text, merged_into=e.value or None),
                ).props("dense outlined options-dense").classes("vd-merge")

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
