"""Keyed numbers: the same for one user, whoever asks first; others have others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from visdiff_local.images.decoders import keyed


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    keyed._secret.cache_clear()
    yield tmp_path
    keyed._secret.cache_clear()


def test_threads_that_ask_first_together_get_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(keyed.keyed, ["x"] * 64))) == 1
    before = keyed.keyed("x")
    keyed._secret.cache_clear()
    assert keyed.keyed("x") == before
    assert keyed.keyed("y") != before
    keyed._secret.cache_clear()
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "other"))
    assert keyed.keyed("x") != before


def test_a_secret_that_another_process_made_meanwhile_stays(home: Path) -> None:
    path = home / "patients.key"
    path.write_bytes(b"x" * 32)
    keyed._make(path)
    assert path.read_bytes() == b"x" * 32
    path.unlink()
    keyed._make(path)
    assert path.stat().st_mode & 0o77 == 0
