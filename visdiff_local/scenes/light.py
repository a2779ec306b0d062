"""Light: what time of day and weather do to the colours of sky, ground and objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]


class _Hour(NamedTuple):
    sky_top: Colour
    sky_low: Colour
    ground: tuple[float, float, float]
    objects: tuple[float, float, float]


_HOURS: Mapping[str, _Hour] = {
    "day": _Hour((96, 164, 228), (196, 224, 246), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
    "sunrise": _Hour((186, 204, 240), (255, 232, 196), (1.0, 0.93, 0.86), (1.0, 0.98, 0.94)),
    "sunset": _Hour((104, 48, 120), (252, 112, 36), (0.76, 0.56, 0.5), (0.96, 0.88, 0.86)),
    "night": _Hour((8, 12, 42), (26, 36, 84), (0.3, 0.35, 0.5), (0.84, 0.85, 0.94)),
}
_OVERCAST: Mapping[str, float] = {"clear": 0.0, "rain": 0.65, "snowfall": 0.55, "fog": 0.6}
_CLOUD_GREY: Mapping[str, Colour] = {
    "day": (158, 166, 176), "sunrise": (206, 194, 186), "sunset": (150, 108, 104),
    "night": (36, 42, 60),
}  # fmt: skip


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour ``share`` of the way from the first to the second."""
    r, g, b = (round(x + (y - x) * share) for x, y in zip(first, second, strict=True))
    return r, g, b


def scaled(colour: Colour, factors: tuple[float, float, float]) -> Colour:
    r, g, b = (min(255, max(0, round(x * f))) for x, f in zip(colour, factors, strict=True))
    return r, g, b


@dataclass(frozen=True)
class Light:
    """The light of one time of day and weather."""

    time: str
    weather: str

    @property
    def dark(self) -> bool:
        return self.time == "night"

    @property
    def clear(self) -> bool:
        return self.weather == "clear"

    @property
    def sky(self) -> tuple[Colour, Colour]:
        """Colours at the zenith and at the horizon."""
        hour, share = _HOURS[self.time], _OVERCAST[self.weather]
        grey = _CLOUD_GREY[self.time]
        return mix(hour.sky_top, grey, share), mix(hour.sky_low, grey, share * 0.8)

    @property
    def fog(self) -> Colour:
        return mix((224, 228, 232), _CLOUD_GREY[self.time], 0.75 if self.dark else 0.35)

    def ground(self, colour: Colour) -> Colour:
        """The colour as background in this light."""
        lit = scaled(colour, _HOURS[self.time].ground)
        return lit if self.clear else mix(lit, _CLOUD_GREY[self.time], 0.22)

    def on_object(self, colour: Colour) -> Colour:
        """The colour on an object in this light, kept recognisable."""
        lit = scaled(colour, _HOURS[self.time].objects)
        return mix(lit, self.fog, 0.2) if self.weather == "fog" else lit


class Stage:
    """The background while it is painted: unit coordinates, y down, colours as given.

    Attributes:
        image: RGB (side, side).
        horizon: where the sky ends, as a share of the height.
    """

    def __init__(self, side: int, horizon: float, light: Light, rng: np.random.Generator) -> None:
        self.side, self.horizon, self.light, self.rng = side, horizon, light, rng
        self.image = Image.new("RGB", (side, side))
        self.draw = ImageDraw.Draw(self.image)
        self.sun_x = 0.5

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.rng.random()

    def gradient(self, top: float, bottom: float, first: Colour, last: Colour) -> None:
        """Fills the rows between two heights, from the first colour down to the last."""
        start, end = round(top * self.side), round(bottom * self.side)
        if end > start:
            ramp = (
                Image.linear_gradient("L").resize((1, end - start)).resize((self.side, end - start))
            )
            upper, lower = (Image.new("RGB", ramp.size, colour) for colour in (first, last))
            self.image.paste(Image.composite(lower, upper, ramp), (0, start))

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        side = self.side
        self.draw.polygon([(x * side, y * side) for x, y in points], fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        side = self.side
        self.draw.rectangle((left * side, top * side, right * side, bottom * side), fill=colour)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float, colour: Colour) -> None:
        side = self.side
        box = (
            (x - radius_x) * side,
            (y - radius_y) * side,
            (x + radius_x) * side,
            (y + radius_y) * side,
        )
        self.draw.ellipse(box, fill=colour)

    def line(self, points: list[tuple[float, float]], width: float, colour: Colour) -> None:
        side = self.side
        self.draw.line(
            [(x * side, y * side) for x, y in points],
            fill=colour,
            width=max(1, round(width * side)),
        )
