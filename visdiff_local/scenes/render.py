"""Scene → picture: setting, placement, objects, weather, rendering, in this order.

Everything is painted at twice the size asked for and then averaged down, which smooths edges.
A picture is a function of its scene and its size alone.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from visdiff_local.scenes import accessories, effects
from visdiff_local.scenes.backdrops import paint_backdrop
from visdiff_local.scenes.light import Light, Stage
from visdiff_local.scenes.objects import Sprite, draw_object, outline_width, with_outline, worn
from visdiff_local.scenes.palette import palette_of
from visdiff_local.scenes.pen import Ink, Labels, Pen
from visdiff_local.scenes.world import Scene

BACKGROUND, OBJECT, ACCESSORY, LANDMARK = range(4)
"""Values of :attr:`Rendered.mask`."""

_SUPERSAMPLING = 2
_FLOATING = frozenset(("underwater", "night sky"))
_FLYING = frozenset(("airplane", "butterfly"))
_SCALES = {
    "medium": {"one": 0.47, "two": 0.38, "three": 0.31, "many": 0.27},
    "far away": {"one": 0.235, "two": 0.215, "three": 0.19, "many": 0.165},
}
"""Longest side of an object as a share of the frame, by size and count."""
_CLOSE_UP = (0.8, 0.98)
_WIDE = 1.12
"""How much larger kinds that are much wider than tall are drawn, so that none looks far away."""
_WIDE_KINDS = frozenset(
    (
        "bus",
        "truck",
        "car",
        "train",
        "airplane",
        "bicycle",
        "fish",
        "snake",
        "turtle",
        "bed",
        "table",
    )
)


@dataclass(frozen=True)
class Rendered:
    """A picture and what is where in it.

    Attributes:
        image: RGB, (size, size).
        mask: uint8 (size, size); 0 background, 1 main object, 2 accessory, 3 landmark.
    """

    image: Image.Image
    mask: npt.NDArray[np.uint8]


class _Spot(NamedTuple):
    """Where the middle of an object's feet stands, as a share of the frame."""

    x: float
    foot: float


class _Canvas:
    """The picture in the making: colours and mask at working resolution."""

    def __init__(
        self, stage: Stage, background: Image.Image, palette: npt.NDArray[np.uint8]
    ) -> None:
        self.stage, self.palette = stage, palette
        self.pixels = np.array(background)
        self.mask = np.zeros(self.pixels.shape[:2], dtype=np.uint8)

    @property
    def side(self) -> int:
        return len(self.mask)

    def paste(self, labels: Labels, left: int, top: int, value: int) -> None:
        """Paints a sprite with its upper left corner there, cut off at the frame."""
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(self.side, left + labels.shape[1]), min(self.side, top + labels.shape[0])
        if x0 >= x1 or y0 >= y1:
            return
        part = labels[y0 - top : y1 - top, x0 - left : x1 - left]
        drawn = part > 0
        self.pixels[y0:y1, x0:x1][drawn] = self.palette[part[drawn]]
        self.mask[y0:y1, x0:x1][drawn] = value
        self.mask[y0:y1, x0:x1][worn(part)] = ACCESSORY

    def shadow(self, x: float, foot: float, width: float) -> None:
        """A soft-looking dark patch under an object ``width`` wide, all as shares of the frame."""
        side = self.side
        half, flat = width * side * 0.5, max(1.0, width * side * 0.09)
        x0, x1 = max(0, int(x * side - half)), min(side, int(x * side + half) + 1)
        y0, y1 = max(0, int(foot * side - flat)), min(side, int(foot * side + flat) + 1)
        if x0 >= x1 or y0 >= y1:
            return
        u = (np.arange(x0, x1) - x * side) / half
        v = (np.arange(y0, y1) - foot * side) / flat
        inside = u[None, :] ** 2 + v[:, None] ** 2 < 1
        patch = self.pixels[y0:y1, x0:x1]
        patch[inside] = (patch[inside] * 0.72).astype(np.uint8)


