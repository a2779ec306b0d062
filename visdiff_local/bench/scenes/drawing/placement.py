"""Where objects and landmarks stand in a picture."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from visdiff_local.bench.scenes.drawing import accessories
from visdiff_local.bench.scenes.drawing.canvas import LANDMARK, OBJECT, Canvas
from visdiff_local.bench.scenes.drawing.objects import (
    Sprite,
    draw_object,
    outline_width,
    with_outline,
)
from visdiff_local.bench.scenes.drawing.pen import Ink, Labels, Pen
from visdiff_local.bench.scenes.drawing.stage import Stage
from visdiff_local.bench.scenes.world import Scene

_FLOATING = frozenset(("underwater", "night sky"))
_FLYING = frozenset(("airplane", "butterfly"))
_SCALES = {
    "medium": {"one": 0.47, "two": 0.38, "three": 0.285, "many": 0.25},
    "far away": {"one": 0.235, "two": 0.215, "three": 0.185, "many": 0.16},
}
"""Longest side of an object as a share of the frame, by size and count."""
_CLOSE_UP = (0.8, 0.98)
_WIDE = {"one": 1.12, "two": 1.0, "three": 0.9, "many": 1.0}
"""What the scale of kinds wider than tall is multiplied by: alone they must not look far away,
three abreast they must not touch."""
_WIDE_KINDS = frozenset(
    ("bus", "truck", "car", "train", "airplane", "bicycle", "fish", "snake", "turtle", "bed",
     "table")
)  # fmt: skip


class _Spot(NamedTuple):
    """Where the middle of an object's feet stands, as a share of the frame."""

    x: float
    foot: float


