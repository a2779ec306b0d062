"""The manual: printed from the package, and true of the program it comes with."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import visdiff_local
from visdiff_local.cli import docs
from visdiff_local.cli.main import cli, main

PACKAGE = Path(visdiff_local.__file__).parent
ROOT = PACKAGE.parent
PAGES = docs.topics()
TEXTS = {topic: page.read_text(encoding="utf-8") for topic, page in PAGES.items()}


def test_without_a_topic_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs"]) == 0
    assert capsys.readouterr().out == (
        "  architecture  the rooms, how data flows, where to add\n"
        "  changelog     what a user notices\n"
        "  compare       many sets of one table, one report, one false-discovery rate\n"
        "  glossary      one word for one thing\n"
        "  inputs        images as people have them\n"
        "  results       what was measured with the bundled models\n"
        "  scale         what many images cost, and where it breaks\n"
        "  security      what is promised, and what is not\n"
        "  statistics    what the numbers promise, and what they do not\n"
        "  working       with a result, as a table, an export, a page, in Python\n"
        "\n"
        "Read one with: visdiff-local docs TOPIC\n"
    )


@pytest.mark.parametrize("topic", PAGES)
def test_a_topic_is_printed_as_it_is_written_where_stdout_is_no_terminal(
    topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["docs", topic]) == 0
    assert capsys.readouterr().out == TEXTS[topic]


def test_on_a_terminal_it_is_set_in_type(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["docs", "glossary"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b[1m" in shown
    assert "| term |" not in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, plain.splitlines())) <= 80
    assert "Glossary: one word for one thing" in plain


def test_an_unknown_topic_is_told_its_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", "statistic"]) == 2
    said = capsys.readouterr().err
    assert "unknown topic 'statistic'; did you mean 'statistics'? Choices: architecture," in said
    assert main(["docs", "xyz"]) == 2
    assert "unknown topic 'xyz'. Choices: architecture," in capsys.readouterr().err


def test_it_survives_a_stdout_that_knows_ascii_only(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "visdiff_local", "docs", "statistics"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert len(done.stdout) > 10_000


# --- true of the program ----------------------------------------------------------------------


@pytest.mark.parametrize("topic", PAGES)
def test_a_page_opens_with_its_topic_and_fits_a_terminal(topic: str) -> None:
    assert TEXTS[topic].startswith(f"# {topic.capitalize()}: ")
    prose = [line for line in TEXTS[topic].splitlines() if not line.startswith("|")]
    assert [line for line in prose if len(line) > 110] == []


@pytest.mark.parametrize("topic", PAGES)
def test_commands_that_a_page_names_exist(topic: str) -> None:
    """By their first words: ``visdiff-local models fetch``, ``visdiff-local docs TOPIC``."""
    for words in re.findall(r"visdiff-local((?: [a-z][a-z-]*)+)", TEXTS[topic]):
        command: click.Command = cli
        for word in shlex.split(words):
            if not isinstance(command, click.Group):
                break
            found = command.get_command(click.Context(cli), word)
            assert found is not None, f"visdiff-local{words}"
            command = found


@pytest.mark.parametrize("topic", PAGES)
def test_topics_that_a_page_names_exist(topic: str) -> None:
    assert set(re.findall(r"visdiff-local docs ([a-z]+)", TEXTS[topic])) <= set(PAGES)


@pytest.mark.parametrize("topic", PAGES)
def test_files_that_a_page_names_exist(topic: str) -> None:
    named = set(re.findall(r"\b(?:scripts|visdiff_local|tests)/[\w./]*[\w/]", TEXTS[topic]))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_identifiers_of_the_glossary_are_in_the_code() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    names = {path.stem for path in PACKAGE.rglob("*")} | set(re.findall(r"\w+", code))
    rows = re.findall(
        r"^\| [^|]+ \| `([^`|]+)` \| [^|]+ \|[^|]*\|$", TEXTS["glossary"], re.MULTILINE
    )
    assert len(rows) > 50
    assert [name for name in rows if name not in names] == []


def test_p_is_never_called_the_chance_that_nothing_differs() -> None:
    for topic in ("statistics", "results", "changelog", "architecture"):
        text = " ".join(TEXTS[topic].split())
        for wrong in re.finditer(r"(chance|probability) that nothing differs", text):
            assert "no longer called the" in text[: wrong.start()][-30:]
