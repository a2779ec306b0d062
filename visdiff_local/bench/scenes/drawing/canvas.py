"""The picture in the making: sprites on a background, and whose pixel is whose."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from visdiff_local.bench.scenes.drawing.objects import worn
from visdiff_local.bench.scenes.drawing.pen import Labels
from visdiff_local.bench.scenes.drawing.stage import Stage

BACKGROUND, OBJECT, ACCESSORY, LANDMARK = range(4)
"""What a pixel of a mask belongs to."""

_IS_DRAWN = [0] + [255] * 255


class Canvas:
    """The picture in the making, at working resolution: background, inks and mask."""

    def __init__(self, stage: Stage, background: Image.Image) -> None:
        self.stage, self.background, self.side = stage, background, background.width
        self.labels = np.zeros((self.side, self.side), dtype=np.uint8)
        self.mask = np.zeros_like(self.labels)

    def paste(self, labels: Labels, left: int, top: int, value: int) -> None:
        """Puts a sprite with its upper left corner there, cut off at the frame."""
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(self.side, left + labels.shape[1]), min(self.side, top + labels.shape[0])
        if x0 >= x1 or y0 >= y1:
            return
        part = labels[y0 - top : y1 - top, x0 - left : x1 - left]
        drawn = part > 0
        np.copyto(self.labels[y0:y1, x0:x1], part, where=drawn)
        np.copyto(self.mask[y0:y1, x0:x1], np.where(worn(part), ACCESSORY, value), "unsafe", drawn)

    def shadow(self, x: float, foot: float, width: float) -> None:
        """A dark patch on the ground under an object ``width`` wide, in shares of the frame."""
        half, flat = max(1, round(width * self.side * 0.5)), max(1, round(width * self.side * 0.09))
        patch = Image.new("L", (2 * half, 2 * flat))
        ImageDraw.Draw(patch).ellipse((0, 0, 2 * half - 1, 2 * flat - 1), fill=72)
        corner = (round(x * self.side) - half, round(foot * self.side) - flat)
        self.background.paste(
            (0, 0, 0), (*corner, corner[0] + 2 * half, corner[1] + 2 * flat), patch
        )

    def coloured(self, palette: npt.NDArray[np.uint8]) -> Image.Image:
        """The picture with its inks in these colours: RGB (side, side)."""
        sprites = Image.fromarray(self.labels)
        drawn = sprites.point(_IS_DRAWN)
        sprites.putpalette(palette.tobytes())
        image = self.background.copy()
        image.paste(sprites.convert("RGB"), (0, 0), drawn)
        return image
