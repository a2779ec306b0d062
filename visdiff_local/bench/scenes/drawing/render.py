"""Scene → picture: setting, placement, objects, weather, rendering, in this order.

Everything is painted at twice the size asked for and then averaged down, which smooths edges.
A picture is a function of its scene and its size alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from visdiff_local.bench.scenes.drawing import effects
from visdiff_local.bench.scenes.drawing.backdrops import paint_backdrop
from visdiff_local.bench.scenes.drawing.canvas import Canvas
from visdiff_local.bench.scenes.drawing.light import Light
from visdiff_local.bench.scenes.drawing.palette import palette_of
from visdiff_local.bench.scenes.drawing.placement import place
from visdiff_local.bench.scenes.world import Scene

_SUPERSAMPLING = 2
_SMALLEST = 32


@dataclass(frozen=True)
class Rendered:
    """A picture and what is where in it.

    Attributes:
        image: RGB, (size, size).
        mask: uint8 (size, size); 0 background, 1 main object, 2 accessory, 3 landmark.
    """

    image: Image.Image
    mask: npt.NDArray[np.uint8]


def render(scene: Scene, size: int = 96) -> Rendered:
    """Draws the scene as a square picture of ``size`` pixels.

    Raises:
        ValueError: ``size`` is below 32.
    """
    if size < _SMALLEST:
        raise ValueError(f"pictures are drawn from {_SMALLEST} pixels upwards, not {size}")
    rng = np.random.default_rng(scene.seed)
    light = Light(scene.time, scene.weather)
    stage = paint_backdrop(scene.setting, light, size * _SUPERSAMPLING, rng)
    background = effects.veil(stage.image, light, rng) if scene.weather == "fog" else stage.image
    canvas = Canvas(stage, background)
    palette = palette_of(scene.colour, scene.accessory, light, rng)
    place(canvas, scene, rng)
    image = canvas.coloured(palette)
    effects.fall(image, light, rng)
    image = image.reduce(_SUPERSAMPLING)
    mask = np.ascontiguousarray(canvas.mask[::_SUPERSAMPLING, ::_SUPERSAMPLING])
    return Rendered(*effects.rendered(image, mask, scene.rendering, rng))
