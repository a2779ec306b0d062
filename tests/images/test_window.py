"""Deep pixels: one window for both sets, the same picture as the 8-bit one, and limits."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from visdiff_local.errors import UnreadableImageError, UsageError
from visdiff_local.images import ImageSet, ReadSet, decode, read_sets
from visdiff_local.images.decoders import limits
from visdiff_local.images.decoders.window import Levels, choose
from visdiff_local.measure import measure
from visdiff_local.types import Window

GREY = Callable[[Any], Any]
WIDENED: dict[str, tuple[GREY, str]] = {
    "12 bits in 16": (lambda g: g.astype(np.uint16) * 16, "bits used"),
    "16 bits": (lambda g: g.astype(np.uint16) * 257, "bits used"),
    "8 bits in 16": (lambda g: g.astype(np.uint16), "bits used"),
    "32 bits": (lambda g: g.astype(np.uint32) * 2**24, "bits used"),
    "CT": (lambda g: g.astype(np.int16) * 16 - 1024, "percentiles"),
    "float": (lambda g: g.astype(np.float32) * 4 + 100, "percentiles"),
    "float 0 to 1": (lambda g: g.astype(np.float64) / 255, "bits used"),
    "float beyond 255": (lambda g: g.astype(np.float32) * 1000, "percentiles"),
    "half precision": (lambda g: g.astype(np.float16), "percentiles"),
}


def scene(seed: int, bright: float = 1.0) -> Any:
    """Smooth grey uint8 (40, 48), from black to white, times ``bright``."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6), dtype=np.uint8))
    grey = np.asarray(coarse.resize((48, 40), Image.Resampling.BICUBIC)).astype(float)
    spread = (grey - grey.min()) / np.ptp(grey) * 255
    return np.rint(spread * bright).astype(np.uint8)


def sets(tmp_path: Path, widen: GREY, bright: float = 1.0) -> list[ImageSet]:
    for side, factor in (("a", 1.0), ("b", bright)):
        (tmp_path / side).mkdir()
        for number in range(6):
            grey = scene(number + 100 * (side == "b"), factor)
            tifffile.imwrite(tmp_path / side / f"{number}.tif", widen(grey))
    return [ImageSet.from_folder(tmp_path / side) for side in "ab"]


def read(sources: list[ImageSet], window: str = "auto", memory: Any = None) -> list[ReadSet]:
    return read_sets(sources, measure=measure, version="1", window=window, memory=memory)


@pytest.mark.parametrize("kind", WIDENED)
def test_widened_pixels_look_as_they_did(tmp_path: Path, kind: str) -> None:
    widen, how = WIDENED[kind]
    one, other = read(sets(tmp_path, widen))
    assert one.window is not None
    assert one.window is other.window
    assert one.window.how == how
    assert one.window.images == 12
    for number, ref in enumerate(one.images.images):
        shown = np.asarray(decode(ref))[..., 0].astype(float)
        # 100 of 1120 above nothing counted: a haze, where blacks of 0 would have been a guess.
        assert np.abs(shown - scene(number)).mean() < (16 if kind == "float" else 4)


@pytest.mark.parametrize(
    ("kind", "low", "high", "expected"),
    [
        ("float", 24.0, 253.0, (0.0, 253.0)),
        ("float", 270.0, 310.0, (270.0, 310.0)),
        ("float", -3.0, 9.0, (-3.0, 9.0)),
        ("signed", -640.0, 3024.0, (-1024.0, 3024.0)),
        ("signed", -1000.0, 1800.0, (-1024.0, 1800.0)),
        ("signed", -200.0, 1800.0, (-200.0, 1800.0)),
        ("signed", -2000.0, 1800.0, (-2000.0, 1800.0)),
        ("signed", -47.0, 127.0, (-47.0, 127.0)),
    ],
)
def test_black_is_what_the_values_say(
    kind: Any, low: float, high: float, expected: tuple[float, float]
) -> None:
    chosen = choose([Levels(kind, low, high)] * 5)
    assert chosen is not None
    assert (chosen.window, chosen.how) == (Window(*expected), "percentiles")


def test_a_dark_set_stays_darker_than_a_bright_one(tmp_path: Path) -> None:
    one, other = read(sets(tmp_path, WIDENED["12 bits in 16"][0], bright=0.4))
    means = [
        np.mean([np.asarray(decode(ref)).mean() for ref in side.images.images])
        for side in (one, other)
    ]
    assert means[1] < 0.5 * means[0]


def test_eight_bits_need_no_window(tmp_path: Path) -> None:
    one, _ = read(sets(tmp_path, lambda g: g))
    assert one.window is None
    assert {ref.window for ref in one.images.images} == {None}


