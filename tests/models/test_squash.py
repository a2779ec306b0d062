"""SigLIP-family pictures are squashed, not cropped; square test pictures would hide a mistake."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support import backend_cases, tiny
from visdiff_local.models.backends import open_clip


def opened(folder: Path) -> Any:
    return open_clip.open_model(backend_cases.spec_of("siglip"), folder, device="cpu")


def wide() -> Image.Image:
    """Two to one: red on the left, green in the middle, blue on the right."""
    rows = np.zeros((96, 192, 3), dtype=np.uint8)
    rows[:, :40, 0] = rows[:, 40:152, 1] = rows[:, 152:, 2] = 255
    return Image.fromarray(rows)


def reference(picture: Image.Image) -> Any:
    """The whole picture on the model's square, by Pillow alone."""
    square = picture.resize((tiny.SIDE, tiny.SIDE), Image.Resampling.BICUBIC)
    return (np.asarray(square, dtype=np.float32).transpose(2, 0, 1) / 255 - 0.5) / 0.5


def test_a_wide_picture_is_seen_whole() -> None:
    seen = opened(backend_cases.folder_of("siglip")).preprocess(wide()).numpy()
    assert seen.shape == (3, tiny.SIDE, tiny.SIDE)
    assert np.abs(seen - reference(wide())).max() < 0.2
    assert seen[0, :, 0].mean() > 0.9, "the red edge is there"
    assert seen[2, :, -1].mean() > 0.9, "and the blue one"


@pytest.mark.parametrize("mode", ["shortest", "squash"])
def test_the_folder_says_how(mode: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(backend_cases.folder_of("siglip"), tmp_path / mode))
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["resize_mode"] = mode
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    seen = opened(folder).preprocess(wide()).numpy()
    assert (seen[0, :, 0].mean() > 0.9) == (mode == "squash")
