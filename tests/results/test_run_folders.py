"""A run has a folder of its own; a stranger's is left as it is; a set never holds one."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local.cli.main import main
from visdiff_local.errors import InputError, UsageError
from visdiff_local.images import ImageSet
from visdiff_local.models import registry
from visdiff_local.system import run_folders
from visdiff_local.system.run_folders import MARKER, claimed, is_run_folder


@pytest.fixture(autouse=True)
def _colours_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "store"))
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    monkeypatch.setenv("VISDIFF_MODELS", str(tmp_path / "models.toml"))
    monkeypatch.chdir(tmp_path)
    Colours.reset()
    draw(Path("a"), ["red"] * 6, seed=1)
    draw(Path("b"), ["blue"] * 6, seed=2)


def run(*more: str, a: str = "a", b: str = "b") -> int:
    return main(["run", a, b, "--profile", "colours", "--quiet", *more])


def test_two_runs_of_the_same_second_have_two_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folders.time, "strftime", lambda _: "20260101-000000")
    with claimed(None) as one, claimed(None) as other:
        (one / "run.json").touch()
        (other / "run.json").touch()
    assert {path.name for path in Path("runs").iterdir()} == {
        "20260101-000000",
        "20260101-000000-2",
    }


def test_many_at_once_have_one_each() -> None:
    found: list[Path] = []

    def claim() -> None:
        with claimed(None) as folder:
            (folder / "run.json").touch()
            found.append(folder)

    threads = [threading.Thread(target=claim) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 20


def test_the_second_into_one_folder_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    with claimed("out"):
        assert run("--out", "out") == 2
        assert "is being written by another run" in capsys.readouterr().err
    assert run("--out", "out") == 0


def test_two_processes_into_one_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from visdiff_local.system.run_folders import claimed\n"
        "with claimed('out'): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="another run"), claimed("out"):
            pass
        first.kill()
    with claimed("out"):
        pass


def test_a_folder_to_which_nothing_came_is_gone() -> None:
    with claimed("deep/out") as folder:
        assert folder.is_dir()
    assert not Path("deep/out").exists()
    assert run("--out", "out", "--ranker", "none") == 2
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "names",
    [
        ["run.json"],
        ["report.html"],
        ["run.json", "holiday.jpg"],
        [".hidden"],
        ["thumbnails/x.jpg"],
        ["run.json", "report.html", "thumbnails/x.jpg"],
    ],
)
def test_a_strangers_folder_is_left_as_it_is(
    names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = Path("theirs")
    for name in names:
        (theirs / name).parent.mkdir(parents=True, exist_ok=True)
        (theirs / name).write_text('{"mine": 1}')
    theirs.chmod(0o1777)
    before = {p: p.read_bytes() for p in theirs.rglob("*") if p.is_file()}
    assert run("--out", "theirs") == 2
    assert "is no run folder" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in theirs.rglob("*") if p.is_file()} == before
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o1777


def test_an_empty_folder_is_used_and_keeps_its_mode() -> None:
    Path("out").mkdir()
    Path("out").chmod(0o755)
    assert run("--out", "out") == 0
    assert stat.S_IMODE(Path("out").stat().st_mode) == 0o755
    for path in Path("out").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_new_folder_and_those_above_are_private() -> None:
    os.umask(0)
    try:
        assert run("--out", "deep/er/out") == 0
    finally:
        os.umask(0o022)
    for path in [Path("deep"), *Path("deep").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_run_into_its_folder_leaves_no_picture_of_other_sets() -> None:
    assert run("--out", "out") == 0
    draw(Path("c"), ["green"] * 6, seed=3)
    draw(Path("d"), ["red"] * 6, seed=4)
    before = {path.name for path in Path("out/thumbnails").iterdir()}
    assert main(["report", "out", "--no-images"]) == 0
    assert run("--out", "out", a="c", b="d") == 0
    after = {path.name for path in Path("out/thumbnails").iterdir()}
    assert after
    assert not before & after
    assert not Path("out/report-shared.html").exists()


@pytest.mark.parametrize("out", ["a", "a/run", "a/x/y", "b/run", "./a/../a/z"])
def test_never_inside_a_set(out: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--out", out) == 2
    said = capsys.readouterr().err
    assert "lies inside the set" in said or "is no run folder" in said
    assert len(ImageSet.open("a").images) == 6


def test_nor_inside_a_globs_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--out", "a/out", a="a/**/*.png") == 2
    assert "lies inside the set" in capsys.readouterr().err
    Path("link").symlink_to("a")
    assert run("--out", "link/out") == 2


def test_nor_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("a")
    assert run(a=".", b="../b") == 2


def test_run_folders_are_no_images_of_a_set() -> None:
    assert run("--out", "out") == 0
    Path("out").rename("a/moved")
    found = ImageSet.open("a")
    assert len(found.images) == 6
    assert [item.reason for item in found.skipped] == ["a run folder of this program"]
    (Path("a/moved") / MARKER).unlink()  # as versions before the marker left it
    assert is_run_folder(Path("a/moved"))
    assert len(ImageSet.open("a").images) == 6


def test_a_folder_of_an_earlier_version_is_known() -> None:
    assert run("--out", "out") == 0
    (Path("out") / MARKER).unlink()
    assert run("--out", "out") == 0
    assert (Path("out") / MARKER).is_file()


def test_the_shared_report_is_a_file_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--out", "out") == 0
    full = Path("out/report.html").read_bytes()
    assert main(["report", "out", "--no-images"]) == 0
    assert capsys.readouterr().out.endswith("out/report-shared.html\n")
    assert Path("out/report.html").read_bytes() == full
    assert main(["report", "out", "--no-images", "--out", "mine.html"]) == 0
    assert Path("mine.html").is_file()
    Path("other.html").write_text("<p>mine</p>")
    assert main(["report", "out", "--no-images", "--out", "other.html"]) == 2
    assert Path("other.html").read_text() == "<p>mine</p>"


def test_a_link_to_nowhere_is_no_folder() -> None:
    Path("link").symlink_to("nowhere")
    with pytest.raises(UsageError), claimed("link"):
        pass
    with pytest.raises((UsageError, InputError)), claimed("models.toml"):
        pass
