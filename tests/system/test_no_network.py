"""No network, proved from outside the process: in an empty network namespace, and under strace.

The tripwire of test_offline.py sees what Python does; these see what any library does, in whatever
language. An attempt counts as a failure, also one that could never have succeeded.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import colours
from tests.support.paths import ROOT
from visdiff_local.models.pool import BUNDLED, find_weights
from visdiff_local.models.specs import load_registry

_ADDRESS = re.compile(r'sa_family=(AF_INET6?), .*?inet_(?:addr|pton)\((?:AF_INET6, )?"([^"]+)"')
_CALL = re.compile(r"\b(connect|sendto|sendmsg|sendmmsg)\(")


def outside(trace: str) -> list[str]:
    """The lines of a trace in which something is sent, or connected to, beyond this machine."""
    found = []
    for line in trace.splitlines():
        address = _ADDRESS.search(line)
        if _CALL.search(line) and address is not None:
            host = address[2].removeprefix("::ffff:")
            if not host.startswith("127.") and host != "::1":
                found.append(line)
    return found


def namespaces_are_permitted() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    return tried.returncode == 0


def strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-f", "true"], capture_output=True, check=False)
    return tried.returncode == 0


in_namespace = pytest.mark.skipif(
    not namespaces_are_permitted(), reason="user namespaces are not permitted here (unshare -rn)"
)
traced = pytest.mark.skipif(not strace_works(), reason="strace is not installed, or may not trace")


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The demo with the bundled models; while they are not there, a run on models of colours."""
    known = load_registry().profile("nano")
    models = {known.captioner, known.vlm, known.llm, known.embedder}
    if all(find_weights(load_registry().model(name), BUNDLED) for name in models):
        return [sys.executable, "-m", "visdiff_local", "demo", "--out", str(tmp_path / "run")]
    colours.draw(tmp_path / "a", ["red"] * 30, seed=1)
    colours.draw(tmp_path / "b", ["blue"] * 30, seed=2)
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r});"
        "from visdiff_local.models import registry;"
        f"registry.BACKENDS['fake'] = {colours.__name__!r};"
        "from visdiff_local.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    sets = [str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "run")]
    options = ["--profile", "colours", "--models", str(tmp_path / "models.toml")]
    return [sys.executable, "-c", code, "run", *sets, *options]


def complete(words: list[str], tmp_path: Path) -> None:
    """Runs it with an empty store, and insists that it found something."""
    environment = {
        **os.environ,
        "VISDIFF_STORE": str(tmp_path / "store"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=1500, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "run" / "run.json").read_text())
    assert found["summary"]["conclusion"] == "differences found"
    assert (tmp_path / "run" / "report.html").stat().st_size > 0


@in_namespace
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_everything_works_without_a_network(program: list[str], tmp_path: Path) -> None:
    """Not even loopback is up in there."""
    complete(["unshare", "-rn", *program], tmp_path)


@traced
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_tries_to_reach_beyond_this_machine(program: list[str], tmp_path: Path) -> None:
    log = tmp_path / "trace"
    complete(["strace", "-f", "-e", "trace=network", "-o", str(log), *program], tmp_path)
    assert outside(log.read_text(errors="replace")) == []


@traced
def test_the_trace_would_show_an_attempt(tmp_path: Path) -> None:
    """Of C code, of an unreachable address, of UDP, of IPv6: each is seen."""
    code = (
        "import socket\n"
        "for family, address in ((socket.AF_INET, '192.0.2.1'), (socket.AF_INET6, '2001:db8::1'),"
        " (socket.AF_INET, '127.0.0.1')):\n"
        "    with socket.socket(family, socket.SOCK_DGRAM) as s:\n"
        "        try: s.connect((address, 53))\n"
        "        except OSError: pass\n"
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
        "    try: s.sendto(b'x', ('198.51.100.1', 9))\n"
        "    except OSError: pass\n"
    )
    log = tmp_path / "trace"
    words = ["strace", "-f", "-e", "trace=network", "-o", str(log), sys.executable, "-c", code]
    subprocess.run(words, check=True, timeout=60)
    seen = "\n".join(outside(log.read_text()))
    for address in ("192.0.2.1", "2001:db8::1", "198.51.100.1"):
        assert address in seen
    assert "127.0.0.1" not in seen


def test_what_stays_on_this_machine_is_left_alone() -> None:
    trace = """
7 connect(3, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT
7 connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
7 sendto(3, [{nlmsg_len=20}], 20, 0, {sa_family=AF_NETLINK, nl_pid=0}, 12) = 20
7 bind(3, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("0.0.0.0")}, 16) = 0
"""
    assert outside(trace) == []
    there = '9 connect(4, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("8.8.8.8")}'
    assert outside(there) == [there]
