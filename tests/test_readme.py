"""The README speaks of commands, options, files and names that exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from visdiff_local.cli.main import cli

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "visdiff_local"
BUNDLED = PACKAGE / "assets"
LIGHT = ("models list", "models plan", "doctor", "index info")
"""Commands that need no weights and take a second or two."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


COMMANDS = [
    line.removeprefix("$ ")
    for block in blocks("console")
    for line in block.splitlines()
    if line.startswith("$ ")
]
OURS = [command for command in COMMANDS if command.startswith("visdiff-local ")]


def test_it_opens_with_the_two_commands_then_the_picture() -> None:
    assert COMMANDS[:2] == ["scripts/demo", "scripts/test"]
    order = [TEXT.index(part) for part in ("scripts/demo", "scripts/test", "![", "\n## ")]
    assert order == sorted(order)
    for script in COMMANDS[:2]:
        assert os.access(ROOT / script, os.X_OK)


def test_every_command_line_is_ours_or_a_script() -> None:
    assert OURS
    assert set(COMMANDS) == {*OURS, "scripts/demo", "scripts/test"}


@pytest.mark.parametrize("command", OURS)
def test_every_command_line_is_understood(command: str) -> None:
    """Parsed with its options, and not run."""
    arguments = shlex.split(command)[1:]
    context = click.Context(cli, info_name="visdiff-local")
    named: click.Command = cli
    while isinstance(named, click.Group):
        name, found, arguments = named.resolve_command(context, arguments)
        assert found is not None
        context = found.make_context(name, list(arguments), parent=context)
        named = found
    assert context.command is named


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in OURS if c.split(" ", 1)[1].startswith(LIGHT)])
def test_the_light_commands_work(command: str, tmp_path: Path) -> None:
    run(shlex.split(command)[1:], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted({tuple(c.split()[1:2]) for c in OURS}))
def test_every_command_has_help(path: tuple[str, ...], tmp_path: Path) -> None:
    assert "Usage: visdiff-local " in run([*path, "--help"], tmp_path)


def run(arguments: list[str], folder: Path) -> str:
    environment = {**os.environ, "VISDIFF_STORE": str(folder / "store"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "visdiff_local", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(
    not ((BUNDLED / "demo" / "a").is_dir() and (BUNDLED / "nano" / "nano-clip").is_dir()),
    reason="the bundled images and models are not there",
)
def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    (snippet,) = blocks("python")
    for side in ("a", "b"):
        shutil.copytree(BUNDLED / "demo" / side, tmp_path / side)
    environment = {**os.environ, "VISDIFF_STORE": str(tmp_path / "store")}
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").exists()


def test_every_link_into_the_repository_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", TEXT)
    inside = [target for target in targets if "://" not in target]
    assert inside
    assert [target for target in inside if not (ROOT / target).exists()] == []


def test_the_map_is_the_tree() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", TEXT, re.MULTILINE)
    named = {name.rstrip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)}
    there = {
        path.name
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" or path.is_dir()) and not path.name.startswith("__")
    }
    assert named - {"visdiff_local"} == there


def test_every_script_folder_that_is_named_exists() -> None:
    named = set(re.findall(r"`?(scripts/[a-z0-9_/]+(?:\.(?:toml|py))?)", TEXT))
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "variable", ["VISDIFF_MODELS", "VISDIFF_WEIGHTS", "VISDIFF_STORE", "VISDIFF_LLAMA_SERVER_TOKEN"]
)
def test_the_variables_are_those_that_are_read(variable: str) -> None:
    assert variable in TEXT
    sources = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert any(f'"{variable}"' in source for source in sources)
