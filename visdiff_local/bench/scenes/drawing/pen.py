"""A pen that draws objects as labels: which ink goes where, before anyone decides on colours.

Objects are drawn in a unit box, x to the right and y down, facing right, with their feet near
``y = 1``. The pen turns, mirrors and stretches what it draws. Drawing labels rather than colours
keeps silhouettes, patterns and masks exact, and lighting becomes a change of palette.
"""

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Labels = npt.NDArray[np.uint8]
Points = Sequence[tuple[float, float]]

MARGIN_SIDE, MARGIN_TOP, MARGIN_BOTTOM = 0.3, 0.8, 0.15
"""Room around the unit box, in box edges: accessories rise above it and limbs reach out of it."""


class Ink(IntEnum):
    """What a pixel of a sprite is made of."""

    NONE = 0
    OUTLINE = 1
    BODY = 2
    SHADE = 3
    LIGHT = 4
    PATTERN = 5
    WHITE = 6
    BLACK = 7
    SKIN = 8
    HAIR = 9
    LEAF = 10
    WOOD = 11
    METAL = 12
    GLASS = 13
    GOLD = 14
    ROSE = 15
    CREAM = 16
    FIRE = 17
    WORN = 32
    WORN_TRIM = 33
    LENS = 34
    STRING = 35
    WORN_OUTLINE = 36
    PLANK = 48
    PLANK_DARK = 49
    STAVE = 50
    STAVE_DARK = 51
    HOOP = 52
    HOLLOW = 53


FIRST_WORN, FIRST_LANDMARK = int(Ink.WORN), int(Ink.PLANK)


class Head(NamedTuple):
    """Where accessories go: centre and radius of the head, and the middle of the neck."""

    x: float
    y: float
    radius: float
    neck_x: float
    neck_y: float


_ANGLES = np.linspace(0, 2 * math.pi, 22, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


class Pen:
    """Draws in unit coordinates on its own label canvas.

    Args:
        scale: edge of the unit box in pixels.
        edge: thickness of inner contours in pixels.
        rng: source of all variation; drawing functions take theirs from :meth:`between`.
        mirrored: draw the object facing left.
        turn: rotation about the centre of the unit box, in degrees clockwise, before mirroring.
        stretch: factors on width and height.

    Attributes:
        contour: the ink of inner contours from here on.
    """

    def __init__(
        self,
        scale: float,
        edge: float,
        rng: np.random.Generator,
        *,
        mirrored: bool = False,
        turn: float = 0.0,
        stretch: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        self.scale, self.edge, self.rng = scale, edge, rng
        self.contour = Ink.OUTLINE
        width = math.ceil(scale * (1 + 2 * MARGIN_SIDE))
        height = math.ceil(scale * (1 + MARGIN_TOP + MARGIN_BOTTOM))
        self.image = Image.new("L", (width, height), int(Ink.NONE))
        self._draw = ImageDraw.Draw(self.image)
        angle = math.radians(turn)
        rotation = np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        mirror = np.diag([-1.0 if mirrored else 1.0, 1.0])
        self._matrix = (scale * mirror @ rotation @ np.diag(stretch)).T
        middle = np.array([0.5 + MARGIN_SIDE, 0.5 + MARGIN_TOP]) * scale
        self._shift = middle - np.array([0.5, 0.5]) @ self._matrix
        self._line_scale = scale * math.sqrt(stretch[0] * stretch[1])

    def bounds(self) -> tuple[int, int, int, int]:
        """The smallest box (left, top, right, bottom) in pixels around all that is drawn so far.

        Raises:
            ValueError: nothing is drawn yet.
        """
        box = self.image.getbbox()
        if box is None:
            raise ValueError("nothing has been drawn with this pen")
        return box

    def cut_out(self) -> tuple[Labels, int, int]:
        """What is drawn with room for an outline: labels, and their left and top on the canvas."""
        room = round(self.edge)
        left, top, right, bottom = self.bounds()
        box = (left - room, top - room, right + room, bottom + room)
        return np.array(self.image.crop(box)), left - room, top - room

    def between(self, low: float, high: float) -> float:
        """A number drawn evenly from [low, high)."""
        return low + (high - low) * self.rng.random()

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def polygon(
        self, points: Points | npt.NDArray[np.float64], ink: Ink, *, edged: bool = False
    ) -> None:
        """A filled polygon; ``edged`` puts a dark contour around it."""
        flat = (np.asarray(points) @ self._matrix + self._shift).ravel().tolist()
        if edged:
            self._draw.line(
                flat + flat[:4], fill=int(self.contour), width=max(2, round(2 * self.edge))
            )
        self._draw.polygon(flat, fill=int(ink))

    def ellipse(
        self,
        x: float,
        y: float,
        radius_x: float,
        radius_y: float,
        ink: Ink,
        *,
        turn: float = 0.0,
        edged: bool = False,
    ) -> None:
        """A filled ellipse about (x, y), turned clockwise by ``turn`` degrees."""
        points = _CIRCLE * (radius_x, radius_y)
        if turn:
            cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
            points = points @ np.array([[cos, sin], [-sin, cos]])
        self.polygon(points + np.array([x, y]), ink, edged=edged)

    def disc(self, x: float, y: float, radius: float, ink: Ink, *, edged: bool = False) -> None:
        self.ellipse(x, y, radius, radius, ink, edged=edged)

    def box(
        self, left: float, top: float, right: float, bottom: float, ink: Ink, *, edged: bool = False
    ) -> None:
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        self.polygon(corners, ink, edged=edged)

    def stroke(self, points: Points, width: float, ink: Ink, *, edged: bool = False) -> None:
        """A line with round joints and ends, ``width`` in box edges."""
        pixels = (np.asarray(points) @ self._matrix + self._shift).tolist()
        thickness = max(1, round(width * self._line_scale))
        if edged:
            self._stroke_pixels(pixels, thickness + max(2, round(2 * self.edge)), self.contour)
        self._stroke_pixels(pixels, thickness, ink)

    def _stroke_pixels(self, pixels: list[list[float]], thickness: int, ink: Ink) -> None:
        fill = int(ink)
        self._draw.line([(x, y) for x, y in pixels], fill=fill, width=thickness)
        if thickness < 3:
            return
        half = thickness / 2 - 0.5
        for x, y in pixels:
            self._draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    def eye(self, x: float, y: float, radius: float = 0.03) -> None:
        self.disc(x, y, radius, Ink.WHITE)
        self.disc(x + radius * 0.2, y, radius * 0.65, Ink.BLACK)


def curve(
    start: tuple[float, float], bend: tuple[float, float], end: tuple[float, float]
) -> list[tuple[float, float]]:
    """A quadratic Bézier curve as nine points."""
    steps = [i / 8 for i in range(9)]
    return [
        (
            (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * bend[0] + t * t * end[0],
            (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * bend[1] + t * t * end[1],
        )
        for t in steps
    ]
