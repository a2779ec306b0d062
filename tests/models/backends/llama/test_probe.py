"""A file that ends llama.cpp ends a child of ours, and nothing else."""

from pathlib import Path

import pytest

from visdiff_local.errors import OutOfMemoryError, WeightsError
from visdiff_local.models.backends.llama import probe


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visdiff_local.models.backends.notes.cache_folder", lambda: tmp_path / "c")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "m.gguf", tmp_path / "p.gguf"]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


@pytest.mark.parametrize("count", [1, 2])
def test_a_file_that_crashes_the_library_ends_a_child(
    count: int, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_CODE", "import os; os.abort()")
    with pytest.raises(WeightsError, match="m.gguf" + " with .*p.gguf" * (count - 1)):
        probe.open_elsewhere(*files[:count])
    monkeypatch.setattr(probe, "_CODE", "while True: pass")
    monkeypatch.setattr(probe, "_SECONDS", 0.5)
    with pytest.raises(WeightsError, match="does not come to an end"):
        probe.open_elsewhere(*files[:count])
    monkeypatch.setattr(probe, "_CODE", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(OutOfMemoryError, match="not enough memory"):
        probe.open_elsewhere(*files[:count])


def test_what_opened_once_is_not_tried_again_but_with_another_file(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_CODE", "pass")
    probe.open_elsewhere(*files)
    monkeypatch.setattr(probe, "_CODE", "import os; os.abort()")
    probe.open_elsewhere(*files)
    with pytest.raises(WeightsError, match="crashes on it"):
        probe.open_elsewhere(files[0])
    files[1].write_bytes(b"another")
    with pytest.raises(WeightsError, match="crashes on it"):
        probe.open_elsewhere(*files)
