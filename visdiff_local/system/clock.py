"""Work that may become pointless: whoever waits for it sets when, and the work asks between steps.

A server's worker computes for clients that go away, or that have waited as long as they may. What
computes (a decoding, a batch) asks :func:`check` between its steps and is ended there; outside of
:func:`until`, as in a run, nothing ever is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from visdiff_local.errors import LateError

_over: ContextVar[Callable[[], bool] | None] = ContextVar("over", default=None)


@contextmanager
def until(over: Callable[[], bool]) -> Iterator[None]:
    """In the block, :func:`check` raises once ``over()`` is true; of this thread alone."""
    before = _over.set(over)
    try:
        yield
    finally:
        _over.reset(before)


def check() -> None:
    """Raises :class:`LateError` where nobody waits for the work any more."""
    over = _over.get()
    if over is not None and over():
        raise LateError("it took longer than a request may take")
