"""Planted confounds are found and named, and nothing else is."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tests.support.measured import (
    ALPHA,
    compared,
    drawings,
    measured_as_stored,
    measurements,
    named,
    stored,
    with_border,
)
from visdiff_local import measure as measured
from visdiff_local.measure import Measurement, measure
from visdiff_local.stats import Design

Edit = Callable[[Image.Image], Image.Image]


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
