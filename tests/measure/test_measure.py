"""Attributes against their definitions, and planted confounds: each is found, and nothing else."""

import colorsys
import io
from collections.abc import Callable, Sequence
from functools import lru_cache

import imagehash
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageEnhance
from scipy import stats as scipy_stats

from tests.support.paths import shared
from visdiff_local import measure as measured
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.world import sample_scene
from visdiff_local.measure import Measurement, measure
from visdiff_local.measure.overlays import place_in_words
from visdiff_local.stats import Design
from visdiff_local.types import MeasuredDifference

ALPHA = 0.05

Edit = Callable[[Image.Image], Image.Image]
Rng = np.random.Generator


def stored(image: Image.Image, file_format: str = "JPEG", **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **({"quality": 90} | options))
    return buffer.getvalue()


def measured_as_stored(image: Image.Image, **options: int) -> Measurement:
    raw = stored(image, **options)
    return measure(Image.open(io.BytesIO(raw)).convert("RGB"), raw)


def measured_png(pixels: npt.NDArray[np.uint8]) -> Measurement:
    image = Image.fromarray(pixels)
    return measure(image, stored(image, "PNG"))


@lru_cache(maxsize=2)
def drawings(count: int, size: int = 96) -> tuple[Image.Image, ...]:
    rng = np.random.default_rng(11)
    return tuple(render(sample_scene(rng), size).image for _ in range(count))


@lru_cache(maxsize=2)
def measurements(count: int) -> tuple[Measurement, ...]:
    return tuple(measured_as_stored(image) for image in drawings(count))


def compared(
    a: Sequence[Measurement], b: Sequence[Measurement], *, paired: bool = False
) -> tuple[MeasuredDifference, ...]:
    is_a = np.arange(len(a) + len(b)) < len(a)
    pairs = [*range(len(a)), *range(len(b))] if paired else None
    design = Design(is_a, pairs=pairs)
    rng = np.random.default_rng(0)
    return measured.compare_measured([*a, *b], design, alpha=ALPHA, rng=rng)


def named(
    a: Sequence[Measurement], b: Sequence[Measurement], *, paired: bool = False
) -> dict[str, float]:
    found = compared(a, b, paired=paired)
    return {each.attribute: each.auroc for each in found if each.q_value <= ALPHA}


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


# Planted confounds


def with_border(image: Image.Image) -> Image.Image:
    return painted(image, lambda draw: draw.rectangle((0, 0, 95, 95), outline="white", width=4))