def render(scene: Scene, size: int = 96) -> Rendered:
    """Draws the scene as a square picture of ``size`` pixels.

    Raises:
        ValueError: ``size`` is below 32.
    """
    if size < 32:
        raise ValueError(f"pictures are drawn from 32 pixels upwards, not {size}")
    rng = np.random.default_rng(scene.seed)
    light = Light(scene.time, scene.weather)
    stage = paint_backdrop(scene.setting, light, size * _SUPERSAMPLING, rng)
    background = effects.veil(stage.image, light, rng) if scene.weather == "fog" else stage.image
    canvas = _Canvas(stage, background, palette_of(scene.colour, scene.accessory, light, rng))
    if scene.relation == "none":
        _place_freely(canvas, scene, rng)
    else:
        _place_by_landmark(canvas, scene, rng)
    image = Image.fromarray(canvas.pixels)
    effects.fall(image, light, rng)
    image = image.reduce(_SUPERSAMPLING)
    mask = np.ascontiguousarray(canvas.mask[::_SUPERSAMPLING, ::_SUPERSAMPLING])
    return Rendered(*effects.rendered(image, mask, scene.rendering, rng))


def _sprite(scene: Scene, scale: float, side: int, rng: np.random.Generator) -> Sprite:
    return draw_object(
        scene.kind,
        scale * side,
        rng,
        pattern=scene.pattern,
        accessory=scene.accessory,
        mirrored=scene.facing == "left" or (scene.facing == "none" and rng.random() < 0.5),
    )


def _place_freely(canvas: _Canvas, scene: Scene, rng: np.random.Generator) -> None:
    if scene.size == "close-up":
        _place_close_up(canvas, scene, rng)
        return
    scale = _SCALES[scene.size][scene.count]
    if scene.kind in _WIDE_KINDS and scene.count == "one":
        scale *= _WIDE
    for spot in _spots(scene, canvas.stage, scale, rng):
        sprite = _sprite(scene, scale * float(rng.uniform(0.94, 1.06)), canvas.side, rng)
        _put(canvas, sprite, spot, scene)


