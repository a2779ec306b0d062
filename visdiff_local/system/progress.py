"""How far a run has come: on a terminal as bars, elsewhere as plain lines, or not at all.

Everything goes to stderr, so that stdout holds results alone.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from visdiff_local.system import terminal

if TYPE_CHECKING:
    from rich.progress import Progress as RichBars
    from rich.progress import TaskID

_NARROW = 76
"""Below so many columns a bar says how fast, or how many were stored; not both."""
_LINE_EVERY = 10.0
"""Seconds between two plain lines of one stage."""


class Progress(Protocol):
    """What a stage may tell while it works."""

    def start(self, stage: str, total: int) -> None:
        """A stage begins that will do about ``total`` things; 0 where nobody can tell."""
        ...

    def advance(self, done: int, stored: int = 0) -> None:
        """``done`` more are done now, and ``stored`` more had been done before."""
        ...

    def finish(self) -> None:
        """The stage is over."""
        ...

    def say(self, message: str) -> None:
        """Something that the user should know, in plain words, at any time."""
        ...


class Silent:
    """Says nothing."""

    def start(self, stage: str, total: int) -> None:
        pass

    def advance(self, done: int, stored: int = 0) -> None:
        pass

    def finish(self) -> None:
        pass

    def say(self, message: str) -> None:
        pass


SILENT = Silent()
"""For those whom nobody watches."""


class PlainLines:
    """One line when a stage ends, and one every ten seconds while it runs: for logs and pipes.

    A stage that comes again is told of only when it does something new; so also in :class:`Bars`.
    """

    def __init__(self) -> None:
        self._told_of: set[str] = set()
        self.start("", 0)

    def start(self, stage: str, total: int) -> None:
        self._stage, self._total, self._done, self._stored = stage, total, 0, 0
        self._began = self._told = time.monotonic()

    def advance(self, done: int, stored: int = 0) -> None:
        self._done += done
        self._stored += stored
        now = time.monotonic()
        if now - self._told >= _LINE_EVERY:
            self._told = now
            left = max(0, self._total - self._done - self._stored)
            wait = (now - self._began) * left / self._done if self._done else 0.0
            terminal.note(self._line(now) + (f", {wait:.0f} s left" if wait else ""))

    def finish(self) -> None:
        if self._done or (self._stored and self._stage not in self._told_of):
            terminal.note(self._line(time.monotonic()))
            self._told_of.add(self._stage)

    def say(self, message: str) -> None:
        terminal.note(message)

    def _line(self, now: float) -> str:
        spent = now - self._began
        stored = f" ({self._stored} from the store)" if self._stored else ""
        rate = f", {speed(self._done, spent)}" if self._done and spent > 0.1 else ""
        return f"{self._stage}: {self._done + self._stored}{stored} in {spent:.1f} s{rate}"


def speed(done: float, spent: float) -> str:
    """How fast, in numbers that are never 0.0: ``3,020/s``, ``0.42/s``, ``8.3 s each``."""
    if done <= 0 or spent <= 0:
        return ""
    rate = done / spent
    if rate < 0.2:
        return f"{spent / done:.1f} s each"
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


class Bars:
    """Bars on a terminal, one a stage: what came from the store, rate, time left, and once a stage
    is done the time it took."""

    def __init__(self, bars: "RichBars") -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._told_of: set[str] = set()
        self._stored = self._new = 0
        self._began = 0.0

    def start(self, stage: str, total: int) -> None:
        self._stored, self._new, self._began = 0, 0, time.monotonic()
        self._task = self._bars.add_task(stage, total=total or None, note="")

    def advance(self, done: int, stored: int = 0) -> None:
        if self._task is None:
            return
        self._stored += stored
        self._new += done
        # Over the whole stage: known from the first thing done, and calm.
        rate = speed(self._new, time.monotonic() - self._began)
        parts = (rate, f"{self._stored} from the store" if self._stored else "")
        # What is wider would cut the counts and the time.
        room = None if self._bars.console.width >= _NARROW else 1
        note = ", ".join([part for part in parts if part][:room])
        self._bars.update(self._task, advance=done + stored, note=note)

    def finish(self) -> None:
        if self._task is None:
            return
        task = self._bars.tasks[self._task]
        stage, done = task.description, task.completed
        new = done > self._stored or (done > 0 and stage not in self._told_of)
        self._bars.update(self._task, total=max(done, 1), completed=max(done, 1), visible=new)
        self._told_of.add(stage)
        self._task = None

    def say(self, message: str) -> None:
        text = terminal.printable(message, lines=False)
        self._bars.console.print(text, markup=False, highlight=False)


@contextmanager
def shown(*, quiet: bool) -> Iterator[Progress]:
    """The progress display that fits where stderr goes."""
    if quiet:
        yield SILENT
        return
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    )
    with RichProgress(*columns, console=terminal.console(sys.stderr)) as bars:
        yield Bars(bars)
