"""Two command lines at the same moment, each in a process of its own that has imported all it
needs."""

import contextlib
import io
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "visdiff_local.cli.run", "visdiff_local.cli.compare", "visdiff_local.session",
        "visdiff_local.results.folder", "visdiff_local.comparisons.run", "pyarrow.parquet",
    ]
)  # fmt: skip
SECONDS = 300


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    said: str


def at_once(cwd: Path, environment: dict[str, str], *lines: Sequence[str]) -> list[Ended]:
    """Runs the command lines together, begun as nearly at the same moment as can be."""
    ready: Any = _CONTEXT.Barrier(len(lines))
    told: Any = _CONTEXT.Queue()
    processes = [
        _CONTEXT.Process(target=_run, args=(place, list(words), cwd, environment, ready, told))
        for place, words in enumerate(lines)
    ]
    for process in processes:
        process.start()
    ended = dict(told.get(timeout=SECONDS) for _ in processes)
    for process in processes:
        process.join(SECONDS)
    return [ended[place] for place in range(len(lines))]


def _run(
    place: int, words: list[str], cwd: Path, environment: dict[str, str], ready: Any, told: Any
) -> None:
    os.chdir(cwd)
    os.environ.update(environment)
    from visdiff_local.cli.main import main

    said = io.StringIO()
    if words[0] == "view":
        threading.Thread(target=_left, args=(said,), daemon=True).start()
    ready.wait(SECONDS)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(words)
    told.put((place, Ended(code, said.getvalue())))


def _left(said: io.StringIO) -> None:
    """Ends this process's page by Ctrl-C, two seconds after it was there."""
    while "Ctrl-C" not in said.getvalue():
        time.sleep(0.1)
    time.sleep(2)
    os.kill(os.getpid(), signal.SIGINT)
