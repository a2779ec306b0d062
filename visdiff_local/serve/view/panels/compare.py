"""Two runs side by side: what is new, what has gone, what moved."""

from nicegui import ui

from visdiff_local.serve.view.app import Desk
from visdiff_local.types import RunResult, ScoredHypothesis


class ComparePanel:
    """The fifth tab."""

    def __init__(self, desk: Desk) -> None:
        here = desk.gallery.result
        there = None if desk.other is None else desk.other.result
        if here is None or there is None or desk.other is None:
            ui.label("Name a second run: visdiff-local view RUN OTHER").classes("vd-quiet")
            return
        rows = compared(here, there)
        ui.label(f"this run: {desk.gallery.run_dir}; the other: {desk.other.run_dir}").classes(
            "vd-path"
        )
        ui.label(
            f"{_summed(here)} here, {_summed(there)} there; "
            f"{sum(r['change'] == 'new' for r in rows)} new, "
            f"{sum(r['change'] == 'gone' for r in rows)} gone"
        )
        columns = [
            {"name": name, "label": label, "field": name, "align": "left", "sortable": True}
            for name, label in (
                ("text", "text"),
                ("set", "more in"),
                ("change", ""),
                ("here", "this run"),
                ("there", "the other"),
            )
        ]
        ui.table(rows=rows, columns=columns, row_key="key").props("dense flat wrap-cells").classes(
            "vd-compare"
        )


def compared(here: RunResult, there: RunResult) -> list[dict[str, str]]:
    """A row a text and direction of either run: new here, gone from here, or in both."""
    mine, theirs = _by_text(here), _by_text(there)
    rows = []
    for key in dict.fromkeys((*mine, *theirs)):
        text, direction = key
        first, second = mine.get(key), theirs.get(key)
        change = "both" if first and second else "new" if first else "gone"
        if first and second and first.verdict != second.verdict:
            change = f"{second.verdict} → {first.verdict}"
        rows.append(
            {
                "key": f"{direction} {text}",
                "text": (first or second or here.differences[0]).text,
                "set": direction.upper(),
                "change": change,
                "here": _shown(first),
                "there": _shown(second),
            }
        )
    return rows


def _by_text(result: RunResult) -> dict[tuple[str, str], ScoredHypothesis]:
    return {(d.text.casefold(), d.direction): d for d in result.differences}


def _shown(found: ScoredHypothesis | None) -> str:
    return "–" if found is None else f"{found.auroc:.2f} {found.verdict}"


def _summed(result: RunResult) -> str:
    held = sum(d.verdict == "confirmed" for d in result.differences)
    return f"{held} of {len(result.differences)} confirmed"
