"""The store as a whole: where it is, who may read it, what is forgotten."""

import os
import sqlite3
import stat
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.stored import D, finished, ids, run_python, vectors_of
from visdiff_local.store import Store, default_folder, duplicates
from visdiff_local.store.content import checksum
from visdiff_local.store.ready_made import write_out
from visdiff_local.system.progress import Silent


def test_where_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "named"))
    assert default_folder() == tmp_path / "named"
    monkeypatch.delenv("VISDIFF_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_folder().is_relative_to(tmp_path / "cache")


def test_the_store_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Store(tmp_path / "new" / "store") as store:
            store.records.put_many("x", {ids(1)[0]: "secret"})
            store.vectors("m", D).add(ids(2), vectors_of(ids(2)))
            for path in (store.folder, *store.folder.rglob("*")):
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    finally:
        os.umask(old)


def test_a_folder_of_other_things_keeps_its_mode_and_they_outlive_clear(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "mine.txt").touch()
    with Store(tmp_path) as store:
        store.records.put_many("x", {ids(1)[0]: "text"})
        store.vectors("m", D).add(ids(2), vectors_of(ids(2)))
        assert store.clear() > 0
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
        assert store.records.get_many("x", ids(1)) == {}
        assert not store.vectors("m", D).get(ids(2))[0].any()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def _age(store: Store, days: float, names: Sequence[str]) -> None:
    store._database.write(
        (
            "UPDATE answers SET used = used - ? WHERE key = ?",
            [(int(days * 86_400), bytes.fromhex(name)) for name in names],
        )
    )


def test_gc_forgets_what_was_not_used_for_long(store: Store) -> None:
    names = ids(20)
    store.records.put_many("x", dict.fromkeys(names, "text" * 1000))
    _age(store, 10, names[:15])
    store.records.get_many("x", names[:5])  # used again now
    for model in ("old", "new"):
        store.vectors(model, D).add(names, vectors_of(names))
    long_ago = time.time() - 10 * 86_400
    (folder,) = {p.parent for p in store.folder.rglob("*.json") if '"old"' in p.read_text()}
    (folder / "used").touch()
    os.utime(folder / "used", (long_ago, long_ago))
    assert store.gc(older_than_days=5) > 10 * 4000
    assert set(store.records.get_many("x", names)) == {*names[:5], *names[15:]}
    assert [info.fingerprint for info in store.info().vectors] == ["new"]


def test_gc_by_size_forgets_the_oldest_first(store: Store) -> None:
    names = ids(20)
    store.records.put_many("x", dict.fromkeys(names, "text" * 1000))
    for days, name in enumerate(names):
        _age(store, 100 - days, [name])
    store.gc(max_bytes=45_000)
    left = store._database.rows("SELECT key FROM answers")
    assert {row[0].hex() for row in left} == set(names[-10:])
    assert store.info().bytes < 100_000


def test_info_counts_what_is_there(store: Store) -> None:
    store.records.put_many("caption", dict.fromkeys(ids(3), "text"))
    store.records.put_many("p_yes", dict.fromkeys(ids(2, first=9), 0.5))
    store.vectors("m", D).add(ids(7), vectors_of(ids(7)))
    info = store.info()
    assert info.answers == {"caption": 3, "p_yes": 2}
    assert [(v.fingerprint, v.dimension, v.count) for v in info.vectors] == [("m", D, 7)]
    assert info.bytes > 0


class Told(Silent):
    """Keeps the stages with how much each was to do, and did."""

    def __init__(self) -> None:
        self.stages: dict[str, list[int]] = {}

    def start(self, stage: str, total: int) -> None:
        self.stages[stage] = self._now = [total, 0]

    def advance(self, done: int, stored: int = 0) -> None:
        self._now[1] += done


def test_what_takes_long_in_a_large_store_says_how_far_it_is(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "EXACT", 8)
    index = store.vectors("f", D)
    index.add(ids(20), vectors_of(ids(20)))
    told = Told()
    store.gc(progress=told)
    checksum(store, told)
    write_out(store, "f", tmp_path / "out", told)
    duplicates.groups(index, 0.97, None, told)
    assert told.stages == {
        "tidy": [3, 3],
        "checksum": [0, 20],
        "export": [20, 20],
        "compare": [duplicates.TABLES, duplicates.TABLES],
    }


def test_importing_the_store_imports_no_faiss() -> None:
    code = "import visdiff_local.store.cached, sys; assert 'faiss' not in sys.modules"
    finished(run_python(code))


def test_the_database_is_in_write_ahead_mode(store: Store) -> None:
    store.records.put_many("x", {ids(1)[0]: "text"})
    other = sqlite3.connect(store.folder / "answers.sqlite")
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
