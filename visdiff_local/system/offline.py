"""Nothing leaves this machine: library switches set before any import, and a tripwire on sockets.

The tripwire is an audit hook: it sees every connection and name look-up made from Python, not those
of sockets opened in C or Rust. It names a defect early; the proof is a run in an empty network
namespace. An audit hook cannot be removed, so it is installed once and switched on and off.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from visdiff_local.errors import NetworkAttemptError

SWITCHES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "USE_HUB_KERNELS": "NO",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "WANDB_MODE": "disabled",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Read by the libraries when they are imported, hence set before."""

_CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_LOOKING_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


class _Tripwire:
    """The state behind the one audit hook of this process."""

    installed = False
    armed = False


def enforce() -> None:
    """Sets the switches and arms the tripwire for the rest of the process."""
    os.environ.update(SWITCHES)
    _install()
    _Tripwire.armed = True


@contextmanager
def enforced() -> Iterator[None]:
    """The same for a block: a notebook that calls us keeps its own network afterwards.

    The switches stay set: the libraries have read them by then anyway.
    """
    before = _Tripwire.armed
    enforce()
    try:
        yield
    finally:
        _Tripwire.armed = before


@contextmanager
def lifted() -> Iterator[None]:
    """For ``models fetch`` alone, the one command that is meant to reach the outside."""
    before = _Tripwire.armed
    _Tripwire.armed = False
    kept = {name: os.environ.pop(name) for name in SWITCHES if name in os.environ}
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        yield
    finally:
        os.environ.update(kept)
        _Tripwire.armed = before


@contextmanager
def beyond_this_machine() -> Iterator[None]:
    """For a cluster whose address the user typed: the tripwire is off, the libraries' own switches
    stay as they are."""
    before = _Tripwire.armed
    os.environ.update(SWITCHES)
    _Tripwire.armed = False
    try:
        yield
    finally:
        _Tripwire.armed = before


def is_local(address: object) -> bool:
    """Whether a socket address or a host name stays on this machine (loopback, UNIX socket)."""
    if isinstance(address, tuple):
        address = address[0] if address else None
    if isinstance(address, bytes):
        address = address.decode("ascii", "replace")
    if address is None:
        return True
    if not isinstance(address, str):
        return False
    host = address.strip("[]").lower()
    return host in ("localhost", "::1", "") or _is_loopback_v4(host) or host.startswith(("/", "\0"))


def _is_loopback_v4(host: str) -> bool:
    parts = host.removeprefix("::ffff:").split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() for part in parts)


def _install() -> None:
    if not _Tripwire.installed:
        sys.addaudithook(_hook)
        _Tripwire.installed = True


def _hook(event: str, args: tuple[object, ...]) -> None:
    if not _Tripwire.armed or not event.startswith("socket."):
        return
    if event in _CONNECTING:
        address = args[1]
        # A UNIX socket's address is a path, not a (host, port); a connected one sends to None.
        outside = isinstance(address, tuple) and not is_local(address)
    elif event in _LOOKING_UP:
        address = args[0]
        outside = not is_local(address)
    else:
        return
    if outside:
        raise NetworkAttemptError(
            f"{_caller()} tried to reach {address!r} ({event}); it was refused, "
            "because nothing may leave this machine. Please report this as a defect"
        )


def _caller() -> str:
    """The nearest frame outside the standard library's network modules: ``module (file:line)``."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        module = str(frame.f_globals.get("__name__", "?"))
        if module.split(".")[0] not in ("socket", "ssl", "http", "urllib", "asyncio", __name__):
            break
        frame = frame.f_back
    module = str(frame.f_globals.get("__name__", "?"))
    return f"{module} ({frame.f_code.co_filename}:{frame.f_lineno})"
