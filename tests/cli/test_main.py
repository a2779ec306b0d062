"""The command line: quick help, exit codes, messages without tracebacks."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local import errors
from visdiff_local.cli.main import COMMANDS, main
from visdiff_local.models import registry


@pytest.fixture(autouse=True)
def _colours_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "store"))
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    monkeypatch.setenv("VISDIFF_MODELS", str(tmp_path / "models.toml"))
    monkeypatch.chdir(tmp_path)
    Colours.reset()


def sets(n: int = 6) -> None:
    draw(Path("a"), ["red"] * n, seed=1)
    draw(Path("b"), ["blue"] * n, seed=2)


def says(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """What goes to stderr; the command must end with ``code`` and without a traceback."""
    assert main(arguments) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def cpu_seconds(*code: str) -> float:
    """CPU time of a Python process, the best of three: other processes disturb."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *code], check=True, capture_output=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def test_help_is_quick() -> None:
    assert cpu_seconds("-m", "visdiff_local", "--help") < 0.5


@pytest.mark.parametrize("module", ["visdiff_local", "visdiff_local.cli.main"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    heavy = "{'torch', 'transformers', 'scipy', 'faiss', 'llama_cpp', 'open_clip', 'numpy'}"
    code = f"import sys, {module}; assert not {heavy} & set(sys.modules), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_run_imports_no_scipy_until_something_asks_for_it() -> None:
    heavy = "{'torch', 'transformers', 'scipy', 'faiss', 'llama_cpp', 'open_clip', 'pandas'}"
    code = f"import sys, visdiff_local.session; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "Usage: visdiff-local" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["bench", "models", "store"])
@pytest.mark.parametrize("columns", ["60", "80"])
def test_a_list_of_commands_says_each_to_its_end(
    name: str, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main([name, "--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert listed.rstrip().endswith(".")
    assert "..." not in listed
    assert max(map(len, listed.splitlines())) <= int(columns)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "a", "b", "--profile", "gpt"], "no profile is called 'gpt'; choose one of"),
        (["run", "a", "b", "--alpha", "7"], "--alpha: input should be less than 1 (it is 7"),
        (["run", "a", "b", "--colour", "7"], "No such option"),
        (["run", "a", "nowhere"], "nowhere: there is no such folder"),
        (["run", "a"], "only one place is given"),
        (["run", "a", "b", "c"], "3 places are given"),
        (["run", "a", "b", "--ranker", "best"], "unknown ranker 'best'; choices: clip"),
        (["run", "a", "b", "--ranker", "clpi"], "'clpi'; did you mean 'clip'? Choices: clip, vqa"),
        (["run", "a", "b", "--proposer", "captoin"], "did you mean 'caption'? Choices: caption"),
        (["run", "a", "b", "--ranker", "clpi"], 'an ensemble such as "clip+vqa"\n'),
        (["rnu", "a", "b"], "no command is called 'rnu'; did you mean 'run'?"),
        (["run", "a", "b", "--models", "no.toml"], "there is no such models file"),
        (["run", "a", "b", "--llm", "gpt"], "no model is called 'gpt'"),
        (["run", "a", "b", "--llm", "eye", "--proposer", "feature", "--captioner", "none"], "none"),
        (["run", "t.csv", "--a", "x"], "--a and --b are given together"),
        (["run", "t.csv", "--a", "x", "--b", "y"], "there is no such table"),
        (["test", "a", "b"], "no hypothesis is given"),
        (["report", "nowhere"], "cannot be read"),
        (["frobnicate"], "no command is called"),
    ],
)
def test_bad_usage_says_what_is_wrong(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sets()
    assert expected in says(capsys, *arguments)


def test_all_problems_of_a_command_are_reported_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = says(capsys, "run", "a", "b", "--alpha", "7", "--rounds", "0", "--stats", "x")
    assert all(option in said for option in ("--alpha", "--rounds", "--stats"))


def test_a_table_without_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text("file,label\nx.png,dogs\n")
    said = says(capsys, "run", "t.csv", "--a", "dogs", "--b", "cats")
    assert "group_name" in said
    assert "file" in said


def test_an_empty_folder(capsys: pytest.CaptureFixture[str]) -> None:
    sets()
    Path("empty").mkdir()
    assert "no image is there" in says(capsys, "run", "a", "empty")


def test_ugly_files_are_listed_and_do_not_stop_the_run() -> None:
    sets(8)
    picture = np.full((40, 40, 3), (200, 40, 40), np.uint8)
    sound = Path("a/000.png").read_bytes()
    Path("a/zero.png").touch()
    Path("a/cut.png").write_bytes(sound[: len(sound) // 2])
    Path("a/text.jpg").write_text("this is no image")
    Path("a/notes.txt").write_text("nor is this")
    Path("a/link.png").symlink_to("nowhere.png")
    Path(os.fsdecode(b"a/caf\xe9.png")).write_bytes(sound + b"\0")
    Image.fromarray(picture).convert("CMYK").save("a/cmyk.jpg")
    Image.fromarray(np.full((40, 40), 40_000, np.uint16)).save("a/deep.png")
    first, second = Image.fromarray(picture), Image.fromarray(picture // 2)
    first.save("a/moving.gif", save_all=True, append_images=[second])
    assert main(["run", "a", "b", "--profile", "colours", "--out", "out", "--quiet"]) == 0
    side = json.loads(Path("out/run.json").read_text())["sets"]["a"]
    skipped = {Path(item["path"]).name: item["reason"] for item in side["skipped"]}
    assert set(skipped) == {"zero.png", "cut.png", "text.jpg", "link.png"}
    assert all(skipped.values())
    assert side["n"] == 12


def test_a_decompression_bomb_is_refused() -> None:
    sets()
    Image.new("1", (30_000, 30_000)).save("a/bomb.png")
    assert main(["run", "a", "b", "--profile", "colours", "--out", "out", "--quiet"]) == 0
    side = json.loads(Path("out/run.json").read_text())["sets"]["a"]
    assert [Path(item["path"]).name for item in side["skipped"]] == ["bomb.png"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.WeightsError("no weights; type this"), 3),
        (errors.SelfTestError("a lost image"), 3),
        (errors.OutOfMemoryError("even on the CPU"), 4),
        (MemoryError(), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    sets()
    Colours.fails = error
    said = says(capsys, "run", "a", "b", "--profile", "colours", "--quiet", code=code)
    assert said.strip().startswith("visdiff-local: ")


def test_missing_weights_say_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    sets()
    Path("models.toml").write_text(
        colours.MODELS_TOML.replace(
            '[models.scribe]\nbackend = "fake"',
            "[models.scribe]\n"
            'backend = "llama_cpp"\nrepo = "some/where"\nfiles = { "scribe.gguf" = "" }',
        )
    )
    said = says(capsys, "run", "a", "b", "--profile", "colours", "--quiet", code=3)
    assert "the weights of scribe are missing" in said
    assert "--weights" in said
    assert "visdiff-local models fetch" in said


def test_json_prints_run_json_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    sets()
    assert main(["run", "a", "b", "--profile", "colours", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["schema_version"] == 2
    assert captured.err == ""
    assert not Path("runs").exists()


def test_the_result_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sets(24)
    monkeypatch.setattr("visdiff_local.cli.tables.PIPE_WIDTH", 80)
    assert main(["run", "a", "b", "--profile", "colours", "--out", "out", "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "Differences found" in said
    assert "a red square" in said
    assert "report: out/report.html" in said
    assert max(len(line.rstrip()) for line in said.splitlines()) <= 80


def test_progress_is_plain_lines_where_stderr_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sets()
    assert main(["run", "a", "b", "--profile", "colours", "--out", "out"]) == 0
    first = capsys.readouterr().err
    assert "read: 12 in" in first
    assert "caption: " in first
    assert main(["run", "a", "b", "--profile", "colours", "--out", "out"]) == 0
    assert "from the store" in capsys.readouterr().err


def test_a_report_can_be_drawn_again_without_models(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sets()
    assert main(["run", "a", "b", "--profile", "colours", "--out", "out", "--quiet"]) == 0
    Path("out/report.html").unlink()
    Colours.reset()
    capsys.readouterr()
    assert main(["report", "out", "--no-images"]) == 0
    assert Path(capsys.readouterr().out.strip()).read_text().startswith("<!doctype html>")
    assert Colours.opened == 0


def test_the_store_can_be_looked_at_searched_and_emptied(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sets()
    assert main(["run", "a", "b", "--profile", "colours", "--out", "out", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["store", "info"]) == 0
    said = capsys.readouterr().out
    assert "files known: 12" in said
    assert "caption:" in said
    assert main(["store", "search", "a red square", "-k", "3", "--profile", "colours"]) == 0
    found = capsys.readouterr().out.splitlines()
    assert len(found) == 3
    assert all("/a/" in line for line in found)
    assert main(["store", "duplicates", "--threshold", "0.9", "--profile", "colours"]) == 0
    capsys.readouterr()
    assert main(["store", "gc", "--all"]) == 0
    assert main(["store", "info"]) == 0
    assert "files known: 0" in capsys.readouterr().out


def test_doctor_and_models_list_run_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "the default profile here is" in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    assert "scribe" in capsys.readouterr().out


def test_the_default_profile_needs_a_gpu_and_its_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from visdiff_local.models.specs import load_registry

    (tmp_path / "models.toml").write_text(
        colours.MODELS_TOML.replace("profiles.colours", "profiles.workstation-24gb").replace(
            'backend = "fake"', 'backend = "open_clip"\nfiles = { "w.safetensors" = "" }'
        )
    )
    known = load_registry()
    monkeypatch.setattr(registry, "gpu_present", lambda: True)
    assert registry.default_profile(known, tmp_path / "weights") == "nano"
    for name in ("eye", "seer", "scribe", "space"):
        (tmp_path / "weights" / name).mkdir(parents=True)
        (tmp_path / "weights" / name / "w.safetensors").touch()
    assert registry.default_profile(known, tmp_path / "weights") == "workstation-24gb"
    monkeypatch.setattr(registry, "gpu_present", lambda: False)
    assert registry.default_profile(known, tmp_path / "weights") == "nano"
