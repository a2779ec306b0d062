"""Objects as sprites: a kind with its accessory, pattern and outline, as an array of inks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.scenes import accessories, animals, people, things, vehicles
from visdiff_local.scenes.pen import FIRST_WORN, Head, Ink, Labels, Pen

Drawing = Callable[[Pen], Head | None]
DRAWINGS: Mapping[str, Drawing] = {
    "dog": animals.dog, "cat": animals.cat, "horse": animals.horse, "cow": animals.cow,
    "elephant": animals.elephant, "giraffe": animals.giraffe, "rabbit": animals.rabbit,
    "bird": animals.bird, "owl": animals.owl, "duck": animals.duck, "fish": animals.fish,
    "turtle": animals.turtle, "snake": animals.snake, "butterfly": animals.butterfly,
    "car": vehicles.car, "bus": vehicles.bus, "truck": vehicles.truck,
    "bicycle": vehicles.bicycle, "boat": vehicles.boat, "airplane": vehicles.airplane,
    "train": vehicles.train, "rocket": vehicles.rocket,
    "apple": things.apple, "banana": things.banana, "pizza": things.pizza, "cake": things.cake,
    "carrot": things.carrot, "donut": things.donut, "burger": things.burger,
    "tree": things.tree, "flower": things.flower, "cactus": things.cactus,
    "mushroom": things.mushroom, "chair": things.chair, "table": things.table,
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
    bare = np.asarray(pen.image) if accessory == "none" else np.array(pen.image)
    if accessory != "none" and head is not None:
        accessories.WORN[accessory](pen, head)
    labels = np.array(pen.image)
    if pattern != "plain":
        _paint_pattern(labels, pattern, scale, rng)
    return _cropped(labels, bare > 0, round(edge))


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


def _cropped(labels: Labels, bare: npt.NDArray[np.bool_], edge: int) -> Sprite:
    """Crops to what is drawn and puts a dark outline of ``edge`` pixels around it."""
    rows, columns = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    top, bottom = max(0, rows[0] - edge), min(labels.shape[0], rows[-1] + 1 + edge)
    left, right = max(0, columns[0] - edge), min(labels.shape[1], columns[-1] + 1 + edge)
    labels = labels[top:bottom, left:right]
    labels = with_outline(labels, edge)
    body_rows, body_columns = np.flatnonzero(bare.any(axis=1)), np.flatnonzero(bare.any(axis=0))
    return Sprite(
        labels,
        left=int(body_columns[0] - left),
        top=int(body_rows[0] - top),
        right=int(body_columns[-1] + 1 - left),
        bottom=int(body_rows[-1] + 1 - top),
    )


def with_outline(labels: Labels, edge: int) -> Labels:
    """The labels with an outline around all ink: of its own kind around worn things."""
    solid = labels > 0
    grown = solid
    for step in range(1, edge + 1):
        wider = grown.copy()
        wider[1:] |= grown[:-1]
        wider[:-1] |= grown[1:]
        if step % 2:  # alternating neighbourhoods keep corners round
            wider[:, 1:] |= grown[:, :-1]
            wider[:, :-1] |= grown[:, 1:]
        else:
            wider[:, 1:] |= wider[:, :-1].copy()
            wider[:, :-1] |= wider[:, 1:].copy()
        grown = wider
    outlined = labels.copy()
    outlined[grown & ~solid] = Ink.OUTLINE
    return outlined


def worn(labels: Labels) -> npt.NDArray[np.bool_]:
    """Which pixels belong to an accessory."""
    return (labels >= FIRST_WORN) & (labels < Ink.PLANK)
