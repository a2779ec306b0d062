"""The embeddings in the plane, coloured by set or by a score; a click enlarges."""

from collections.abc import Callable
from typing import Any

import numpy as np
from nicegui import events, run, ui

from visdiff_local.errors import VisdiffError
from visdiff_local.serve.view.app import Desk
from visdiff_local.serve.view.data import shown
from visdiff_local.serve.view.scatter import Plane, has_umap, plane

_COLOURS = ("#3584e4", "#e66100", "#2aa198", "#c061cb", "#8f9a00", "#e0508a", "#7a6a5a", "#5c64d6")
"""A is blue and B orange, as everywhere; further groups follow."""


class MapPanel:
    """The fourth tab, computed when it is asked for."""

    def __init__(self, desk: Desk, enlarge: Callable[[int], None]) -> None:
        self._desk, self._enlarge = desk, enlarge
        self._plane: Plane | None = None
        with ui.row().classes("vd-line"):
            self._by = (
                ui.select(
                    {"": "the set", **{t: f"“{t}”" for t in desk.gallery.texts}},
                    label="colour by",
                    value="",
                    on_change=self._draw,
                )
                .props("dense outlined options-dense")
                .classes("vd-sort")
            )
            self._how = ui.toggle({False: "components", True: "UMAP"}, value=False)
            self._how.props("dense no-caps aria-label='map by'").set_visibility(has_umap())
            self._button = ui.button("Draw the map", on_click=self._compute).props("no-caps")
        self._words = ui.label().classes("vd-quiet")
        if desk.asker is None:
            self._button.disable()
            self._words.set_text("no embedder is open: see what the terminal says")
        self._box = ui.element("div").classes("vd-map")

    async def _compute(self) -> None:
        asker = self._desk.asker
        if asker is None:
            return
        self._button.props("loading")
        try:
            if self._how.value:
                self._words.set_text("UMAP takes half a minute or more …")
            self._plane = await run.io_bound(
                lambda: plane(*asker.embeddings(), use_umap=bool(self._how.value))
            )
        except VisdiffError as error:
            self._words.set_text("")
            ui.notify(str(error), type="negative", multi_line=True)
            return
        finally:
            self._button.props(remove="loading")
        self._draw()

    def _draw(self) -> None:
        found = self._plane
        if found is None:
            return
        self._words.set_text(f"{len(found.rows):,} images by {found.how}")
        self._box.clear()
        with self._box:
            ui.echart(self._options(found), on_point_click=self._clicked).classes("vd-chart")

    def _options(self, found: Plane) -> dict[str, Any]:
        axis = {"type": "value", "show": False, "scale": True}
        options: dict[str, Any] = {
            "animation": False,
            "grid": {"left": 8, "right": 8, "top": 36, "bottom": 8},
            "xAxis": axis,
            "yAxis": axis,
            "tooltip": {"show": False},
        }
        rows = found.rows
        if self._by.value:
            values = self._desk.gallery.numbers(self._by.value)[rows]
            known = ~np.isnan(values)
            points = np.column_stack([found.points, values, rows])[known]
            span = values[known] if known.any() else np.zeros(1)
            options["visualMap"] = {
                "min": float(span.min()),
                "max": float(span.max()),
                "dimension": 2,
                "orient": "horizontal",
                "top": 0,
                "precision": 2,
                "inRange": {"color": ["#440154", "#31688e", "#35b779", "#fde725"]},
            }
            options["series"] = [_series("score", points.tolist(), None)]
            return options
        options["legend"] = {"top": 0, "textStyle": {"color": "#888"}}
        groups = self._desk.gallery.groups
        options["series"] = [
            _series(
                shown(group),
                np.column_stack([found.points, rows * 0, rows])[
                    self._desk.gallery.of_group[rows] == number
                ].tolist(),
                _COLOURS[number % len(_COLOURS)],
            )
            for number, group in enumerate(groups)
        ]
        return options

    def _clicked(self, event: events.EChartPointClickEventArguments) -> None:
        point = event.value
        if isinstance(point, list):
            self._enlarge(int(point[3]))


def _series(name: str, points: list[Any], colour: str | None) -> dict[str, Any]:
    style = {"opacity": 0.75} | ({} if colour is None else {"color": colour})
    return {"type": "scatter", "name": name, "data": points, "symbolSize": 7, "itemStyle": style}