def with_logo(image: Image.Image) -> Image.Image:
    def logo(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((74, 80, 91, 91), fill="white")
        draw.ellipse((78, 82, 85, 89), fill="red")

    return painted(image, logo)


def painted(image: Image.Image, paint: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
    copy = image.copy()
    paint(ImageDraw.Draw(copy))
    return copy


def grey(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def planted(edit: Edit, n: int, **options: int) -> list[Measurement]:
    return [measured_as_stored(edit(image), **options) for image in drawings(200)[:n]]


@pytest.mark.parametrize(
    ("attribute", "edit", "options", "higher"),
    [
        ("JPEG quality", lambda image: image, {"quality": 80}, False),
        ("border width", with_border, {}, True),
        ("greyscale", grey, {}, True),
        ("saturation", grey, {}, False),
    ],
)
def test_a_planted_confound_is_found_and_named(attribute, edit, options, higher):
    a, b = planted(edit, 100, **options), measurements(200)[100:]
    found = compared(a, b)
    auroc = named(a, b)[attribute]
    assert auroc > 0.8 if higher else auroc < 0.2
    sentences = measured.warnings(found, measured.duplicate_report(a, b), alpha=ALPHA)
    (sentence,) = (sentence for sentence in sentences if sentence.startswith("the sets differ in"))
    assert f" {attribute} (" in sentence
    quiet = measured.warnings(found, measured.duplicate_report(a, b), best_auroc=1.0, alpha=ALPHA)
    assert quiet == (), "a hypothesis that separates better is not called into question"


@pytest.mark.slow
def test_ten_percent_of_saturation_is_found_at_a_thousand_images():
    images = drawings(2000)
    a = [measured_as_stored(ImageEnhance.Color(image).enhance(1.1)) for image in images[:1000]]
    assert named(a, [measured_as_stored(image) for image in images[1000:]])["peak saturation"] > 0.5


def test_two_percent_of_saturation_are_found_in_pairs():
    a = planted(lambda image: ImageEnhance.Color(image).enhance(1.02), 200)
    b = measurements(200)
    assert named(a, b, paired=True)["saturation"] > 0.5
    assert "saturation" not in named(a, b)
    assert measured.duplicate_report(a, b, paired=True).across == ()


def test_thirty_images_in_both_sets_are_found():
    images = drawings(200)
    again = [measured_as_stored(image, quality=75) for image in images[:30]]
    a, b = measurements(200)[:100], [*measurements(200)[100:], *again]
    report = measured.duplicate_report(a, b)
    assert [*report.across] == [(i, 100 + i) for i in range(30)]
    assert report.within_a == report.within_b == ()
    assert measured.warnings([], report, alpha=ALPHA) == (
        "30 image(s) of A have a near-duplicate in B: a difference may be hidden by them",
    )
    groups = measured.near_duplicates([*a, *b])
    assert [*groups] == [(i, 200 + i) for i in range(30)]


def test_near_duplicates_join_through_one_another():
    image = drawings(200)[5]
    copies = [measured_as_stored(image, quality=quality) for quality in (95, 80, 60)]
    assert measured.near_duplicates([copies[0], *measurements(200)[50:60], *copies[1:]]) == (
        (0, 11, 12),
    )


def thumbnails(images: Sequence[Image.Image]) -> npt.NDArray[np.uint8]:
    return np.stack([measured.thumbnail(image) for image in images])


@pytest.mark.parametrize("every", [1, 3])
def test_a_logo_in_a_corner_is_found_even_on_some_images(every: int):
    images = drawings(200)
    a = [with_logo(image) if i % every == 0 else image for i, image in enumerate(images[:100])]
    found = measured.find_overlays(
        thumbnails(a), thumbnails(images[100:]), rng=np.random.default_rng(0)
    )
    first = found[0]
    assert first.place == "in the bottom right corner"
    assert first.share_a == pytest.approx(1 / every, abs=0.02)
    assert first.share_b == 0
    assert first.p_value < 1e-4
    (sentence,) = measured.warnings([], measured.duplicate_report([], []), found, alpha=ALPHA)
    assert sentence.startswith("something is repeated in the bottom right corner in ")


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0.0, 0.9, 1.0, 1.0), "along the bottom edge"),
        ((0.0, 0.0, 0.1, 1.0), "along the left edge"),
        ((0.0, 0.0, 0.2, 0.1), "in the top left corner"),
        ((0.4, 0.4, 0.6, 0.6), "in the middle of the frame"),
        ((0.4, 0.8, 0.6, 0.9), "in the bottom of the frame"),
        ((0.0, 0.0, 1.0, 1.0), "all over the frame"),
    ],
)
def test_places_have_names(box, words):
    assert place_in_words(box) == words


def test_captions_burnt_into_photographs_are_found():
    photos = shared("data/visdiff_examples")
    sets = [
        thumbnails([Image.open(path).convert("RGB") for path in sorted((photos / name).iterdir())])
        for name in ("set_a", "set_b")
    ]
    found = measured.find_overlays(*sets, rng=np.random.default_rng(0))
    assert {overlay.place for overlay in found} == {
        f"in the bottom {side} corner" for side in ("left", "right")
    }
    assert all(0.2 <= overlay.share_a <= 0.5 for overlay in found)
    assert all(overlay.p_value > ALPHA for overlay in found), "both sets come from one agency"


# Nothing planted, nothing found


@pytest.mark.slow
def test_nothing_is_named_where_there_is_nothing():
    """200 A/A runs: random halves of one set. At most 5% may name anything at all."""
    everything, small = measurements(200), thumbnails(drawings(200))
    rng = np.random.default_rng(4)
    runs, noisy = 200, 0
    for _ in range(runs):
        order = rng.permutation(200)
        first, second = order[:100], order[100:]
        a, b = [everything[i] for i in first], [everything[i] for i in second]
        overlays = measured.find_overlays(small[first[:60]], small[second[:60]], rng=rng)
        found = compared(a, b)
        report = measured.duplicate_report(a, b)
        noisy += bool(measured.warnings(found, report, overlays, alpha=ALPHA))
    assert noisy <= scipy_stats.binom.ppf(0.99, runs, ALPHA)


def test_formats_are_compared_and_a_missing_attribute_is_left_out():
    images = drawings(200)[:60]
    a = [measure(image, stored(image, "PNG")) for image in images[:30]]
    b = list(measurements(200)[30:60])
    found = {each.attribute: each for each in compared(a, b)}
    assert found["format PNG"].auroc == 1.0
    assert (found["format PNG"].mean_a, found["format PNG"].mean_b) == (1.0, 0.0)
    assert "JPEG quality" not in found
    mixed = {each.attribute for each in compared([*a, *b[:5]], b)}
    assert "format JPEG" in mixed


def test_sets_that_cannot_be_compared_are_refused():
    some = measurements(200)[:4]
    with pytest.raises(ValueError, match="4 measurements of 3 images"):
        measured.compare_measured(
            some,
            Design(np.array([True, False, False])),
            alpha=ALPHA,
            rng=np.random.default_rng(0),
        )
