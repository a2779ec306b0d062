"""Connections that cost something and bring nothing: a bound on how many, and on how long.

Whoever connects has some seconds to send a whole head, and then some for the body; whoever is slow
is cut off. Where there are too many, those that have waited longest without a head go first, so
that an honest request is always let in. All this comes before the token is looked at.
"""

import asyncio
import os
import resource
from pathlib import Path
from typing import Any

HEAD_SECONDS = 5.0
"""From the connection, or the first byte of a further request, to the end of the head."""
BODY_SECONDS = 30.0
MOST = 256
"""Connections at once, where there are descriptors for them."""
LEAST = 4
BACKLOG = 32
"""Connections that are accepted in one go."""
_KEPT_FREE = 24
"""Descriptors for files that are opened meanwhile."""
_LONGEST_HEAD = 16 << 10


def most_connections() -> int:
    """As many as this process has descriptors for; the soft limit is raised to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + 4 * _KEPT_FREE
    if soft < wanted and (hard == resource.RLIM_INFINITY or hard > soft):
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    used = len(list(Path("/proc/self/fd").iterdir())) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112
    return max(LEAST, min(MOST, soft - used - _KEPT_FREE))


def protocol(most: int) -> Any:
    """The class for uvicorn's ``http``: HTTP/1.1 by h11, with clocks.

    Args:
        most: connections at once.
    """
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    waiting: dict[Any, None] = {}
    """Connections without a whole head, the oldest first."""
    open_: set[Any] = set()

    class Timed(H11Protocol):
        _clock: asyncio.TimerHandle | None = None
        _clocked: Any = None
        """The state that the clock runs for."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            open_.add(self)
            waiting[self] = None
            if len(open_) > most:
                oldest = next(iter(waiting))
                oldest.transport.abort()
                oldest._forget()
            self._watch()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch()

        def _watch(self) -> None:
            """Starts the clock of the state that the request is in; a state has one clock."""
            state = self.conn.their_state
            idle = state is h11.IDLE
            busy = self.cycle is not None and not self.cycle.response_complete
            if not idle or busy:
                waiting.pop(self, None)
            elif self not in waiting and self in open_:
                waiting[self] = None
            # Between two requests uvicorn's own clock runs, until the first byte of the next.
            between = idle and self.timeout_keep_alive_task is not None
            wanted = None if between or (busy and idle) else state
            if wanted not in (h11.IDLE, h11.SEND_BODY):
                wanted = None
            if wanted is self._clocked and self._clock is not None:
                return
            if self._clock is not None:
                self._clock.cancel()
            self._clock, self._clocked = None, wanted
            if wanted is not None:
                seconds = HEAD_SECONDS if wanted is h11.IDLE else BODY_SECONDS
                self._clock = self.loop.call_later(seconds, self._late)

        def _late(self) -> None:
            self.transport.abort()

        def _forget(self) -> None:
            waiting.pop(self, None)
            open_.discard(self)
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None

    return Timed


def settings(most: int) -> dict[str, Any]:
    """What uvicorn is configured with."""
    return {
        "http": protocol(most),
        "ws": "none",
        "backlog": BACKLOG,
        "timeout_keep_alive": 5,
        "h11_max_incomplete_event_size": _LONGEST_HEAD,
    }
