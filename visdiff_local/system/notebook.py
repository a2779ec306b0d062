"""A progress bar in notebooks: one line of HTML that is drawn over again."""

import html
import sys
import time
from typing import Any

from visdiff_local.system.progress import SILENT, Progress

_EVERY = 0.2
"""Seconds between two drawings."""


def progress() -> Progress:
    """A bar where this runs in a notebook; else nobody is told."""
    return Bar() if in_notebook() else SILENT


def in_notebook() -> bool:
    """Whether a kernel runs this that shows HTML. IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class Bar:
    """What is being done, how much of it, and how fast; at the end what all of it took."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._began = self._drawn = time.monotonic()
        self._stage, self._total, self._done = "", 0, 0
        self._stage_began = self._began

    def start(self, stage: str, total: int) -> None:
        self._stage, self._total, self._done = stage, total, 0
        self._stage_began = time.monotonic()
        self._draw()

    def advance(self, done: int, stored: int = 0) -> None:
        self._done += done + stored
        if time.monotonic() - self._drawn > _EVERY:
            self._draw()

    def finish(self) -> None:
        self._total = self._done = max(self._done, 1)
        self._draw()

    def say(self, message: str) -> None:
        from IPython.display import HTML, display

        display(HTML(f"<p>{html.escape(message)}</p>"))

    def _draw(self) -> None:
        from IPython.display import HTML, display

        now = time.monotonic()
        self._drawn = now
        spent = now - self._stage_began
        known = f' value="{self._done}" max="{self._total}"' if self._total else ""
        count = f"{self._done:,} of {self._total:,}" if self._total else f"{self._done:,}"
        rate = f", {self._done / spent:.1f}/s" if self._done and spent > 0 else ""
        line = HTML(
            f"<progress{known}></progress> {html.escape(self._stage)}: {count}{rate}, "
            f"{now - self._began:.1f} s in all"
        )
        if self._handle is None:
            self._handle = display(line, display_id=True)
        else:
            self._handle.update(line)
