"""A backend that sees colours, and a folder with two sets of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import colours
from tests.support.colour_runs import RED_AND_BLUE
from tests.support.colours import Colours, draw
from visdiff_local.models import registry


@pytest.fixture
def colours_backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    Colours.reset()
    yield
    Colours.reset()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with A mostly red, B mostly blue, and a models.toml."""
    draw(tmp_path / "a", RED_AND_BLUE[0], seed=1)
    draw(tmp_path / "b", RED_AND_BLUE[1], seed=2)
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    return tmp_path
