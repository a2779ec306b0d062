"""Connections that cost something and bring nothing: a bound on how many, and on how long.

Whoever connects has some seconds to send a whole head, then some for the body, and at the end some
to take what is answered; whoever is slow is cut off. Where there are too many, those that have
waited longest without a head go first, so that an honest request is always let in. All this comes
before the token is looked at.
"""

import asyncio
import os
import resource
from pathlib import Path
from typing import Any

HEAD_SECONDS = 5.0
"""From the connection, or the first byte of a further request, to the end of the head."""
BODY_SECONDS = 30.0
TAKING_SECONDS = 60.0
"""That a part of an answer may lie here because the client does not take it."""
MOST = 256
"""Connections at once, where there are descriptors for them."""
LEAST = 4
BACKLOG = 32
"""Connections that are accepted in one go."""
_KEPT_FREE = 24
"""Descriptors for files that are opened meanwhile."""
_LONGEST_HEAD = 16 << 10
_LOOKED = 1.0
"""Seconds between two looks at what clients have not taken yet."""


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

    looking: list[asyncio.TimerHandle] = []

    def look(loop: asyncio.AbstractEventLoop) -> None:
        looking.clear()
        for one in list(open_):
            one._look(loop.time())
        if open_:
            looking.append(loop.call_later(_LOOKED, look, loop))

    class Timed(H11Protocol):
        _full_since: float | None = None
        """Since when something has been waiting for the client to take it."""
        _clock: asyncio.TimerHandle | None = None
        _clocked: Any = None
        """The state that the clock runs for."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if not looking:
                looking.append(self.loop.call_later(_LOOKED, look, self.loop))
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

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._forget()  # from here on it is another protocol's, which pings
            super().handle_websocket_upgrade(event)

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

        def _look(self, now: float) -> None:
            """Also while the connection is being closed, which waits for what is not taken."""
            if not self.transport.get_write_buffer_size():
                self._full_since = None
            elif self._full_since is None:
                self._full_since = now
            elif now - self._full_since > TAKING_SECONDS:
                self.transport.abort()

        def _forget(self) -> None:
            waiting.pop(self, None)
            open_.discard(self)
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None

    return Timed


def settings(most: int, *, websockets: bool = False) -> dict[str, Any]:
    """What uvicorn is configured with."""
    return {
        "http": protocol(most),
        "ws": "auto" if websockets else "none",
        "backlog": BACKLOG,
        "timeout_keep_alive": 5,
        "h11_max_incomplete_event_size": _LONGEST_HEAD,
    }
