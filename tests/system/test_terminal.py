"""One way to the terminal: what files, tables and models say is shown there, never obeyed."""

import ast
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import visdiff_local
from visdiff_local.cli.main import main
from visdiff_local.errors import OutputError
from visdiff_local.system import terminal

HOSTILE = "g\x1b]0;PWNED\x07\u202e\x9b31m[red]x[/red][/]\udcff"
PACKAGE = Path(visdiff_local.__file__).parent


def obeyed(text: str) -> list[str]:
    return [c for c in text if not c.isprintable() and c != "\n"]


def test_hostile_text_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.out(HOSTILE)
    terminal.note(HOSTILE)
    said = capsys.readouterr()
    for stream in (said.out, said.err):
        assert stream == "g\\x1b]0;PWNED\\x07\\u202e\\x9b31m[red]x[/red][/]\\udcff\n"


def test_a_name_cannot_pretend_to_be_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.note("a\nvisdiff-local: all is well")
    assert capsys.readouterr().err.count("\n") == 1


@given(st.text())
def test_nothing_is_left_to_obey(text: str) -> None:
    assert not obeyed(terminal.printable(text))
    assert terminal.printable(text, lines=False).isprintable()


@given(st.text())
def test_json_stays_the_same_json(text: str) -> None:
    for encoding in ("utf-8", "ascii", "latin-1"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        kept, sys.stdout = sys.stdout, stream
        try:
            terminal.out_json({"a": text})
        finally:
            sys.stdout = kept
        written = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
        assert json.loads(written) == {"a": text}
        assert not obeyed(written)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_tables_survive_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.show(terminal.table("[b]ü …", ["[/]", "日本"], [[HOSTILE, "[bold]é"]]), width=100)
    written = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert "[red]x[/red][/]" in written
    assert "[bold]" in written
    assert "[/]" in written
    assert not obeyed(written)


def test_a_full_disk_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OutputError, match="No space left"):
            terminal.out("x")
        with pytest.raises(OutputError):
            terminal.show("x")
        monkeypatch.undo()
        terminal.give_up(full)


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["docs"], ["models", "list", "--json"], ["--version"]]
)
def test_a_full_disk_ends_a_command_with_a_message(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "visdiff_local", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert "the output cannot be written (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        [HOSTILE],
        ["run", f"--{HOSTILE}"],
        ["run", HOSTILE, HOSTILE],
        ["run", "a", "b", "--profile", HOSTILE],
        ["docs", HOSTILE],
        ["models", "plan", HOSTILE],
        ["report", HOSTILE],
        ["sweep", HOSTILE],
    ],
)
def test_arguments_are_shown_not_obeyed(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert not obeyed(said.out + said.err)
    assert "Traceback" not in said.err
    assert said.err.count("\n") == 1


def test_a_library_that_prints_is_escaped_too(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    with terminal.guarded():
        print(HOSTILE)
        sys.stderr.write(HOSTILE)
        logging.StreamHandler().emit(
            logging.LogRecord("x", logging.WARNING, "", 0, HOSTILE, None, None)
        )
    said = capsys.readouterr()
    assert not obeyed(said.out + said.err)
    assert said.err.count("PWNED") == 2


def test_an_unforeseen_error_is_said_to_be_ours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("\x1b[31m")

    monkeypatch.delenv("VISDIFF_TRACEBACK")
    monkeypatch.setattr("visdiff_local.cli.docs.topics", fail)
    assert main(["docs"]) == 2
    said = capsys.readouterr().err
    assert "a defect in this program, ZeroDivisionError in test_terminal.py:" in said
    assert not obeyed(said)
    monkeypatch.setenv("VISDIFF_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["docs"])


# ---- by construction -----------------------------------------------------------------------------

_PRINTING = {"print", "echo", "secho", "echo_via_pager", "Console", "progressbar"}


def _printers(tree: ast.AST) -> list[str]:
    """Calls that print, and uses of the streams' own methods."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            of_a_console = name == "print" and isinstance(called, ast.Attribute)
            if name in _PRINTING and not of_a_console:
                found.append(f"{name} in line {node.lineno}")
            if name in ("write", "writelines") and "sys.std" in ast.unparse(called):
                found.append(f"{ast.unparse(called)} in line {node.lineno}")
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich"):
            found += [
                f"rich's {name.name} in line {node.lineno}"
                for name in node.names
                if name.name in ("Console", "print", "inspect", "pretty", "Prompt")
            ]
    return found


def test_nothing_else_prints() -> None:
    own = PACKAGE / "system" / "terminal.py"
    found = {
        str(path.relative_to(PACKAGE)): _printers(ast.parse(path.read_text(encoding="utf-8")))
        for path in PACKAGE.rglob("*.py")
        if path != own
    }
    assert {path: calls for path, calls in found.items() if calls} == {}


def test_the_scan_can_fail() -> None:
    code = "from rich.console import Console\nprint(1)\nclick.echo(2)\nsys.stdout.write('x')"
    assert len(_printers(ast.parse(code))) == 4


def test_no_traceback_for_a_broken_pipe() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "visdiff_local", "docs", "statistics"],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 0
    assert done.stderr == b""
