"""How far a run has come: on a terminal as bars, elsewhere as plain lines, or not at all.

Everything goes to stderr, so that stdout holds results alone.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as RichBars
    from rich.progress import TaskID

_LINE_EVERY = 10.0
"""Seconds between two plain lines of one stage."""


class Progress(Protocol):
    """What a stage may tell while it works."""

    def start(self, stage: str, total: int) -> None:
        """A stage begins that will do ``total`` things."""
        ...

    def advance(self, count: int) -> None:
        """``count`` more of them are done."""
        ...

    def finish(self) -> None:
        """The stage is over."""
        ...


class Silent:
    """Says nothing."""

    def start(self, stage: str, total: int) -> None:
        pass

    def advance(self, count: int) -> None:
        pass

    def finish(self) -> None:
        pass


class PlainLines:
    """One line when a stage ends, and one every ten seconds while it runs: for logs and pipes."""

    def __init__(self) -> None:
        self._stage, self._total, self._done = "", 0, 0
        self._began = self._told = 0.0

    def start(self, stage: str, total: int) -> None:
        self._stage, self._total, self._done = stage, total, 0
        self._began = self._told = time.monotonic()

    def advance(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._told >= _LINE_EVERY:
            self._told = now
            print(self._line(now), file=sys.stderr, flush=True)

    def finish(self) -> None:
        print(self._line(time.monotonic()), file=sys.stderr, flush=True)

    def _line(self, now: float) -> str:
        spent = now - self._began
        rate = f", {self._done / spent:.1f}/s" if spent > 0.5 and self._done else ""
        left = self._total - self._done
        wait = f", about {left * spent / self._done:.0f} s left" if self._done and left else ""
        return f"{self._stage}: {self._done}/{self._total} in {spent:.1f} s{rate}{wait}"


class Bars:
    """Bars on a terminal, one a stage, with rate and time left."""

    def __init__(self, bars: "RichBars") -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def start(self, stage: str, total: int) -> None:
        self._task = self._bars.add_task(stage, total=total)

    def advance(self, count: int) -> None:
        if self._task is not None:
            self._bars.advance(self._task, count)

    def finish(self) -> None:
        if self._task is not None:
            done = self._bars.tasks[self._task].total
            self._bars.update(self._task, completed=done)
        self._task = None


@contextmanager
def shown(*, quiet: bool) -> Iterator[Progress]:
    """The progress display that fits where stderr goes."""
    if quiet:
        yield Silent()
        return
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with RichProgress(*columns, TimeRemainingColumn(), console=console) as bars:
        yield Bars(bars)
