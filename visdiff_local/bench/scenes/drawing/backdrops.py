"""The background of a picture: a setting under its sky."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from visdiff_local.bench.scenes.drawing import built, nature
from visdiff_local.bench.scenes.drawing.light import Light
from visdiff_local.bench.scenes.drawing.sky import sky
from visdiff_local.bench.scenes.drawing.stage import Stage
from visdiff_local.bench.scenes.world import ENCLOSED


class _Setting(NamedTuple):
    paint: Callable[[Stage], None]
    highest: float
    lowest: float
    """Between these shares of the height, counted from the top, lies the horizon."""


_SETTINGS: Mapping[str, _Setting] = {
    "snow": _Setting(nature.snow, 0.48, 0.6),
    "beach": _Setting(nature.beach, 0.4, 0.48),
    "forest": _Setting(nature.forest, 0.52, 0.6),
    "city street": _Setting(built.city_street, 0.58, 0.66),
    "desert": _Setting(nature.desert, 0.48, 0.58),
    "ocean": _Setting(nature.ocean, 0.46, 0.56),
    "room": _Setting(built.room, 0.6, 0.68),
    "meadow": _Setting(nature.meadow, 0.5, 0.6),
    "night sky": _Setting(nature.night_sky, 1.0, 1.0),
    "road": _Setting(built.road, 0.44, 0.54),
    "mountains": _Setting(nature.mountains, 0.58, 0.66),
    "underwater": _Setting(nature.underwater, 0.84, 0.9),
}


def paint_backdrop(setting: str, light: Light, side: int, rng: np.random.Generator) -> Stage:
    """The painted background of one picture of ``side`` pixels, without weather in front of it."""
    chosen = _SETTINGS[setting]
    horizon = float(rng.uniform(chosen.highest, chosen.lowest))
    stage = Stage(side, horizon, light, rng)
    if setting not in ENCLOSED:
        sky(stage)
    chosen.paint(stage)
    return stage
