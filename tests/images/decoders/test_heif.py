"""HEIC as x265 writes it: the files of tests/data/heic are a picture with a red left half, a green
corner at its top left, and white, of 64 × 48 pixels (pillow-heif 1.8.1)."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.support.paths import ROOT
from visdiff_local.images import ImageSet, Options, read_sets
from visdiff_local.images.decoders.decode import unpacked
from visdiff_local.images.decoders.parts import Part
from visdiff_local.measure import measure

HEIC = ROOT / "tests" / "data" / "heic"
RED, GREEN, BLUE, WHITE = (200, 30, 30), (20, 160, 40), (30, 30, 200), (255, 255, 255)


def corners(name: str, frame: int | None = None) -> list[tuple[int, ...]]:
    image = unpacked((HEIC / name).read_bytes(), Part(frame=frame)).image
    right, bottom = image.width - 3, image.height - 3
    return [image.getpixel(place) for place in ((2, 2), (right, 2), (2, bottom), (right, bottom))]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain.heic", (GREEN, WHITE, RED, WHITE)),
        ("tiled.heic", (GREEN, WHITE, RED, WHITE)),  # a grid of four, as phones write them
        ("turned.heic", (RED, GREEN, WHITE, WHITE)),  # EXIF orientation 6
        ("several.heic", (GREEN, WHITE, BLUE, WHITE)),  # its second is the primary
        ("transparent.heic", (WHITE, WHITE, WHITE, WHITE)),  # an auxiliary picture of opacity
    ],
)
def test_pictures_come_out_upright_and_primary(name: str, expected: tuple[object, ...]) -> None:
    assert np.abs(np.array(corners(name)) - np.array(expected)).max() <= 2


def test_each_picture_of_a_file_can_be_had(tmp_path: Path) -> None:
    assert np.abs(np.array(corners("several.heic", 0))[2] - RED).max() <= 2
    (tmp_path / "x.heic").write_bytes((HEIC / "several.heic").read_bytes())
    source = ImageSet.open(tmp_path, None, Options(frames="all"))
    (one,) = read_sets([source], measure=measure, version="1")
    assert len(one.images.images) == 2


def test_ten_bits_are_shown_in_eight() -> None:
    ramp = np.asarray(unpacked((HEIC / "ten_bits.heic").read_bytes()).image)[..., 0].astype(int)
    assert ramp.min() < 8
    assert ramp.max() > 247
    assert abs(ramp.mean() - 127.5) < 2


def test_nothing_is_said_of_options_that_nobody_gave() -> None:
    from visdiff_local.images.decoders import heif

    heif._register.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unpacked((HEIC / "plain.heic").read_bytes()).image.size == (64, 48)
