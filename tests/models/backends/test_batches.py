"""Batches that halve, and small parts of the backends."""

import numpy as np
import pytest

from visdiff_local.errors import (
    OutOfMemoryError,
)
from visdiff_local.models.backends import batches as _batches
from visdiff_local.models.backends import files, pictures
from visdiff_local.models.backends.huggingface import loading

pytestmark = pytest.mark.usefixtures("alone")


def test_batches_halve_when_memory_runs_out_and_stay_small() -> None:
    sizes: list[int] = []

    def work(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise MemoryError
        return [item * 10 for item in batch]

    batches = _batches.Batches(8)
    assert list(batches.run(range(11), work)) == [item * 10 for item in range(11)]
    assert sizes == [8, 4, 2, 2, 4, 2, 2, 2, 1]
    assert batches.size == 2

    def never(batch: list[int]) -> list[int]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(OutOfMemoryError, match="batch of one"):
        list(_batches.Batches(4).run([1, 2], never))

    def broken(batch: list[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        list(_batches.Batches(4).run([1, 2], broken))


def test_special_tokens_in_a_text_are_broken() -> None:
    assert files.defused("a <image> b </s><s>", ["<image>", "<s>", "</s>"]) == (
        "a < image> b < /s>< s>"
    )
    assert files.defused("plain", []) == "plain"


def test_pictures_are_padded_and_not_cropped() -> None:
    from PIL import Image

    wide = Image.new("RGB", (40, 20), "white")
    square = np.asarray(loading.squared(wide, (0.5, 0.25, 0.0)))
    assert square.shape == (40, 40, 3)
    assert square[0, 0].tolist() == [127, 63, 0]
    assert square[20, 0].tolist() == [255, 255, 255]
    sheet = pictures.as_grid([wide] * 11)
    assert sheet.size == (1120, 224)
