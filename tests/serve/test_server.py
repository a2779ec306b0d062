"""The queue, and the command that serves."""

import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.support.echo import TOML
from tests.support.paths import ROOT
from visdiff_local.serve.scheduler import BusyError, Scheduler


def test_jobs_of_other_kinds_are_not_mixed_and_closing_finishes_what_waits() -> None:
    scheduler = Scheduler(window=0.05)
    seen: list[tuple[str, list[int]]] = []

    def run_as(name: str) -> Any:
        def run(items: list[int]) -> list[int]:
            seen.append((name, items))
            return [item * 10 for item in items]

        return run

    futures = [scheduler.submit("ab"[i % 2], i, run_as("ab"[i % 2])) for i in range(6)]
    scheduler.start()
    scheduler.close()
    assert [future.result(timeout=1) for future in futures] == [0, 10, 20, 30, 40, 50]
    assert sorted(seen) == [("a", [0, 2, 4]), ("b", [1, 3, 5])]
    with pytest.raises(BusyError):
        scheduler.submit("a", 1, run_as("a"))


def test_the_command_writes_a_private_token_and_ends_gracefully(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(TOML)
    token_file = tmp_path / "token"
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r});"
        "from tests.support import echo; from visdiff_local.models import registry;"
        "registry.BACKENDS['fake'] = echo.__name__; echo.Echo.slow = 1.0;"
        "from visdiff_local.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["serve", "--profile", "echo", "--models", str(tmp_path / "models.toml")]
    words += ["--port", "0", "--token-file", str(token_file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert first.startswith("listening on http://127.0.0.1:"), first
        url = first.split()[-1]
        told = process.stderr.readline()
        token = token_file.read_text().strip()
        assert token in told
        assert len(token) >= 32
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        client = openai.OpenAI(base_url=url, api_key=token, max_retries=3)
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(client.completions.create, model="llm", prompt="last words")
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            assert waiting.result(timeout=30).choices[0].text.startswith("last words|")
        rest = process.stderr.read()
        assert process.wait(timeout=30) == 0, rest
        assert token not in rest
    assert not token_file.exists()


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    import socket

    from visdiff_local.errors import UsageError
    from visdiff_local.serve.server import _listening

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="--port"), _listening(taken.getsockname()[1]):
            pass
