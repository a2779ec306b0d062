"""What backgrounds are painted on: a picture addressed in shares of its side."""

import math

import numpy as np
from PIL import Image, ImageDraw

from visdiff_local.bench.scenes.drawing.light import Colour, Light


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
            share = np.linspace(0, 1, end - start)[:, None, None]
            column = np.array(first) + (np.array(last) - np.array(first)) * share
            strip = Image.fromarray(column.round().astype(np.uint8))
            self.image.paste(strip.resize((self.side, end - start)), (0, start))

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

    def ridge(self, base: float, height: float, colour: Colour) -> None:
        """Rolling land that reaches from its skyline down to the bottom of the picture."""
        phase, waves = self.between(0, 6.3), self.between(0.7, 1.6)
        top = [
            (i / 16, base - height * (0.5 + 0.5 * math.sin(phase + waves * 6.3 * i / 16)))
            for i in range(17)
        ]
        self.polygon([*top, (1.0, 1.0), (0.0, 1.0)], colour)

    def scatter(self, count: int, top: float) -> list[tuple[float, float, float]]:
        """Places on the ground as (x, y, nearness from 0 to 1), the farthest first."""
        spots = self.rng.random((count, 2)).tolist()
        return sorted(((x, top + (1 - top) * y, y) for x, y in spots), key=lambda spot: spot[1])
