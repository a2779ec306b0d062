"""Images that the models do not know are told of before the captioning."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.support import colours
from tests.support.colours import draw
from visdiff_local.images import ImageSet
from visdiff_local.models import paths, registry
from visdiff_local.session import configured, launch


class Heard:
    """A progress that writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def start(self, stage: str, total: int) -> None:
        self.lines.append(stage)

    def advance(self, done: int, stored: int = 0) -> None: ...

    def finish(self) -> None: ...

    def say(self, message: str) -> None:
        self.lines.append(message)


@pytest.mark.parametrize("strange", [True, False])
def test_strange_images_are_told_of_before_they_are_captioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strange: bool
) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    folder = tmp_path / "weights" / "space"
    folder.mkdir(parents=True)
    eye = np.eye(colours.DIMENSION, dtype=np.float32)
    limit = np.full(1, 1.0 if strange else 1e9, np.float32)
    save_file(
        {"means": eye[3:5] * 9, "whitening": eye, "threshold": limit}, folder / "domain.safetensors"
    )
    monkeypatch.setattr(paths, "BUNDLED", folder)
    sets: Any = [
        ImageSet.from_folder(draw(tmp_path / side, [colour] * 20, seed=seed))
        for side, colour, seed in (("a", "red", 1), ("b", "blue", 2))
    ]
    config = configured(
        a="a",
        b="b",
        profile="colours",
        models=str(tmp_path / "models.toml"),
        store=str(tmp_path / "store"),
    )
    heard = Heard()
    launch(config, heard, a=sets[0], b=sets[1])
    told = [n for n, line in enumerate(heard.lines) if "do not believe this result" in line]
    assert bool(told) == strange
    assert not told or told[0] < heard.lines.index("caption")
