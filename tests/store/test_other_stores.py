"""Stores that may not be written, or that another version made."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local.cli.main import main
from visdiff_local.errors import StoreError
from visdiff_local.models import registry
from visdiff_local.store import Store
from visdiff_local.store import disk as store_disk

KEY = "ab" * 32


@pytest.fixture(autouse=True)
def _colours_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    monkeypatch.setenv("VISDIFF_MODELS", str(tmp_path / "models.toml"))
    monkeypatch.chdir(tmp_path)
    Colours.reset()


def run(out: str) -> int:
    words = ["run", "a", "b", "--profile", "colours", "--store", "store", "--quiet", "--out", out]
    return main(words)


def refuse_writing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As a file system that is mounted to be read does; rights alone do not stop root."""
    opened, access = os.open, os.access

    def below(path: object) -> bool:
        return isinstance(path, str | os.PathLike) and str(folder) in str(Path(path).absolute())

    def open_(path: object, flags: int, *more: object, **named: object) -> int:
        if below(path) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(30, "Read-only file system", str(path))
        return opened(path, flags, *more, **named)  # type: ignore[call-overload, no-any-return]

    def access_(path: object, mode: int, **named: object) -> bool:
        return not (below(path) and mode & os.W_OK) and access(path, mode, **named)  # type: ignore

    monkeypatch.setattr(store_disk.os, "open", open_)
    monkeypatch.setattr(store_disk.os, "access", access_)


def test_a_warm_store_that_may_not_be_written_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(Path("a"), ["red"] * 6, seed=1)
    draw(Path("b"), ["blue"] * 6, seed=2)
    assert run("first") == 0
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in Path("store").rglob("*.*")}
    Colours.reset()
    refuse_writing(monkeypatch, tmp_path / "store")
    assert run("second") == 0
    assert not Colours.asked_images
    after = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in Path("store").rglob("*.*")}
    assert after == before


def test_as_nobody_with_rights_to_read(tmp_path: Path) -> None:
    """The real thing, where a test may become somebody else."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    store = tmp_path / "store"
    with Store(store) as made:
        made.records.put_many("task", {KEY: "known"})
    for path in (tmp_path, store, *store.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o444)
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 0o001:
            pytest.skip("the folder of tests is closed to others")
    code = (
        "import os, sys; os.setgid(65534); os.setuid(65534)\n"
        "from pathlib import Path; from visdiff_local.store import Store\n"
        f"store = Store(Path({str(store)!r}))\n"
        f"assert store.records.get_many('task', ['{KEY}']) == {{'{KEY}': 'known'}}\n"
        f"store.records.put_many('task', {{'{'cd' * 32}': 'new'}})\n"
        "assert store.problems and 'may not be written' in store.problems[0], store.problems\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _newer(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA user_version = 99")


def _more_columns(database: sqlite3.Connection) -> None:
    database.execute("ALTER TABLE answers ADD COLUMN more TEXT NOT NULL DEFAULT ''")


def _other_columns(database: sqlite3.Connection) -> None:
    database.execute("ALTER TABLE files RENAME COLUMN id TO other")


@pytest.mark.parametrize("change", [_newer, _more_columns, _other_columns])
def test_a_store_of_another_version_says_so(
    change: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store(tmp_path / "store") as made:
        made.records.put_many("task", {KEY: "known"})
    database = sqlite3.connect(tmp_path / "store" / "answers.sqlite")
    change(database)  # type: ignore[operator]
    database.commit()
    database.close()
    with pytest.raises(StoreError, match="version of this program"), Store(tmp_path / "store") as s:
        s.records.get_many("task", [KEY])
    assert main(["store", "info", "--store", "store"]) == 2
    said = capsys.readouterr().err
    assert "another" in said or "a newer" in said
    assert "disk has space" not in said
    assert not list((tmp_path / "store").glob("*.damaged*"))


def test_a_store_of_the_first_version_is_taken(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as made:
        made.records.put_many("task", {KEY: "known"})
    database = sqlite3.connect(tmp_path / "store" / "answers.sqlite")
    database.execute("PRAGMA user_version = 0")
    database.close()
    with Store(tmp_path / "store") as again:
        assert again.records.get_many("task", [KEY]) == {KEY: "known"}
