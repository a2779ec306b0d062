"""What happens to a finished picture: weather in front of it, and the eight renderings."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from visdiff_local.bench.scenes.drawing.light import Light

Mask = npt.NDArray[np.uint8]
Effect = Callable[[Image.Image, np.random.Generator], Image.Image]


def fall(image: Image.Image, light: Light, rng: np.random.Generator) -> None:
    """Rain or snowflakes over the whole picture, in place."""
    side, draw = image.width, ImageDraw.Draw(image)
    if light.weather == "rain":
        slant, width = float(rng.uniform(-0.35, -0.15)), max(1, round(side / 120))
        streak = (120, 136, 176) if light.dark else (96, 116, 150)
        pale = (164, 178, 210) if light.dark else (198, 212, 232)
        for index, (x, y, size) in enumerate(rng.random((90, 3)).tolist()):
            length = (0.05 + 0.07 * size) * side
            start = (x * 1.3 * side, (y * 1.1 - 0.1) * side)
            end = (start[0] + slant * length, start[1] + length)
            draw.line((*start, *end), fill=pale if index % 2 else streak, width=width)
    elif light.weather == "snowfall":
        rim = (96, 104, 130) if light.dark else (140, 152, 178)
        for x, y, size in rng.random((60, 3)).tolist():
            cx, cy, r = x * side, y * side, (0.009 + 0.011 * size) * side
            edge = r + side / 170
            draw.ellipse((cx - edge, cy - edge, cx + edge, cy + edge), fill=rim)
            draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=(252, 253, 255))


def veil(image: Image.Image, light: Light, rng: np.random.Generator) -> Image.Image:
    """The background behind fog: soft, pale, with drifting banks."""
    side = image.width
    small = image.resize((side // 4, side // 4), Image.Resampling.BOX)
    soft = small.filter(ImageFilter.BoxBlur(1)).resize(image.size, Image.Resampling.BILINEAR)
    thickness = rng.uniform(105, 185, (5, 3)).astype(np.uint8)
    banks = Image.fromarray(thickness).resize(image.size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", image.size, light.fog), soft, banks)


def _sketch(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Pencil on white paper: contours by colour dodge, hatching where it is dark."""
    side = image.width
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    blurred = grey.filter(ImageFilter.GaussianBlur(side * 0.03))
    tone = np.asarray(grey, dtype=np.float32)
    lines = np.minimum(255.0, tone * 255.0 / (np.asarray(blurred, dtype=np.float32) + 1.0))
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / np.float32(side)
    pitch = float(rng.uniform(0.03, 0.04))
    hatched = ((x + y) % pitch < pitch * 0.45) & (tone < 130)
    crossed = ((x - y) % pitch < pitch * 0.45) & (tone < 70)
    paper = np.where(hatched | crossed, lines * 0.72 - 8, lines)
    paper = 250.0 - (255.0 - paper) * 1.15
    return Image.fromarray(paper.clip(25, 250).astype(np.uint8)).convert("RGB")


def _black_and_white(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.convert("L").convert("RGB")


def _pixelated(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    blocks = int(rng.integers(27, 33))
    small = image.resize((blocks, blocks), Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.NEAREST)


def _blurry(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(image.width * float(rng.uniform(0.014, 0.019))))


def _painting(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Slanted brush strokes of one colour each, few tones, the weave of the canvas."""
    side = image.width
    long, short = max(3, round(side * 0.06)), max(2, round(side * 0.021))
    y, x = np.mgrid[0:side, 0:side]
    along, across = x + y, x - y + side
    row = across // short
    start = rng.integers(0, long, row.max() + 1)[row]
    column = (along + start) // long
    middle_along = column * long + long // 2 - start
    middle_across = row * short + short // 2
    from_x = ((middle_along + middle_across - side) // 2).clip(0, side - 1)
    from_y = ((middle_along - middle_across + side) // 2).clip(0, side - 1)
    # every stroke takes the colour at its middle; a quarter of the true picture keeps contours
    strokes = np.asarray(image.filter(ImageFilter.BoxBlur(side / 140)))[from_y, from_x]
    shine = rng.uniform(-16, 16, (int(row.max()) + 1, int(column.max()) + 1))[row, column]
    weave = 7.0 * ((x // max(1, side // 96) + y // max(1, side // 96)) % 2)
    painted = 0.75 * strokes + 0.25 * np.asarray(image) + (shine + weave)[:, :, None]
    flat = np.round(painted.clip(0, 255) / 36.0) * 36.0
    return Image.fromarray((0.5 * flat + 0.5 * painted).clip(0, 255).astype(np.uint8))


def _vintage(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A faded print: sepia over the colours, lifted blacks, dark corners."""
    side = image.width
    sepia = ImageOps.colorize(image.convert("L"), (58, 38, 20), (246, 226, 178), mid=(158, 124, 82))
    faded = np.asarray(Image.blend(image, sepia, 0.4), dtype=np.float32) * 0.82 + 30
    ramp = np.linspace(-1, 1, side, dtype=np.float32) ** 2
    corner = 1.0 - 0.4 * np.maximum(0, ramp[:, None] + ramp[None, :] - 0.55)
    return Image.fromarray((faded * corner[:, :, None]).clip(0, 255).astype(np.uint8))


_RENDERINGS: Mapping[str, Effect] = {
    "sketch": _sketch, "black and white": _black_and_white, "pixelated": _pixelated,
    "blurry": _blurry, "painting": _painting, "vintage": _vintage,
}  # fmt: skip
_MOULDINGS = ((196, 150, 58), (98, 62, 36), (34, 32, 34))


def rendered(
    image: Image.Image, mask: Mask, rendering: str, rng: np.random.Generator
) -> tuple[Image.Image, Mask]:
    """The picture in this rendering, and its mask, moved where the rendering moves things."""
    if rendering == "framed":
        return _framed(image, mask, rng)
    if rendering == "photo":
        return image, mask
    return _RENDERINGS[rendering](image, rng), mask


def _framed(image: Image.Image, mask: Mask, rng: np.random.Generator) -> tuple[Image.Image, Mask]:
    """Hung up: a bevelled moulding and a white mat around a smaller picture."""
    side = image.width
    border, mat = round(side * float(rng.uniform(0.085, 0.105))), max(1, round(side * 0.03))
    moulding = _MOULDINGS[int(rng.integers(len(_MOULDINGS)))]
    frame = Image.new("RGB", image.size, moulding)
    draw = ImageDraw.Draw(frame)
    for depth, factor in ((0.15, 1.35), (0.55, 0.7), (0.75, 1.15)):
        inset = round(border * depth)
        colour = tuple(min(255, round(channel * factor)) for channel in moulding)
        draw.rectangle((inset, inset, side - 1 - inset, side - 1 - inset), fill=colour)
    draw.rectangle((border, border, side - 1 - border, side - 1 - border), fill=(244, 240, 230))
    start, inner = border + mat, side - 2 * (border + mat)
    frame.paste(
        image.resize((inner, inner), Image.Resampling.BICUBIC, reducing_gap=2.0), (start, start)
    )
    framed_mask = np.zeros_like(mask)
    small = Image.fromarray(mask).resize((inner, inner), Image.Resampling.NEAREST)
    framed_mask[start : start + inner, start : start + inner] = np.asarray(small)
    return frame, framed_mask
