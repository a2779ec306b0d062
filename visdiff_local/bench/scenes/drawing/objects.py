"""Objects as sprites: a kind with its accessory, pattern and outline, as an array of inks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.bench.scenes.drawing import accessories, mammals, people, things, vehicles
from visdiff_local.bench.scenes.drawing import food_and_plants as plants
from visdiff_local.bench.scenes.drawing import small_animals as small
from visdiff_local.bench.scenes.drawing.pen import FIRST_WORN, Head, Ink, Labels, Pen

Drawing = Callable[[Pen], Head | None]
DRAWINGS: Mapping[str, Drawing] = {
    "dog": mammals.dog, "cat": mammals.cat, "horse": mammals.horse, "cow": mammals.cow,
    "elephant": mammals.elephant, "giraffe": mammals.giraffe, "rabbit": mammals.rabbit,
    "bird": small.bird, "owl": small.owl, "duck": small.duck, "fish": small.fish,
    "turtle": small.turtle, "snake": small.snake, "butterfly": small.butterfly,
    "car": vehicles.car, "bus": vehicles.bus, "truck": vehicles.truck,
    "bicycle": vehicles.bicycle, "boat": vehicles.boat, "airplane": vehicles.airplane,
    "train": vehicles.train, "rocket": vehicles.rocket,
    "apple": plants.apple, "banana": plants.banana, "pizza": plants.pizza, "cake": plants.cake,
    "carrot": plants.carrot, "donut": plants.donut, "burger": plants.burger,
    "tree": plants.tree, "flower": plants.flower, "cactus": plants.cactus,
    "mushroom": plants.mushroom, "chair": things.chair, "table": things.table,
    "lamp": things.lamp, "bed": things.bed, "sofa": things.sofa, "hammer": things.hammer,
    "key": things.key, "umbrella": things.umbrella, "scissors": things.scissors,
    "ladder": things.ladder, "man": people.man, "woman": people.woman, "child": people.child,
}  # fmt: skip

_LYING = frozenset(("banana", "carrot", "hammer", "key", "scissors", "rocket", "airplane", "fish"))
"""Kinds that may well be seen at a slant."""


@dataclass(frozen=True, slots=True)
class Sprite:
    """One drawn object.

    Attributes:
        labels: uint8 (h, w), values of :class:`Ink`, cropped to what was drawn.
        left, top, right, bottom: where the object without its accessory lies in ``labels``.
    """

    labels: Labels
    left: int
    top: int
    right: int
    bottom: int


def draw_object(
    kind: str,
    scale: float,
    rng: np.random.Generator,
    *,
    pattern: str = "plain",
    accessory: str = "none",
    mirrored: bool = False,
) -> Sprite:
    """One object of this kind with all its variation, ``scale`` pixels along its longest side."""
    edge = outline_width(scale)
    slant = 16.0 if kind in _LYING else 5.0
    pen = Pen(
        scale,
        edge,
        rng,
        mirrored=mirrored,
        turn=float(rng.uniform(-slant, slant)),
        stretch=(float(rng.uniform(0.92, 1.08)), float(rng.uniform(0.92, 1.08))),
    )
    head = DRAWINGS[kind](pen)
    body = pen.bounds()
    if accessory != "none" and head is not None:
        pen.contour = Ink.WORN_OUTLINE
        accessories.WORN[accessory](pen, head)
    labels, left, top = pen.cut_out()
    if pattern != "plain":
        _paint_pattern(labels, pattern, scale, rng)
    x0, y0, x1, y1 = body
    return Sprite(
        with_outline(labels, round(edge)),
        left=x0 - left,
        top=y0 - top,
        right=x1 - left,
        bottom=y1 - top,
    )


def outline_width(scale: float) -> float:
    """Thickness of the outline in pixels for an object of this size."""
    return max(1.6, 0.022 * scale)


def _paint_pattern(labels: Labels, pattern: str, scale: float, rng: np.random.Generator) -> None:
    """Paints the pattern on all body ink, in place; its period is that of the object's size."""
    rows = np.arange(labels.shape[0], dtype=np.float32)[:, None]
    columns = np.arange(labels.shape[1], dtype=np.float32)[None, :]
    period = max(0.17 * scale, 8.0) * float(rng.uniform(0.88, 1.15))
    if pattern == "striped":
        angle = float(rng.choice((0.0, 0.6, -0.6, 1.57))) + float(rng.uniform(-0.15, 0.15))
        u = columns * np.float32(np.cos(angle)) + rows * np.float32(np.sin(angle))
        painted: npt.NDArray[np.bool_] = u % period < period * 0.45
    elif pattern == "dotted":
        row = np.floor(rows / (period * 0.85))
        v = rows / (period * 0.85) - row - 0.5
        u = (columns / period + 0.5 * (row % 2)) % 1.0 - 0.5
        painted = u * u + (0.72 * v * v) < 0.3**2
    else:
        edge = period * 0.62
        painted = ((columns // edge + rows // edge) % 2) > 0
    labels[painted & ((labels == Ink.BODY) | (labels == Ink.SHADE))] = Ink.PATTERN


def with_outline(labels: Labels, edge: int) -> Labels:
    """The labels with ``edge`` pixels of outline around all ink.

    What outlines nothing but an accessory belongs to the accessory.
    """
    solid = labels > 0
    added = _grown(solid, edge) & ~solid
    outlined = labels.copy()
    outlined[added] = Ink.OUTLINE
    on_top = worn(labels)
    if on_top.any():
        outlined[added & ~_grown(solid & ~on_top, edge)] = Ink.WORN_OUTLINE
    return outlined


def _grown(drawn: npt.NDArray[np.bool_], edge: int) -> npt.NDArray[np.bool_]:
    """The area and all that lies within about ``edge`` pixels of it."""
    for step in range(edge):
        wider = drawn.copy()
        wider[1:] |= drawn[:-1]
        wider[:-1] |= drawn[1:]
        sides = wider.copy() if step % 2 else drawn  # diamond and square in turn: an octagon
        wider[:, 1:] |= sides[:, :-1]
        wider[:, :-1] |= sides[:, 1:]
        drawn = wider
    return drawn


def worn(labels: Labels) -> npt.NDArray[np.bool_]:
    """Which pixels belong to an accessory."""
    return (labels >= FIRST_WORN) & (labels < Ink.PLANK)
