"""Processes: started in one place, and nothing of the working folder is run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import visdiff_local

PACKAGE = Path(visdiff_local.__file__).parent


def _trap(folder: Path) -> Path:
    sprung = folder / "sprung"
    for name in ("torch", "faiss", "llama_cpp", "bitsandbytes", "json", "transformers", "numpy"):
        (folder / f"{name}.py").write_text(f"open({str(sprung)!r}, 'a').write('{name} ')\n")
    for name in ("nvidia-smi",):
        (folder / name).write_text(f"#!/bin/sh\necho {name} >> {sprung}\n")
        (folder / name).chmod(0o755)
    return sprung


@pytest.mark.parametrize("words", [["-m", "visdiff_local", "doctor"], ["-m", "visdiff_local"]])
def test_nothing_of_the_working_folder_is_run(words: list[str], tmp_path: Path) -> None:
    sprung = _trap(tmp_path)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}",
        "PATH": f".{os.pathsep}{os.environ['PATH']}",
    }
    environment.pop("PYTHONSAFEPATH", None)
    # "" in PYTHONPATH is the user's own wish for the first process, and not for its children.
    environment["PYTHONPATH"] = str(PACKAGE.parent)
    subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert not sprung.exists(), sprung.read_text()


def test_children_search_absolute_places_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from visdiff_local.system import processes

    sprung = _trap(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", "relative"]))
    monkeypatch.setenv("PATH", os.pathsep.join([".", "", os.environ["PATH"]]))
    done = processes.run_python("import json, sys; print(sys.path)", timeout=60)
    assert done.returncode == 0, done.stderr
    assert "''" not in done.stdout
    with pytest.raises(FileNotFoundError):
        processes.run_program(["no-such-program"], timeout=5)
    assert not sprung.exists()


def test_processes_are_started_in_one_place() -> None:
    import ast

    starting = (
        "subprocess.run",
        "subprocess.Popen",
        "os.system",
        "os.popen",
        "os.execv",
        "os.fork",
    )
    found: Callable[[Path], list[str]] = lambda path: [  # noqa: E731
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in starting
    ]
    own = PACKAGE / "system" / "processes.py"
    assert [place for path in PACKAGE.rglob("*.py") if path != own for place in found(path)] == []
