"""Drawings, what is measured on them, and confounds that are planted."""

import io
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from visdiff_local import measure as measured
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.world import sample_scene
from visdiff_local.measure import Measurement, measure
from visdiff_local.stats import Design
from visdiff_local.types import MeasuredDifference

ALPHA = 0.05


def stored(image: Image.Image, file_format: str = "JPEG", **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **({"quality": 90} | options))
    return buffer.getvalue()


def measured_as_stored(image: Image.Image, **options: int) -> Measurement:
    raw = stored(image, **options)
    return measure(Image.open(io.BytesIO(raw)).convert("RGB"), raw)


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