def test_a_window_can_be_given_and_bad_ones_are_refused(tmp_path: Path) -> None:
    sources = sets(tmp_path, WIDENED["CT"][0])
    one, _ = read(sources, "-100,900.5")
    assert one.images.images[0].window == Window(-100, 900.5)
    with pytest.raises(UsageError, match="no image names a window"):
        read(sources, "tags")
    for text in ("wide", "9,1", "1,2,3", "nan,2", "1,inf"):
        with pytest.raises(ValueError, match="is no window; type auto, tags, or two numbers"):
            Window.parsed(text)


def test_one_broken_pixel_or_image_sets_no_window(tmp_path: Path) -> None:
    sources = sets(tmp_path, lambda g: g.astype(np.uint16) * 4)
    first = tifffile.imread(tmp_path / "a" / "0.tif")
    first[0, 0] = 65535
    tifffile.imwrite(tmp_path / "a" / "0.tif", first)
    one, _ = read(sources)
    assert one.images.images[0].window == Window(0, 1023)


def test_values_that_are_no_numbers_are_black_or_white(tmp_path: Path) -> None:
    pixels = np.array([[np.nan, np.inf, -np.inf, 0.5]], dtype=np.float32)
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels)
    shown = np.asarray(decode(stream.getvalue(), window=Window(0, 1)))[0, :, 0]
    assert shown.tolist() == [0, 255, 0, 128]


def test_sixteen_bit_colours_and_odd_bands(tmp_path: Path) -> None:
    rgb = np.stack([scene(s) for s in (1, 2, 3)], axis=-1)
    for number, stored in enumerate((rgb.astype(np.uint16) * 16, np.stack([rgb[..., 0]] * 5, -1))):
        tifffile.imwrite(
            tmp_path / f"{number}.tif",
            stored,
            photometric="rgb" if number == 0 else "minisblack",
            planarconfig="contig",
        )
    colours = np.asarray(decode(tmp_path / "0.tif", window=Window(0, 4095))).astype(int)
    assert np.abs(colours - rgb).max() <= 1
    assert np.array_equal(np.asarray(decode(tmp_path / "1.tif"))[..., 0], rgb[..., 0])


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ((100_000_000, 1, 3, 65), "too many pixels"),
        ((70_000, 10, 3, 10**6), "too many pixels"),
        ((11_000, 11_000, 4, 46), "too many pixels for its size"),
        ((11_000, 11_000, 16, 10**9), "too large when decoded"),
        ((0, 5, 1, 100), "damaged"),
    ],
)
def test_a_header_that_claims_too_much_is_refused(
    header: tuple[int, int, int, int], why: str
) -> None:
    with pytest.raises(UnreadableImageError, match=why):
        limits.check(*header)


def test_many_passes_over_a_large_picture_are_refused() -> None:
    limits.check(12_000, 9_000, 3, 10**7, passes=12)
    with pytest.raises(UnreadableImageError, match="too many passes"):
        limits.check(12_000, 9_000, 3, 10**7, passes=1000)


def test_the_budget_of_all_threads_is_never_overdrawn_nor_a_trap() -> None:
    budget = limits.Budget(100)
    with budget.hold(1000):  # one is always let through
        pass
    with budget.hold(60), budget.hold(40):
        assert budget._held == 100
    assert budget._held == 0


def test_gigabytes_of_nothing_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.jpg").open("wb") as file:
        file.truncate(2**29)
    with pytest.raises(UnreadableImageError, match="zeros alone"):
        decode(tmp_path / "x.jpg")
    with (tmp_path / "x.jpg").open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(UnreadableImageError, match="larger than 1 GiB"):
        decode(tmp_path / "x.jpg")


def test_memory_that_runs_out_is_the_images_own_fault(tmp_path: Path) -> None:
    sets(tmp_path, lambda g: g)
    Image.new("RGB", (300, 200)).save(tmp_path / "a" / "huge.png")

    def greedy(image: Image.Image, raw: bytes) -> Any:
        if image.width == 300:
            raise MemoryError
        return measure(image, raw)

    one = read_sets([ImageSet.from_folder(tmp_path / "a")], measure=greedy, version="1")[0]
    assert [(Path(s.path).name, s.reason) for s in one.images.skipped] == [
        ("huge.png", "there is not enough memory for it")
    ]


def test_thumbnails_carry_pixels_alone(tmp_path: Path) -> None:
    from visdiff_local.results.folder import _thumbnail
    from visdiff_local.types import ImageRef

    for name, options in (
        ("x.jpg", {"comment": b"Jane Doe"}),
        ("x.png", {"exif": _exif()}),
        ("x.gif", {"comment": b"Jane Doe"}),
    ):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name, **options)
    for ref in ImageSet.from_folder(tmp_path).images:
        assert isinstance(ref, ImageRef)
        assert b"Jane" in ref.at.read()
        assert b"Jane" not in _thumbnail(ref)


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    return exif
