"""Logos, captions and dates that are burnt into pictures."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import stats as scipy_stats

from tests.support.measured import ALPHA, compared, drawings, measurements, with_logo
from tests.support.paths import shared
from visdiff_local import measure as measured
from visdiff_local.measure.overlays import place_in_words


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
