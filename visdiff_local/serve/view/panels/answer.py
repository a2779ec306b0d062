"""What a text tells of the two sets: AUROC, interval, histogram."""

from collections.abc import Callable

from nicegui import ui

from visdiff_local.results.report.page import histogram_svg
from visdiff_local.serve.view.asking import Answer


def show_answer(answer: Answer, groups: tuple[str, ...], close: Callable[[], object]) -> None:
    """The answer beside its histogram."""
    first, second = (group.upper() for group in groups[:2])
    own = first if answer.auroc >= 0.5 else second
    low, high = answer.interval
    area, bounds = answer.auroc, f"{low:.2f} … {high:.2f}"
    if answer.auroc < 0.5:
        area, bounds = 1 - answer.auroc, f"{1 - high:.2f} … {1 - low:.2f}"
    with ui.row().classes("vd-found"):
        with ui.column().classes("vd-numbers"):
            ui.label(f"“{answer.text}”").classes("vd-text")
            with ui.row().classes("items-baseline"):
                ui.label(f"{area:.2f}").classes("vd-big")
                ui.label(f"AUROC, {bounds}, more true of {own}")
            ui.label(
                f"over {answer.images:,} images. You chose the text after a look at them: this "
                "suggests, and proves nothing. To test it, use `visdiff-local test` on new images."
            ).classes("vd-quiet")
        ui.html(histogram_svg(answer), sanitize=False).classes("vd-histogram")
        ui.button(icon="close", on_click=close).props("flat dense round aria-label='close'")
