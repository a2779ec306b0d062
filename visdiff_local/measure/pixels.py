"""Attributes computed from pixels. Each is one number an image, in the units its line says."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

FloatArray = npt.NDArray[np.float32]
GreyArray = npt.NDArray[np.uint8]

PIXEL_ATTRIBUTES: dict[str, str] = {
    "brightness": "mean luma, 0 to 1",
    "contrast": "standard deviation of luma, 0 to 0.5",
    "saturation": "mean HSV saturation, 0 to 1",
    "peak saturation": "99th percentile of HSV saturation where it is not dark, 0 to 1",
    "colourfulness": "Hasler & Süsstrunk 2003, eq. 3; about 0 to 110",
    "warmth": "mean hue as a direction, orange against blue: −1 to 1",
    "greenness": "mean hue as a direction, green against magenta: −1 to 1",
    "greyscale": "share of pixels without colour, 0 to 1",
    "sharpness": "standard deviation of the Laplacian of luma, grey levels",
    "noise": "Immerkær 1996, standard deviation in grey levels",
    "edge density": "share of pixels on an edge, 0 to 1",
    "border width": "plain frame on all four sides, share of the shorter side",
    "letterboxing": "plain bars on two opposite sides beyond the frame, share of that side",
    "aspect ratio": "width / height",
}

_SMALL = 256
"""Colour is averaged down until the longer side has less than twice this many pixels."""

_DETAIL = 384
"""Sharpness, noise and edges are measured at full resolution on the middle, this wide and high."""

_COLOURLESS = 8.0
"""Largest difference between channels, in levels, that JPEG leaves in a grey picture."""

_DARK = 48
"""Below this level the saturation of a pixel is mostly noise."""

_EDGE = 48
"""Gradient, in grey levels over two pixels, that counts as an edge."""

_PLAIN = 12
"""Largest deviation, in grey levels, from a plain line's colour: JPEG rings beside a border."""


def pixel_attributes(image: Image.Image, small: Image.Image) -> tuple[float, ...]:
    """The values of :data:`PIXEL_ATTRIBUTES`, in order.

    Args:
        image: decoded, RGB, at full size.
        small: the same, averaged down by :func:`averaged_down`.
    """
    grey = np.asarray(image.convert("L"))
    return (
        *_light(small.convert("L")),
        *_colour(*(np.asarray(band, np.float32) for band in small.split())),
        *_detail(_centre(grey)),
        *_frame(grey),
        image.width / image.height,
    )


def averaged_down(image: Image.Image) -> Image.Image:
    """The image with its longer side below 512 pixels, each the mean of a square of pixels."""
    return image.reduce(max(1, max(image.size) // _SMALL))


def _light(grey: Image.Image) -> tuple[float, float]:
    counts = np.array(grey.histogram(), np.float64)
    share, levels = counts / counts.sum(), np.arange(256) / 255
    mean = float(share @ levels)
    return mean, float(np.sqrt(share @ (levels - mean) ** 2))


def _colour(
    red: FloatArray, green: FloatArray, blue: FloatArray
) -> tuple[float, float, float, float, float, float]:
    """Saturation, its peak, colourfulness, warmth, greenness, greyscale."""
    highest = np.maximum(np.maximum(red, green), blue)
    chroma = highest - np.minimum(np.minimum(red, green), blue)
    saturation = chroma / np.maximum(highest, np.float32(1))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    colourfulness = np.hypot(red_green.std(), yellow_blue.std()) + 0.3 * np.hypot(
        red_green.mean(), yellow_blue.mean()
    )
    warmth, greenness = _mean_hue(red, green, blue)
    return (
        float(saturation.mean()),
        _peak(saturation[highest > _DARK]),
        float(colourfulness),
        warmth,
        greenness,
        float((chroma <= _COLOURLESS).mean()),
    )


def _peak(values: npt.NDArray[np.floating[Any]]) -> float:
    """99th percentile, of every fourth value: enough of them, and four times as fast."""
    return float(np.percentile(values[::4], 99)) if len(values) else 0.0


def _mean_hue(red: FloatArray, green: FloatArray, blue: FloatArray) -> tuple[float, float]:
    """The chroma-weighted mean of the hue's direction, along 30° (orange) and 120° (green)."""
    along = red - (green + blue) / 2
    across = np.float32(np.sqrt(3) / 2) * (green - blue)
    weight = float(np.hypot(along, across).mean())
    if weight < 1e-3:
        return 0.0, 0.0
    x, y = float(along.mean()) / weight, float(across.mean()) / weight
    angles = np.radians([30.0, 120.0])
    warmth, greenness = x * np.cos(angles) + y * np.sin(angles)
    return float(warmth), float(greenness)


def _centre(grey: GreyArray) -> npt.NDArray[np.int16]:
    top, left = (max(0, (side - _DETAIL) // 2) for side in grey.shape)
    return grey[top : top + _DETAIL, left : left + _DETAIL].astype(np.int16)


def _detail(grey: npt.NDArray[np.int16]) -> tuple[float, float, float]:
    """Sharpness, noise, edge density; 0 where the image is too small to tell."""
    if min(grey.shape) < 3:
        return 0.0, 0.0, 0.0
    down = grey[:-2] + grey[2:] - 2 * grey[1:-1]  # second differences, and then across both
    across = grey[:, :-2] + grey[:, 2:] - 2 * grey[:, 1:-1]
    laplacian = (down[:, 1:-1] + across[1:-1]).astype(np.float32)
    both = down[:, :-2] + down[:, 2:] - 2 * down[:, 1:-1]
    noise = np.sqrt(np.pi / 2) / 6 * np.abs(both).mean(dtype=np.float64)
    steps = np.abs(grey[2:, 1:-1] - grey[:-2, 1:-1])
    np.maximum(steps, np.abs(grey[1:-1, 2:] - grey[1:-1, :-2]), out=steps)
    spread = np.dot(laplacian.ravel(), laplacian.ravel()) / laplacian.size - laplacian.mean() ** 2
    return float(np.sqrt(max(spread, 0.0))), float(noise), float((steps > _EDGE).mean())


def _frame(grey: GreyArray) -> tuple[float, float]:
    """Border width and letterboxing, from plain lines counted inwards from each side.

    A picture that is plain altogether has neither: nothing tells its frame from its content.
    """
    height, width = grey.shape
    top, bottom = _plain_lines(grey), _plain_lines(grey[::-1])
    if top == height:
        return 0.0, 0.0
    left, right = _plain_lines(grey.T), _plain_lines(grey.T[::-1])
    border = min(top, bottom, left, right)
    bars = max((min(top, bottom) - border) / height, (min(left, right) - border) / width)
    return border / min(height, width), bars


def _plain_lines(grey: GreyArray) -> int:
    """How many of the first rows hold a single colour, the same in all of them."""
    colour = float(np.median(grey[0]))
    for count, line in enumerate(grey):
        if line.max() - colour > _PLAIN or colour - line.min() > _PLAIN:
            return count
    return len(grey)
