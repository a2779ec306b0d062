"""Other programs, started so that the folder one happens to be in has no say in them.

A file called ``torch.py`` beside the images must not be what a child process imports, nor an
``nvidia-smi`` there what it runs: children import from no working folder, are looked for in
absolute places alone, and start in a folder of the system unless they are given paths of this one.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from visdiff_local.system import offline

_ELSEWHERE = Path(sys.prefix)
_SEARCHED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")


def run_python(
    code: str, *arguments: str, timeout: float, limits: Mapping[int, int] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Python code in a process of its own, offline, with its output.

    Args:
        limits: of the process, as :mod:`resource` names them.

    Raises:
        subprocess.TimeoutExpired: it did not end in time, and was killed.
    """
    words = [sys.executable, "-P", "-c", code, *arguments]
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=timeout,
        check=False,
        cwd=_ELSEWHERE,
        env={**_environment(), **offline.SWITCHES, "PYTHONSAFEPATH": "1"},
        stdin=subprocess.DEVNULL,
        preexec_fn=None if limits is None else lambda: _limit(limits),
    )


def piped_python(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """A module of ours in a process of its own, offline, that is written to and read from.

    It stays in this folder, for its paths may be relative; it imports nothing of it.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        env={**_environment(), **offline.SWITCHES, "PYTHONSAFEPATH": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def run_program(words: Sequence[str], *, timeout: float) -> "subprocess.CompletedProcess[str]":
    """A program of the system.

    Raises:
        FileNotFoundError: it is in none of the absolute folders of ``PATH``.
        subprocess.SubprocessError: it failed, or did not end in time.
    """
    environment = _environment()
    found = shutil.which(words[0], path=environment.get("PATH", os.defpath))
    if found is None:
        raise FileNotFoundError(words[0])
    return subprocess.run(
        [found, *words[1:]],
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=True,
        timeout=timeout,
        cwd=_ELSEWHERE,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def _environment() -> dict[str, str]:
    """Ours, without places to search that are relative: they mean another folder every time."""
    environment = dict(os.environ)
    for name in _SEARCHED:
        if name in environment:
            places = environment[name].split(os.pathsep)
            environment[name] = os.pathsep.join(p for p in places if Path(p).is_absolute())
    return environment


def _limit(limits: Mapping[int, int]) -> None:
    import resource

    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (lower, hard))
