"""Light: what time of day and weather do to the colours of sky, ground and objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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

    def on_objects(self, colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """uint8 (n, 3) colours as they look on objects in this light, kept recognisable."""
        lit = colours * np.array(_HOURS[self.time].objects)
        if self.weather == "fog":
            lit += (np.array(self.fog) - lit) * 0.2
        return np.asarray(lit.round(), dtype=np.uint8)
