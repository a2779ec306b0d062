"""Starting and stopping: a port on loopback, a token in a private file, a graceful end."""

import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from visdiff_local.errors import UsageError
from visdiff_local.models.backends.files import cache_folder, dependency
from visdiff_local.models.pool import ModelPool
from visdiff_local.serve import connections

HOST = "127.0.0.1"
PORT = 8177
_LAST_REQUESTS = 60
"""Seconds that requests in flight have when the server is told to stop."""


def serve(
    pool: ModelPool,
    *,
    port: int = PORT,
    token_file: Path | None = None,
    seconds: float | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Answers until SIGINT or SIGTERM, then finishes what was asked and closes the models.

    Args:
        port: 0 takes a free one.
        token_file: where the token is written, for the user alone; removed at the end.
        seconds: that a request may take, waiting included; afterwards it is an error, and what was
            computed for it is not gone on with.

    Raises:
        WeightsError: a model of the profile has no weights.
        UsageError: the port is taken.
        MissingDependencyError: starlette or uvicorn is not installed.
    """
    with dependency("starlette and uvicorn", "pip install 'visdiff_local[serve]'"):
        import uvicorn

        from visdiff_local.serve.app import build
        from visdiff_local.serve.models import Models
        from visdiff_local.serve.scheduler import SECONDS, Scheduler
    scheduler = Scheduler(seconds=seconds or SECONDS)
    models = Models(pool, scheduler)
    token = secrets.token_urlsafe(32)
    with (
        pool,
        _listening(port) as listener,
        _written(token, token_file, listener.getsockname()[1]) as file,
    ):
        app = build(models, scheduler, token)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # a log of requests would be a log of what was asked
            server_header=False,
            timeout_graceful_shutdown=_LAST_REQUESTS,
            **connections.settings(connections.most_connections()),
        )
        say(f"listening on http://{HOST}:{listener.getsockname()[1]}/v1")
        say(f"token: {token} (also in {file}, for you alone, until the server ends)")
        say(f"models: {', '.join(models.roles)}")
        _stops_quietly(uvicorn.Server(config)).run(sockets=[listener])


def _stops_quietly(server: Any) -> Any:
    """The server, which ends at SIGINT and SIGTERM without ending the process: a requested stop is
    a success. uvicorn's own way is to raise the signal again afterwards."""

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


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A socket on loopback, and on no other address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(connections.BACKLOG)  # so that the address answers once it is said
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used ({error.strerror}); name another with --port"
            ) from error
        yield listener


@contextmanager
def _written(token: str, wanted: Path | None, port: int) -> Iterator[Path]:
    """The token in a new file that nobody else may read; removed afterwards where it is ours yet.

    Unless a file is named it is called by the port, which this process has: one of that name was
    left by a server that was killed. A file that the user names is never replaced.
    """
    try:
        path = wanted or cache_folder() / f"serve-{port}.token"
        if wanted is None:
            path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise UsageError(
            f"{wanted} is there already and is left as it is; remove it, or name another with "
            "--token-file"
        ) from error
    except OSError as error:
        raise UsageError(
            f"{error.filename or wanted} cannot be written ({error.strerror}); name a file for the "
            "token with --token-file"
        ) from error
    with os.fdopen(handle, "w") as stream:
        stream.write(token + "\n")
    try:
        yield path
    finally:
        with suppress(OSError, UnicodeDecodeError):
            if not path.is_symlink() and path.read_text(encoding="ascii") == token + "\n":
                path.unlink()
