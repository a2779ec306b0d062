"""The colours of things: which colour each ink has in one picture."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from visdiff_local.bench.scenes.drawing.light import Colour, Light, mix, scaled
from visdiff_local.bench.scenes.drawing.pen import Ink

BODY_COLOURS: Mapping[str, Colour] = {
    "red": (216, 28, 36), "orange": (255, 136, 16), "yellow": (250, 222, 40),
    "green": (40, 164, 60), "blue": (34, 88, 220), "purple": (132, 44, 178),
    "pink": (255, 136, 196), "brown": (118, 70, 34),
}  # fmt: skip
_DARK_PATTERN = frozenset(("yellow", "pink", "orange"))
"""Colours so light that a pattern on them is painted dark."""

_FIXED: Mapping[Ink, Colour] = {
    Ink.OUTLINE: (28, 24, 32), Ink.WHITE: (250, 250, 250), Ink.BLACK: (26, 26, 30),
    Ink.LEAF: (86, 150, 62), Ink.WOOD: (150, 108, 66), Ink.METAL: (168, 174, 184),
    Ink.GLASS: (190, 224, 240), Ink.GOLD: (246, 196, 60), Ink.ROSE: (240, 180, 176),
    Ink.CREAM: (248, 236, 208), Ink.FIRE: (236, 92, 30), Ink.LENS: (236, 244, 248),
    Ink.STRING: (70, 66, 72), Ink.WORN_OUTLINE: (28, 24, 32),
    Ink.PLANK: (214, 176, 118), Ink.PLANK_DARK: (150, 112, 66),
    Ink.STAVE: (112, 98, 88), Ink.STAVE_DARK: (76, 66, 60), Ink.HOOP: (180, 188, 198),
    Ink.HOLLOW: (40, 32, 28),
}  # fmt: skip
_SKINS: tuple[Colour, ...] = ((250, 214, 184), (232, 186, 148), (198, 148, 108), (150, 106, 76))
_HAIRS: tuple[Colour, ...] = ((38, 30, 28), (92, 62, 40), (70, 66, 70), (206, 172, 104))
_WORN: Mapping[str, tuple[tuple[Colour, Colour], ...]] = {
    "none": (((0, 0, 0), (0, 0, 0)),),
    "hat": (((44, 42, 50), (226, 222, 214)), ((84, 88, 98), (240, 236, 226))),
    "scarf": (
        ((230, 60, 54), (255, 244, 234)), ((40, 150, 170), (244, 250, 250)),
        ((246, 244, 238), (96, 100, 112)), ((70, 76, 90), (236, 232, 224)),
    ),
    "glasses": (((18, 18, 22), (250, 250, 250)),),
    "balloon": (
        ((232, 44, 50), (255, 220, 220)), ((46, 120, 226), (220, 236, 255)),
        ((250, 206, 50), (255, 250, 220)), ((64, 180, 90), (226, 250, 226)),
    ),
    "crown": (((250, 206, 46), (210, 40, 60)), ((226, 232, 240), (60, 90, 200))),
}  # fmt: skip
_LEAST_CONTRAST = 130.0
"""Distance in RGB that a worn thing keeps from the body's colour."""


def palette_of(
    colour: str, accessory: str, light: Light, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """The colour of every ink: uint8 (64, 3)."""
    body = _jittered(BODY_COLOURS[colour], rng)
    inks = dict(_FIXED)
    inks[Ink.BODY] = body
    inks[Ink.SHADE] = scaled(body, (0.76, 0.76, 0.76))
    inks[Ink.LIGHT] = mix(body, (255, 255, 255), 0.38)
    inks[Ink.PATTERN] = (44, 36, 48) if colour in _DARK_PATTERN else (252, 248, 238)
    inks[Ink.SKIN] = _SKINS[int(rng.integers(len(_SKINS)))]
    inks[Ink.HAIR] = _HAIRS[int(rng.integers(len(_HAIRS)))]
    inks[Ink.WORN], inks[Ink.WORN_TRIM] = _worn_colours(accessory, body, rng)
    table = np.zeros((64, 3), dtype=np.uint8)
    for ink, value in inks.items():
        table[ink] = value
    return light.on_objects(table)


def _jittered(colour: Colour, rng: np.random.Generator) -> Colour:
    """A little lighter or darker, hue nearly kept: neighbours such as red and orange stay apart."""
    gain = float(rng.uniform(0.94, 1.05))
    shift = rng.uniform(-7, 7, 3).tolist()
    r, g, b = (min(255, max(0, round(x * gain + d))) for x, d in zip(colour, shift, strict=True))
    return r, g, b


def _worn_colours(accessory: str, body: Colour, rng: np.random.Generator) -> tuple[Colour, Colour]:
    choices = _WORN[accessory]
    apart = [pair for pair in choices if _distance(pair[0], body) > _LEAST_CONTRAST] or list(
        choices
    )
    return apart[int(rng.integers(len(apart)))]


def _distance(first: Colour, second: Colour) -> float:
    return float(sum((x - y) ** 2 for x, y in zip(first, second, strict=True)) ** 0.5)
