"""The README speaks of commands, options, files and names that exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from visdiff_local.cli.main import cli

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "visdiff_local"
BUNDLED = PACKAGE / "assets"
LIGHT = ("models list", "models plan", "doctor", "store info")
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


NOT_OURS = ["scripts/demo", "source .venv/bin/activate"]


def test_it_opens_with_what_installs_then_shows_output_then_the_picture() -> None:
    assert COMMANDS[:3] == [*NOT_OURS, "visdiff-local doctor"]
    order = [TEXT.index(part) for part in ("## Install", *NOT_OURS, "## Use", "AUROC", "![")]
    assert order == sorted(order)


def test_what_installs_is_there_and_makes_the_command() -> None:
    for script in ("scripts/demo", "scripts/test"):
        assert script in TEXT
        assert os.access(ROOT / script, os.X_OK)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "visdiff-local" in project["scripts"]


def test_every_command_line_is_ours_or_installs() -> None:
    assert OURS
    assert set(COMMANDS) == {*OURS, *NOT_OURS}


Row = tuple[str, float, str]


def rows(output: str) -> list[Row]:
    """Text, AUROC and verdict of each difference in a table of the terminal."""
    found = re.findall(r"^ +(\S.*?) {2,}([01]\.\d\d) .* {2,}([a-z]+) *$", output, re.MULTILINE)
    return [(text, float(area), verdict) for text, area, verdict in found]


def shown(output: str) -> str:
    """What the README shows of the demo's output: all but where this machine put the report."""
    lines = [line.rstrip() for line in output.splitlines() if not line.startswith("report: ")]
    return "\n".join(lines).strip() + "\n"


@pytest.mark.slow
def test_the_output_that_it_shows_is_what_the_demo_prints(tmp_path: Path) -> None:
    """With VISDIFF_UPDATE_README set, the README is brought up to date instead."""
    (block,) = (block for block in blocks("console") if block.startswith("$ visdiff-local demo"))
    command, _, output = block.partition("\n")
    printed = shown(run(shlex.split(command)[2:], tmp_path))
    if os.environ.get("VISDIFF_UPDATE_README"):
        text = TEXT.replace(block, f"{command}\n{printed}")
        (ROOT / "README.md").write_text(text, encoding="utf-8")
        return
    stale = "run this test with VISDIFF_UPDATE_README=1"
    assert [row[::2] for row in rows(output)] == [row[::2] for row in rows(printed)], stale
    for ours, theirs in zip(rows(output), rows(printed), strict=True):
        assert abs(ours[1] - theirs[1]) <= 0.02, stale
    titles = [line for line in output.splitlines() if line.startswith(("A:", "More", "Measured"))]
    assert [line for line in titles if line not in printed.splitlines()] == [], stale


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
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500
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
    cells = re.findall(r"^\| (`[^|]+`) \|", TEXT, re.MULTILINE)
    named = {name.rstrip("/") for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    there = {
        path.name
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" or path.is_dir()) and not path.name.startswith("__")
    }
    assert named - {"visdiff_local"} == there


def test_the_places_to_add_are_there() -> None:
    table = TEXT.partition("| to add |")[2].partition("\n|---|---|\n")[2].partition("\n\n")[0]
    rooms = (".", "stats", "images/decoders", "images/sources")
    for file in re.findall(r"`([a-z_/]+(?:/|\.py))`", table):
        assert any((PACKAGE / room / file).exists() for room in rooms), file
    tables = {
        "RANKERS": "config",
        "PROPOSERS": "config",
        "BACKENDS": "models/registry",
        "FORMATS": "images/decoders/decode",
        "KINDS": "images/sources/kinds",
    }
    for name, file in tables.items():
        assert f"`{name}`" in table
        source = (PACKAGE / f"{file}.py").read_text(encoding="utf-8")
        assert re.search(rf"^{name}\b.*= ", source, re.MULTILINE), name


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
