"""A server of the echo."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.echo import Echo, running
from visdiff_local.models import registry


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    monkeypatch.setitem(registry.BACKENDS, "fake", Echo.__module__)
    monkeypatch.setattr(Echo, "fails", None)
    monkeypatch.setattr(Echo, "slow", 0.0)
    with running(tmp_path, "echo") as server:
        yield server
