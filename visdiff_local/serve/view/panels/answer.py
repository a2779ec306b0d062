"""What a text tells of the sets: AUROC, interval, histogram; of several groups, a row a group."""

from collections.abc import Callable

from nicegui import ui

from visdiff_local.results.report.page import histogram_svg
from visdiff_local.serve.view.asking import Answer, ByGroup
from visdiff_local.serve.view.data import shown

_CAUTION = (
    "You chose the text after a look at them: this suggests, and proves nothing. To test it, use "
    "`visdiff-local {command}` on new images."
)


def show_answer(
    answer: Answer | ByGroup, groups: tuple[str, ...], close: Callable[[], object]
) -> None:
    """The answer beside its histogram, or its groups."""
    with ui.row().classes("vd-found"):
        if isinstance(answer, ByGroup):
            _by_group(answer)
        else:
            _of_two(answer, groups)
        ui.button(icon="close", on_click=close).props("flat dense round aria-label='close'")


def _of_two(answer: Answer, groups: tuple[str, ...]) -> None:
    first, second = (shown(group) for group in groups[:2])
    own = first if answer.auroc >= 0.5 else second
    low, high = answer.interval
    area, bounds = answer.auroc, f"{low:.2f} … {high:.2f}"
    if answer.auroc < 0.5:
        area, bounds = 1 - answer.auroc, f"{1 - high:.2f} … {1 - low:.2f}"
    with ui.column().classes("vd-numbers"):
        ui.label(f"“{answer.text}”").classes("vd-text")
        with ui.row().classes("items-baseline"):
            ui.label(f"{area:.2f}").classes("vd-big")
            ui.label(f"AUROC, {bounds}, more true of {own}")
        caution = _CAUTION.format(command="test")
        ui.label(f"over {answer.images:,} images. {caution}").classes("vd-quiet")
    ui.html(histogram_svg(answer), sanitize=False).classes("vd-histogram")


def _by_group(answer: ByGroup) -> None:
    """Text by group: each against all the others, the one that it is most true of first."""
    rows = [
        {
            "group": shown(one.group),
            "auroc": f"{one.auroc:.2f}",
            "interval": f"{one.interval[0]:.2f} … {one.interval[1]:.2f}",
            "mean": f"{one.mean:.3g}",
            "images": f"{one.images:,}",
        }
        for one in answer.groups
    ]
    columns = [
        {"name": name, "label": label, "field": name, "align": "left" if not place else "right"}
        for place, (name, label) in enumerate(
            (
                ("group", "group against the rest"),
                ("auroc", "AUROC"),
                ("interval", "95 % interval"),
                ("mean", "mean score"),
                ("images", "images"),
            )
        )
    ]
    with ui.column().classes("vd-numbers"):
        ui.label(f"“{answer.text}”").classes("vd-text")
        ui.table(rows=rows, columns=columns, row_key="group").props(
            "dense flat wrap-cells virtual-scroll hide-bottom :rows-per-page-options=[0]"
        ).classes("vd-groups")
        caution = _CAUTION.format(command="compare")
        ui.label(
            f"over {answer.images:,} images; AUROC above 0.5: more true of that group than of the "
            f"others. Each interval is of its own group: of twenty, one misses by chance. {caution}"
        ).classes("vd-quiet")
