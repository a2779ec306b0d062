"""A result on narrow terminals, how progress is told, what the shell completes."""

import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support import view_run
from visdiff_local.cli import run as commands
from visdiff_local.cli import tables
from visdiff_local.cli.main import cli
from visdiff_local.images import ImageSet
from visdiff_local.measure.compare import warnings
from visdiff_local.measure.duplicates import DuplicateReport
from visdiff_local.measure.overlays import Overlay
from visdiff_local.models.specs import load_registry
from visdiff_local.protocols import ROLES
from visdiff_local.results import serialize
from visdiff_local.session import DEMO, configured, image_sets
from visdiff_local.system import progress, terminal
from visdiff_local.types import RunResult


@pytest.fixture
def result(tmp_path: Path) -> RunResult:
    loaded = serialize.load(view_run.write(tmp_path / "run", tmp_path / "store"))
    first = loaded.differences[0]
    long = replace(first.hypothesis, text="a very tall hat worn by an animal of any kind at sunset")
    return replace(loaded, differences=(replace(first, hypothesis=long), *loaded.differences[1:]))


@pytest.mark.parametrize("width", [40, 60, 75, 76, 100])
def test_the_verdict_is_there_at_any_width(
    result: RunResult, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    tables.show(result, None)
    lines = shown.getvalue().splitlines()
    for verdict in ("confirmed", "rejected"):
        assert any(verdict in line for line in lines), verdict
    assert any("0.93" in line for line in lines)
    assert any("0.88" in line for line in lines) or width == 40
    text = "".join(shown.getvalue().split())
    assert "tall" in text


@pytest.mark.parametrize(
    ("done", "spent", "says"),
    [
        (0, 3.0, ""),
        (1, 20.0, "20.0 s each"),
        (3, 6.0, "0.5/s"),
        (240, 2.0, "120/s"),
        (6040, 2.0, "3,020/s"),
    ],
)
def test_a_rate_is_never_nought(done: int, spent: float, says: str) -> None:
    assert progress.speed(done, spent) == says


def test_bars_show_the_time_taken_and_a_rate_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown(quiet=False) as bars:
        bars.start("caption", 2)
        bars.advance(1)
        bars.advance(1, stored=0)
        bars.finish()
    last = screen.getvalue()
    assert "2/2" in last
    assert "/s" in last
    assert "0:00:00" in last  # the time taken, where the time left was
    assert "-:--:--" not in last.splitlines()[-1]


def test_a_bar_is_whole_on_a_narrow_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown(quiet=False) as bars:
        bars.start("rank", 40_162)
        bars.advance(1, stored=40_161)
        bars.finish()
    last = next(line for line in reversed(screen.getvalue().splitlines()) if "rank" in line)
    assert "40162/40162" in last
    assert "0:00:00" in last
    assert "/s" in last
    assert "…" not in last


@pytest.mark.parametrize("width", ["60", "80", "200"])
def test_names_of_models_are_whole_at_any_width(
    width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", width)
    listed = CliRunner().invoke(cli, ["models", "list"]).output.partition("Models")[2]
    for name in load_registry().models:
        assert name in listed.split() or f"\x1b[0m{name}" in listed, name
    for told in ("llama_cpp", "commercial", "bundled"):
        assert told in listed


@pytest.mark.parametrize("width", ["60", "80", "119", "120"])
@pytest.mark.parametrize("card", ["4", "24"])
def test_names_in_a_plan_are_whole_at_any_width(
    width: str, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", width)
    registry = load_registry()
    for profile in registry.profiles.values():
        planned = CliRunner().invoke(cli, ["models", "plan", profile.name, "--gpu-gib", card])
        table = re.sub(r"\x1b\[[0-9;]*m", "", planned.output.partition("weights and working")[0])
        assert max(map(len, table.splitlines())) <= int(width)
        for role in ROLES:
            assert profile.model_of(role) in table.split(), (profile.name, table)
        for header in ("batch", "stage"):
            assert header in table.split()


def test_one_sunset_is_one_warning() -> None:
    def overlay(place: str, p: float) -> Overlay:
        return Overlay(place, (0, 0, 1, 1), 0.6, 0.1, p)

    many = [overlay(f"in the middle {n}", 0.001) for n in range(7)] + [overlay("nowhere", 0.9)]
    said = warnings((), DuplicateReport((), (), ()), many, alpha=0.05)
    assert len(said) == 1
    assert "in the middle 0 in 60% of A and 10% of B, and in 6 places more" in said[0]
    assert len(warnings((), DuplicateReport((), (), ()), many[:1], alpha=0.05)) == 1


def test_sets_are_called_as_asked() -> None:
    config = configured(
        a=str(DEMO / "a"), b=str(DEMO / "b"), profile="nano", name_a="  with  hats ", name_b=None
    )
    a, b = image_sets(config)
    assert (a.name, b.name) == ("with hats", "b")
    assert isinstance(a, ImageSet)


@pytest.mark.parametrize("name", ["", " ", "x" * 201])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    done = CliRunner().invoke(cli, ["run", str(DEMO / "a"), str(DEMO / "b"), "--name-a", name])
    assert done.exception is not None
    assert "--name-a: a name has 1 to 200 characters" in str(done.exception)


def test_open_shows_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda link: opened.append(link) or len(opened) < 2)
    commands._open_report(tmp_path)
    assert opened == [(tmp_path / "report.html").as_uri()]
    noted: list[str] = []
    monkeypatch.setattr(terminal, "note", noted.append)
    commands._open_report(tmp_path)
    commands._open_report(None)
    assert [note.partition(";")[0] for note in noted] == [
        "--open: no browser could be started",
        "--open: there is no report without a run folder",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_their_completion(shell: str) -> None:
    done = completed({"_VISDIFF_LOCAL_COMPLETE": f"{shell}_source"})
    assert "_VISDIFF_LOCAL_COMPLETE" in done
    assert "visdiff-local" in done


def test_the_shell_completes_commands_options_and_files() -> None:
    def offered(words: str, place: int) -> str:
        given = {"COMP_WORDS": words, "COMP_CWORD": str(place)}
        return completed({"_VISDIFF_LOCAL_COMPLETE": "bash_complete", **given})

    assert offered("visdiff-local ex", 1).split() == ["plain,export"]
    assert "plain,--proposer" in offered("visdiff-local run --pro", 2).split()
    assert offered("visdiff-local view ru", 2).strip() == "file,ru"
    assert offered("visdiff-local run pho", 2).strip() == "file,pho"


def completed(environment: dict[str, str]) -> str:
    code = "import sys; from visdiff_local.cli.main import main; sys.exit(main([]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout
