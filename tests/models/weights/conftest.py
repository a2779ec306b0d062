"""A model's repository in small: its entry, its folder, its pack."""

from pathlib import Path

import pytest

from tests.support.repository import ENTRY, NEEDED, repository
from visdiff_local.models.specs import ModelSpec, load_registry
from visdiff_local.models.weights.pack import pack


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(ENTRY)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model as it lies in a folder of weights."""
    folder = tmp_path / "weights" / "tiny"
    folder.mkdir(parents=True)
    for name in NEEDED:
        (folder / name).write_bytes(repository()[name])
    return folder


@pytest.fixture
def spec(entry: Path) -> ModelSpec:
    return load_registry(entry).model("tiny")


@pytest.fixture(params=["pack", "pack.tar"])
def packed(spec: ModelSpec, folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    out = tmp_path / str(request.param)
    pack({folder: spec}, out)
    return out