def place(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Puts all objects of the scene, and its landmark, onto the canvas."""
    if scene.relation != "none":
        _place_by_landmark(canvas, scene, rng)
    elif scene.size == "close-up":
        _place_close_up(canvas, scene, rng)
    else:
        _place_freely(canvas, scene, rng)


def _sprite(scene: Scene, scale: float, side: int, rng: np.random.Generator) -> Sprite:
    return draw_object(
        scene.kind,
        scale * side,
        rng,
        pattern=scene.pattern,
        accessory=scene.accessory,
        mirrored=scene.facing == "left" or (scene.facing == "none" and rng.random() < 0.5),
    )


def _place_freely(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    scale = _SCALES[scene.size][scene.count]
    if scene.kind in _WIDE_KINDS:
        scale *= _WIDE[scene.count]
    for spot in _spots(scene, canvas.stage, scale, rng):
        sprite = _sprite(scene, scale * float(rng.uniform(0.94, 1.06)), canvas.side, rng)
        _put(canvas, sprite, spot, scene)


def _place_close_up(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
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
        columns = [[2, 3], [3, 3], [2, 3, 2]][int(rng.integers(3))]
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
            aside, down = (rng.uniform(-1, 1, 2) * scale * (0.02, 0.05)).tolist()
            spots.append(_Spot(x + aside, min(0.97, foot + down)))
    return spots


def _put(canvas: Canvas, sprite: Sprite, spot: _Spot, scene: Scene) -> None:
    """Stands one sprite on its spot: shadow, object, and waves where there is water."""
    side = canvas.side
    width = (sprite.right - sprite.left) / side
    x = min(max(spot.x, width / 2 + 0.01), 1 - width / 2 - 0.01)
    aloft = scene.setting in _FLOATING or scene.kind in _FLYING
    if not aloft:
        _shade(canvas, scene, _Spot(x, spot.foot), width)
    left = round(x * side - (sprite.left + sprite.right) / 2)
    top = max(round(spot.foot * side) - sprite.bottom, round(0.01 * side))
    labels = sprite.labels
    if scene.setting == "ocean" and not aloft:
        labels = _awash(labels, sprite, canvas)
    canvas.paste(labels, left, top, OBJECT)


def _awash(labels: Labels, sprite: Sprite, canvas: Canvas) -> Labels:
    """The sprite with its lowest part under a wavy waterline."""
    labels = labels.copy()
    rows = np.arange(labels.shape[0])[:, None]
    columns = np.arange(labels.shape[1])[None, :]
    wave = 0.012 * canvas.side * np.sin(columns * 40.0 / canvas.side)
    depth = sprite.bottom - 0.14 * (sprite.bottom - sprite.top) + wave
    labels[rows > depth] = Ink.NONE
    labels[(np.abs(rows - depth) < 0.008 * canvas.side) & (labels > 0)] = Ink.WHITE
    return labels


def _place_by_landmark(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """One object beside, on or in a box or barrel."""
    middle, foot = float(rng.uniform(0.42, 0.58)), float(rng.uniform(0.88, 0.95))
    if scene.relation == "inside":
        _place_inside(canvas, scene, _Spot(middle, foot), rng)
        return
    sprite = _sprite(scene, 0.42 * float(rng.uniform(0.95, 1.05)), canvas.side, rng)
    if scene.relation == "on top of":
        size = 0.36 * float(rng.uniform(0.95, 1.05))
        top, _ = _put_landmark(canvas, scene, size, _Spot(middle, foot), rng)
        _paste_standing(canvas, sprite, middle, top + round(0.06 * size * canvas.side))
        return
    away = float(rng.uniform(0.22, 0.26))
    at = 1 - away if scene.relation == "left of" else away
    size = 0.34 * float(rng.uniform(0.95, 1.05))
    _, width = _put_landmark(canvas, scene, size, _Spot(at, foot), rng)
    gap = (width + (sprite.right - sprite.left) / canvas.side) / 2 + 0.03
    x = at - gap if scene.relation == "left of" else at + gap
    _put(canvas, sprite, _Spot(x, foot + float(rng.uniform(-0.03, 0.02))), scene)


def _place_inside(canvas: Canvas, scene: Scene, spot: _Spot, rng: np.random.Generator) -> None:
    """The upper half of one object looks out of an open landmark that is wider than it."""
    side, wide = canvas.side, scene.kind in _WIDE_KINDS
    scale = (0.36 if wide else 0.42) * float(rng.uniform(0.95, 1.05))
    sprite = _sprite(scene, scale, side, rng)
    size = 0.48 * float(rng.uniform(0.97, 1.05))
    inside_rng, front_rng = rng.spawn(2)
    front = _landmark(scene, size * side, front_rng, opened=True)
    top = round(spot.foot * side) - front.shape[0]
    left = round(spot.x * side) - front.shape[1] // 2
    opening = _opening(scene, size * side, inside_rng)
    _shade(canvas, scene, spot, front.shape[1] / side)
    canvas.paste(opening, left, top - round(0.1 * size * side), LANDMARK)
    hidden = round((sprite.bottom - sprite.top) * float(rng.uniform(0.42, 0.5)))
    kept = sprite.bottom - hidden + round(0.08 * size * side)  # down to the near rim
    upper = replace(sprite, labels=sprite.labels[:kept])
    _paste_standing(canvas, upper, spot.x, top + hidden)
    canvas.paste(front, left, top, LANDMARK)


def _put_landmark(
    canvas: Canvas, scene: Scene, size: float, spot: _Spot, rng: np.random.Generator
) -> tuple[int, float]:
    """Stands a closed landmark there: its top in pixels and its width as a share of the frame."""
    front = _landmark(scene, size * canvas.side, rng, opened=False)
    height, width = front.shape
    _shade(canvas, scene, spot, width / canvas.side)
    top = round(spot.foot * canvas.side) - height
    canvas.paste(front, round(spot.x * canvas.side) - width // 2, top, LANDMARK)
    return top, width / canvas.side


def _shade(canvas: Canvas, scene: Scene, spot: _Spot, width: float) -> None:
    if scene.setting not in _FLOATING and scene.setting != "ocean":
        canvas.shadow(spot.x, spot.foot, width)


def _paste_standing(canvas: Canvas, sprite: Sprite, x: float, foot: int) -> None:
    left = round(x * canvas.side - (sprite.left + sprite.right) / 2)
    canvas.paste(sprite.labels, left, max(0, foot - sprite.bottom), OBJECT)


def _landmark(scene: Scene, scale: float, rng: np.random.Generator, *, opened: bool) -> Labels:
    pen = Pen(scale, outline_width(scale), rng, stretch=(float(rng.uniform(0.95, 1.08)), 1.0))
    accessories.draw_landmark(pen, scene.landmark, opened=opened)
    return with_outline(pen.cut_out()[0], round(pen.edge))


def _opening(scene: Scene, scale: float, rng: np.random.Generator) -> Labels:
    pen = Pen(scale, outline_width(scale), rng)
    accessories.draw_opening(pen, scene.landmark)
    return with_outline(pen.cut_out()[0], round(pen.edge))
