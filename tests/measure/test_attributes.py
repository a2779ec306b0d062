"""Attributes of pixels and files are their definitions."""

import colorsys

import imagehash
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.support.measured import drawings, measured_as_stored, stored
from visdiff_local import measure as measured
from visdiff_local.measure import Measurement, measure

Rng = np.random.Generator


def measured_png(pixels: npt.NDArray[np.uint8]) -> Measurement:
    image = Image.fromarray(pixels)
    return measure(image, stored(image, "PNG"))


# One image


def noise_image(rng: Rng, height: int = 60, width: int = 90) -> npt.NDArray[np.uint8]:
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def test_light_and_colour_are_their_definitions():
    pixels = noise_image(np.random.default_rng(0))
    found = measured_png(pixels)
    luma = np.asarray(Image.fromarray(pixels).convert("L"), float) / 255
    assert found.value("brightness") == pytest.approx(luma.mean(), abs=1e-6)
    assert found.value("contrast") == pytest.approx(luma.std(), abs=1e-6)
    flat = [colorsys.rgb_to_hsv(*pixel) for pixel in pixels.reshape(-1, 3) / 255]
    assert found.value("saturation") == pytest.approx(np.mean([s for _, s, _ in flat]), abs=1e-5)


def test_colourfulness_is_hasler_and_suesstrunks():
    pixels = noise_image(np.random.default_rng(1))
    red, green, blue = pixels.reshape(-1, 3).T.astype(float)
    rg, yb = red - green, (red + green) / 2 - blue
    expected = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    assert measured_png(pixels).value("colourfulness") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("colour", "warmth", "greenness"),
    [((255, 128, 0), 1, 0), ((0, 128, 255), -1, 0), ((0, 255, 0), 0, 1), ((255, 0, 255), 0, -1)],
)
def test_hue_points_where_the_colour_is(colour, warmth, greenness):
    found = measured_png(np.full((20, 20, 3), colour, np.uint8))
    assert found.value("warmth") == pytest.approx(warmth, abs=0.02)
    assert found.value("greenness") == pytest.approx(greenness, abs=0.02)
    assert found.value("greyscale") == 0


def test_a_plain_grey_image_has_no_colour_no_detail_and_no_frame():
    found = measured_png(np.full((50, 40, 3), 90, np.uint8))
    zero = [name for name in measured.ATTRIBUTES if found.value(name) == 0]
    assert {"saturation", "colourfulness", "warmth", "sharpness", "noise", "contrast"} <= {*zero}
    assert {"border width", "letterboxing", "edge density"} <= {*zero}
    assert found.value("greyscale") == 1
    assert found.value("aspect ratio") == 0.8


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2)])
def test_tiny_images_can_be_measured(size):
    found = measured_png(np.zeros((*size, 3), np.uint8))
    assert np.isfinite(found.values[:-1]).all()


@pytest.mark.parametrize("sd", [2.0, 10.0, 25.0])
def test_noise_is_in_grey_levels(sd: float):
    rng = np.random.default_rng(2)
    grey = np.tile((128 + sd * rng.standard_normal((300, 300, 1))).clip(0, 255), 3)
    assert measured_png(grey.astype(np.uint8)).value("noise") == pytest.approx(sd, rel=0.05)


def test_blurring_takes_sharpness_and_edges_away():
    image = drawings(8, 256)[2]
    blurred = image.reduce(4).resize(image.size, Image.Resampling.BICUBIC)
    sharp, soft = measured_as_stored(image), measured_as_stored(blurred)
    assert soft.value("sharpness") < sharp.value("sharpness") / 2
    assert soft.value("edge density") < sharp.value("edge density")


def test_frames_and_bars_are_told_apart():
    pixels = noise_image(np.random.default_rng(3), 100, 200)
    framed, barred = pixels.copy(), pixels.copy()
    framed[:5], framed[-5:], framed[:, :5], framed[:, -5:] = 255, 255, 255, 255
    barred[:20], barred[-20:] = 0, 0
    assert measured_png(pixels).value("border width") == 0
    assert measured_png(framed).value("border width") == pytest.approx(0.05)
    assert measured_png(framed).value("letterboxing") == 0
    assert measured_png(barred).value("border width") == 0
    assert measured_png(barred).value("letterboxing") == pytest.approx(0.2)


@pytest.mark.parametrize("quality", [1, 10, 35, 50, 75, 88, 95, 100])
def test_jpeg_quality_is_what_it_was_saved_with(quality: int):
    found = measured_as_stored(drawings(8, 256)[0], quality=quality)
    assert found.value("JPEG quality") == quality
    assert found.file_format == "JPEG"


def test_the_file_is_measured_as_stored():
    image = drawings(8, 256)[0]
    raw = stored(image, "PNG")
    found = measure(image, raw)
    assert found.file_format == "PNG"
    assert np.isnan(found.value("JPEG quality"))
    assert found.value("resolution") == pytest.approx(256 * 256 / 1e6)
    assert found.value("bytes per pixel") == pytest.approx(len(raw) / 256**2)


def test_the_hash_is_imagehashs_and_unsigned():
    for image in drawings(8, 256):
        found = measured_as_stored(image).phash
        assert 0 <= found < 2**64
        assert (found ^ int(str(imagehash.phash(image)), 16)).bit_count() <= 6
