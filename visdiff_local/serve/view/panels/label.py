"""Label a hundred images of one text, blind to the set."""

from nicegui import ui

from visdiff_local.serve.view import labelling
from visdiff_local.serve.view.app import Desk
from visdiff_local.serve.view.data import shown


class LabelPanel:
    """The third tab: one image at a time, three keys."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._queue: list[int] = []
        self._done: list[int] = []
        self._at = 0
        texts = list(desk.gallery.texts)
        with ui.row().classes("vd-line"):
            self._text = (
                ui.select(
                    texts, label="does the image show …", with_input=True, on_change=self._start
                )
                .props("dense outlined options-dense")
                .classes("vd-sort")
            )
        asked = min(labelling.ASKED, desk.gallery.rows)
        ui.label(
            f"{asked} images drawn at random, as many of each set, shuffled: you are not told "
            "which set an image is from, nor what the labels say of each set before you are done. "
            "Labels are kept in labels.json."
        ).classes("vd-quiet")
        self._box = ui.element("div").classes("vd-label")

    def key(self, name: str) -> None:
        answers = {"y": True, "n": False}
        if not self._queue:
            return
        if name in answers and self._at < len(self._queue):
            self._keep(answers[name])
        elif name == "s" and self._at < len(self._queue):
            self._step()
        elif name == "u" and self._done:
            self._undo()

    def _start(self) -> None:
        text = self._text.value
        marks = self._desk.gallery.notes.labels.get(text, {})
        drawn = labelling.queue(self._desk.gallery, text)
        known = [self._identity(row) in marks for row in drawn]
        self._queue = [row for row, done in zip(drawn, known, strict=True) if done] + [
            row for row, done in zip(drawn, known, strict=True) if not done
        ]
        self._at, self._done = sum(known), []
        self._draw()

    def _identity(self, row: int) -> str:
        return str(self._desk.gallery.fact(row, "id"))

    def _keep(self, shows: bool | None) -> None:
        gallery, row = self._desk.gallery, self._queue[self._at]
        changed = gallery.notes.labelled(self._text.value, self._identity(row), shows)
        try:
            gallery.change(changed)
        except OSError as error:
            ui.notify(f"the label could not be kept: {error}", type="negative")
            return
        self._done.append(self._at)
        self._step()

    def _step(self) -> None:
        self._at += 1
        self._draw()

    def _undo(self) -> None:
        self._at = self._done.pop()
        gallery, row = self._desk.gallery, self._queue[self._at]
        gallery.change(gallery.notes.labelled(self._text.value, self._identity(row), None))
        self._draw()

    def _draw(self) -> None:
        self._box.clear()
        with self._box:
            ui.linear_progress(self._at / max(1, len(self._queue)), show_value=False)
            if self._at < len(self._queue):
                ui.label(f"{self._at + 1} of {len(self._queue)}: “{self._text.value}”?")
                row = self._queue[self._at]
                ui.element("img").props(f'src="/image/{row}" alt="image to label"').classes(
                    "vd-asked"
                )
                with ui.row().classes("vd-line"):
                    for name, key in (("Yes (y)", "y"), ("No (n)", "n"), ("Skip (s)", "s")):
                        ui.button(name, on_click=lambda key=key: self.key(key)).props(
                            "no-caps unelevated" if key != "s" else "no-caps flat"
                        )
                    ui.button("Undo (u)", on_click=lambda: self.key("u")).props("no-caps flat")
                self._so_far()
            else:
                ui.label("All are labelled.")
                self._shares()

    def _so_far(self) -> None:
        """Shares on request only: a count that moves tells which set the image was from."""
        marks = self._desk.gallery.notes.labels.get(self._text.value, {})
        if not marks:
            return

        def show() -> None:
            early.delete()
            with box:
                self._shares()

        box = ui.element("div")
        with box:
            early = ui.button(f"Stop here: the shares by {len(marks)} labels", on_click=show)
            early.props("flat dense no-caps")

    def _shares(self) -> None:
        for share in labelling.shares(self._desk.gallery, self._text.value):
            if share.share is None or share.interval is None:
                ui.label(f"{shown(share.group)}: no label yet").classes("vd-quiet")
                continue
            low, high = share.interval
            ui.label(
                f"{shown(share.group)}: {share.share:.0%} show it ({low:.0%} … {high:.0%}), "
                f"{share.shown} of {share.labelled} labelled"
                + (", corrected for the model's errors" if share.corrected else "")
            ).classes("vd-share")
