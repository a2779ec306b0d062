"""The tripwire: attempts beyond this machine are refused and named, loopback is left alone."""

import socket
import subprocess
import sys

import pytest

from visdiff_local.errors import NetworkAttemptError
from visdiff_local.system import offline


@pytest.mark.parametrize(
    "address",
    [
        *(("127.0.0.1", 80), ("127.8.8.8", 1), ("::1", 80, 0, 0), ("::ffff:127.0.0.1", 80, 0, 0)),
        *("localhost", b"localhost", "[::1]", None),
    ],
)
def test_this_machine_is_local(address: object) -> None:
    assert offline.is_local(address)


@pytest.mark.parametrize(
    "address",
    [
        *(("192.0.2.1", 443), ("2001:db8::1", 443, 0, 0), ("0.0.0.0", 80)),
        *("example.org", "127.example.org", "128.0.0.1", "localhost.example.org"),
    ],
)
def test_everything_else_is_not(address: object) -> None:
    assert not offline.is_local(address)


def test_a_connection_outside_is_refused_and_its_caller_named() -> None:
    refused = pytest.raises(NetworkAttemptError, match=r"test_offline.*192\.0\.2\.1")
    with offline.enforced(), socket.socket() as connection, refused:
        connection.connect(("192.0.2.1", 443))


def test_a_name_look_up_is_an_attempt_too() -> None:
    with offline.enforced(), pytest.raises(NetworkAttemptError, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)


def test_loopback_and_unix_sockets_work(tmp_path: object) -> None:
    with offline.enforced():
        with socket.socket() as server, socket.socket() as client:
            server.bind(("127.0.0.1", 0))
            server.listen()
            client.connect(server.getsockname())
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(FileNotFoundError):
            client.connect(f"{tmp_path}/no-such-socket")


def test_it_is_over_after_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline._Tripwire, "armed", False)  # another test may have run a command
    numeric = ("192.0.2.1", 443, 0, 0, 0, socket.AI_NUMERICHOST)  # asks no name server
    with offline.enforced(), pytest.raises(NetworkAttemptError):
        socket.getaddrinfo(*numeric)
    assert socket.getaddrinfo(*numeric)


def test_libraries_are_told_before_they_are_imported() -> None:
    code = (
        "from visdiff_local.system import offline; offline.enforce();"
        "import huggingface_hub.constants as c; assert c.HF_HUB_OFFLINE and "
        "c.HF_HUB_DISABLE_TELEMETRY"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
