"""A folder of small pictures."""

from pathlib import Path

import pytest

from tests.support.sources import NAMES, PNGS, ids
from visdiff_local.images import ImageSet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name, raw in zip(NAMES, PNGS, strict=True):
        (tmp_path / "images" / name).write_bytes(raw)
    return tmp_path


@pytest.fixture
def plain(folder: Path) -> list[list[str]]:
    sides = [sorted((folder / "images").glob(f"{side}_*.png")) for side in "ab"]
    return ids(*(ImageSet.from_paths(side) for side in sides))
