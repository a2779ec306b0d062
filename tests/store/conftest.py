"""A store of one test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from visdiff_local.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened
