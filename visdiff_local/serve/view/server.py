"""Starting the page: a port on loopback, a link with a token, an end by SIGINT or SIGTERM."""

import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from visdiff_local.errors import UsageError
from visdiff_local.models.backends.files import dependency
from visdiff_local.serve import connections

if TYPE_CHECKING:
    from visdiff_local.serve.view.asking import Asker
    from visdiff_local.serve.view.data import Gallery
    from visdiff_local.serve.view.pictures import Locate

HOST = "127.0.0.1"
PORT = 8178


def view(
    gallery: "Gallery",
    *,
    other: "Gallery | None" = None,
    asker: "Asker | None" = None,
    locate: "Locate",
    port: int = PORT,
    say: Callable[[str], None] = lambda _: None,
    opened: Callable[[str], None] = lambda _: None,
) -> None:
    """Shows the run until SIGINT or SIGTERM.

    Args:
        other: another run, to be held beside it.
        asker: scores the reader's own texts; without it none can be asked.
        locate: finds images that are no files of their own.
        port: 0 takes a free one.
        say: is told the link.
        opened: is handed the link when the page answers, to open it in a browser.

    Raises:
        UsageError: the port is taken.
        MissingDependencyError: NiceGUI is not installed.
    """
    with dependency("nicegui", "pip install 'visdiff_local[view]'"):
        import uvicorn

        from visdiff_local.serve.view.app import build
        from visdiff_local.serve.view.guard import Guard
    token = secrets.token_urlsafe(32)
    with _listening(port) as listener:
        number = listener.getsockname()[1]
        link = f"http://{HOST}:{number}/?token={token}"
        app = build(gallery, other, asker, locate=locate, ready=lambda: opened(link))
        config = uvicorn.Config(
            Guard(app, token, number),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            **connections.settings(connections.most_connections(), websockets=True),
        )
        say(f"open {link}")
        say("the link is for you alone; Ctrl-C ends the page")
        _stops_quietly(uvicorn.Server(config)).run(sockets=[listener])


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A socket on loopback, and on no other address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(connections.BACKLOG)  # so that the link answers from when it is said
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"port {port} cannot be used ({reason}); name another with --port"
            ) from error
        yield listener


def _stops_quietly(server: Any) -> Any:
    """Ends at SIGINT and SIGTERM without ending the process: an asked-for end is a success."""

    @contextmanager
    def capture_signals() -> Iterator[None]:
        kept = {s: signal.signal(s, server.handle_exit) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    server.capture_signals = capture_signals
    return server