def _place_close_up(canvas: _Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """One object that fills the frame; worn things are kept inside it."""
    above = {"none": 0.0, "balloon": 0.5, "hat": 0.14, "crown": 0.14}.get(scene.accessory, 0.0)
    scale = float(rng.uniform(*_CLOSE_UP)) / (1 + above)
    sprite = _sprite(scene, scale, canvas.side, rng)
    height, width = sprite.labels.shape
    left = (canvas.side - width) // 2 + int(rng.integers(-3, 4) * canvas.side // 100)
    top = round((canvas.side - height) * float(rng.uniform(0.5, 0.9)))
    canvas.paste(sprite.labels, left, top, OBJECT)


def _spots(scene: Scene, stage: Stage, scale: float, rng: np.random.Generator) -> list[_Spot]:
    """Where the objects stand, back to front, far enough apart to be counted."""
    columns = {"one": [1], "two": [2], "three": [3]}.get(scene.count)
    if columns is None:
        columns = [[2, 3], [3, 3], [3, 4]][int(rng.integers(3))]
    far = scene.size == "far away"
    floating = scene.setting in _FLOATING
    ground = 0.3 if floating else stage.horizon
    depth = 0.25 if far else 0.75
    front = min(0.95, max(ground + (0.96 - ground) * depth, scale * 1.02 + 0.03))
    if floating or scene.kind in _FLYING:
        front = float(rng.uniform(0.45, 0.7)) + scale / 2
    spots = []
    for row, number in enumerate(columns):
        foot = front - (len(columns) - 1 - row) * scale * 1.2
        pitch = min(0.98 / number, scale * (1.5 if number > 2 else 1.7))
        if number == 1:
            pitch = 0.0
        middle = 0.5 + float(rng.uniform(-1, 1)) * max(
            0.0, (0.98 - pitch * (number - 1) - scale * 1.05) / 2
        )
        for column in range(number):
            x = middle + (column - (number - 1) / 2) * pitch
            jitter = rng.uniform(-0.06, 0.06, 2) * scale
            spots.append(_Spot(x + float(jitter[0]), min(0.97, foot + float(jitter[1]))))
    return spots


def _put(canvas: _Canvas, sprite: Sprite, spot: _Spot, scene: Scene) -> None:
    """Stands one sprite on its spot: shadow, object, and waves where there is water."""
    side = canvas.side
    width = (sprite.right - sprite.left) / side
    x = min(max(spot.x, width / 2 + 0.01), 1 - width / 2 - 0.01)
    aloft = scene.setting in _FLOATING or scene.kind in _FLYING
    if not aloft and scene.setting != "ocean":
        canvas.shadow(x, spot.foot, width)
    left = round(x * side - (sprite.left + sprite.right) / 2)
    top = max(round(spot.foot * side) - sprite.bottom, round(0.01 * side))
    labels = sprite.labels
    if scene.setting == "ocean" and not aloft:
        labels = _awash(labels, sprite, canvas)
    canvas.paste(labels, left, top, OBJECT)


def _awash(labels: Labels, sprite: Sprite, canvas: _Canvas) -> Labels:
    """The sprite with its lowest part under a wavy waterline."""
    labels = labels.copy()
    rows = np.arange(labels.shape[0])[:, None]
    columns = np.arange(labels.shape[1])[None, :]
    wave = 0.012 * canvas.side * np.sin(columns * 40.0 / canvas.side)
    depth = sprite.bottom - 0.14 * (sprite.bottom - sprite.top) + wave
    labels[rows > depth] = Ink.NONE
    labels[(np.abs(rows - depth) < 0.008 * canvas.side) & (labels > 0)] = Ink.WHITE
    return labels


def _place_by_landmark(canvas: _Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """One object beside, on or in a box or barrel."""
    side, relation = canvas.side, scene.relation
    size = {"on top of": 0.36, "inside": 0.48}.get(relation, 0.34) * float(rng.uniform(0.95, 1.05))
    foot = float(rng.uniform(0.88, 0.95))
    scale = 0.5 if relation == "inside" and scene.kind not in _WIDE_KINDS else 0.42
    scale *= float(rng.uniform(0.95, 1.05))
    sprite = _sprite(scene, scale, side, rng)
    at = float(rng.uniform(0.42, 0.58))
    if relation in ("left of", "right of"):
        at = (
            float(rng.uniform(0.74, 0.78))
            if relation == "left of"
            else float(rng.uniform(0.22, 0.26))
        )
    pen_rng = np.random.default_rng(rng.integers(2**32))
    front = _landmark(scene, size * side, pen_rng, opened=relation == "inside")
    top = round(foot * side) - front.shape[0]
    left = round(at * side) - front.shape[1] // 2
    if scene.setting not in _FLOATING:
        canvas.shadow(at, foot, front.shape[1] / side)
    if relation == "inside":
        rim = round(0.06 * size * side)
        canvas.paste(
            _opening(scene, size * side, pen_rng), left, top - round(0.1 * size * side), LANDMARK
        )
        sunk = round((sprite.bottom - sprite.top) * float(rng.uniform(0.42, 0.5)))
        _paste_standing(canvas, sprite, at, top + rim + sunk)
        canvas.paste(front, left, top, LANDMARK)
        return
    canvas.paste(front, left, top, LANDMARK)
    if relation == "on top of":
        _paste_standing(canvas, sprite, at, top + round(0.06 * size * side))
        return
    gap = front.shape[1] / side / 2 + (sprite.right - sprite.left) / side / 2 + 0.03
    x = at - gap if relation == "left of" else at + gap
    _put(canvas, sprite, _Spot(x, foot + float(rng.uniform(-0.03, 0.02))), scene)


def _paste_standing(canvas: _Canvas, sprite: Sprite, x: float, foot: int) -> None:
    left = round(x * canvas.side - (sprite.left + sprite.right) / 2)
    canvas.paste(sprite.labels, left, max(0, foot - sprite.bottom), OBJECT)


def _landmark(scene: Scene, scale: float, rng: np.random.Generator, *, opened: bool) -> Labels:
    pen = Pen(scale, outline_width(scale), rng, stretch=(float(rng.uniform(0.95, 1.08)), 1.0))
    accessories.draw_landmark(pen, scene.landmark, opened=opened)
    return _cut_out(pen)


def _opening(scene: Scene, scale: float, rng: np.random.Generator) -> Labels:
    pen = Pen(scale, outline_width(scale), rng)
    accessories.draw_opening(pen, scene.landmark)
    return _cut_out(pen)


def _cut_out(pen: Pen) -> Labels:
    """What the pen has drawn, outlined and cropped."""
    labels = with_outline(np.asarray(pen.image), round(pen.edge))
    rows, columns = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    return labels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
