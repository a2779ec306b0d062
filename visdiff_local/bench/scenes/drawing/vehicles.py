"""The vehicles: each function draws one, facing right (the rocket points up)."""

import math

from visdiff_local.bench.scenes.drawing.pen import Ink, Pen, curve


def _wheel(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.disc(x, y, radius, Ink.BLACK)
    pen.disc(x, y, radius * 0.45, Ink.METAL)


def car(pen: Pen) -> None:
    roof, rear = pen.between(0.27, 0.35), pen.between(0.1, 0.18)
    pen.polygon([(rear, 0.58), (rear + 0.1, roof), (0.55, roof), (0.73, 0.58)], Ink.BODY)
    pen.polygon(
        [(0.01, 0.56), (0.7, 0.54), (0.95, 0.6), (1.0, 0.68), (1.0, 0.84), (0.0, 0.84)], Ink.BODY
    )
    glass_top = roof + 0.05
    pen.polygon(
        [(rear + 0.06, 0.55), (rear + 0.13, glass_top), (0.36, glass_top), (0.36, 0.55)],
        Ink.GLASS,
        edged=True,
    )
    pen.polygon(
        [(0.41, 0.55), (0.41, glass_top), (0.53, glass_top), (0.65, 0.55)], Ink.GLASS, edged=True
    )
    pen.ellipse(0.96, 0.68, 0.05, 0.045, Ink.GOLD, edged=True)
    pen.box(0.0, 0.62, 0.04, 0.71, Ink.FIRE)
    pen.stroke([(0.41, 0.6), (0.41, 0.8)], 0.015, Ink.OUTLINE)
    for x in (0.22, 0.78):
        _wheel(pen, x, 0.85, 0.125)


def bus(pen: Pen) -> None:
    top = pen.between(0.2, 0.28)
    pen.polygon([(0.0, top), (0.95, top), (1.0, top + 0.06), (1.02, 0.86), (0.0, 0.86)], Ink.BODY)
    for index in range(4):
        left = 0.04 + index * 0.17
        pen.box(left, top + 0.08, left + 0.13, 0.5, Ink.GLASS, edged=True)
    pen.polygon(
        [(0.86, top + 0.08), (0.98, top + 0.08), (1.01, 0.56), (0.86, 0.56)], Ink.GLASS, edged=True
    )
    pen.box(0.73, top + 0.08, 0.83, 0.84, Ink.LIGHT, edged=True)
    pen.box(0.0, 0.6, 0.72, 0.64, Ink.WHITE)
    pen.disc(0.98, 0.74, 0.035, Ink.GOLD)
    for x in (0.2, 0.64):
        _wheel(pen, x, 0.87, 0.105)


def truck(pen: Pen) -> None:
    """A tall cargo box behind a lower cab, with a gap between."""
    top, cab = pen.between(0.14, 0.22), pen.between(0.4, 0.46)
    pen.box(0.0, 0.76, 0.98, 0.84, Ink.BLACK)
    pen.box(0.0, top, 0.63, 0.77, Ink.BODY, edged=True)
    pen.stroke([(0.04, top + 0.06), (0.59, top + 0.06)], 0.02, Ink.OUTLINE)
    pen.polygon(
        [(0.69, cab), (0.87, cab), (0.96, 0.6), (1.02, 0.62), (1.02, 0.84), (0.69, 0.84)],
        Ink.SHADE,
        edged=True,
    )
    pen.polygon(
        [(0.76, cab + 0.05), (0.86, cab + 0.05), (0.93, 0.6), (0.76, 0.6)], Ink.GLASS, edged=True
    )
    pen.disc(0.98, 0.72, 0.035, Ink.GOLD)
    for x in (0.13, 0.36, 0.85):
        _wheel(pen, x, 0.86, 0.11)


def bicycle(pen: Pen) -> None:
    radius, handle = pen.between(0.22, 0.25), pen.between(0.26, 0.34)
    rear, front, y = (0.22, 0.74), (0.8, 0.74), 0.74
    for x in (rear[0], front[0]):
        pen.disc(x, y, radius, Ink.BLACK)
        pen.disc(x, y, radius - 0.055, Ink.NONE)
        for spoke in range(3):
            angle = pen.between(0, 0.3) + spoke * math.pi / 3
            dx, dy = (radius - 0.04) * math.cos(angle), (radius - 0.04) * math.sin(angle)
            pen.stroke([(x - dx, y - dy), (x + dx, y + dy)], 0.012, Ink.METAL)
    crank, seat, head = (0.47, 0.76), (0.38, 0.42), (0.7, 0.42)
    for start, end in (
        (rear, crank),
        (rear, seat),
        (crank, seat),
        (seat, head),
        (crank, head),
        (head, front),
    ):
        pen.stroke([start, end], 0.065, Ink.BODY)
    pen.stroke([head, (0.67, handle), (0.82, handle - 0.03)], 0.05, Ink.BLACK)
    pen.stroke([seat, (0.36, 0.34)], 0.05, Ink.BODY)
    pen.stroke([(0.27, 0.33), (0.45, 0.32)], 0.07, Ink.BLACK)
    pen.disc(*crank, 0.06, Ink.METAL)


def boat(pen: Pen) -> None:
    """A sailing boat: the bow to the right, the jib before the mast, the pennant flying back."""
    mast, billow = pen.between(0.44, 0.52), pen.between(0.0, 0.06)
    pen.box(mast - 0.02, 0.0, mast + 0.02, 0.76, Ink.WOOD)
    pen.polygon([(mast, 0.0), (mast - 0.19, 0.04), (mast, 0.09)], Ink.FIRE)
    sail = [
        (mast - 0.03, 0.12),
        *curve((mast - 0.03, 0.12), (mast - 0.24 - billow, 0.4), (0.06, 0.66)),
        (mast - 0.03, 0.66),
    ]
    pen.polygon(sail, Ink.BODY, edged=True)
    pen.polygon(
        [(mast + 0.04, 0.16), (mast + 0.36, 0.64), (mast + 0.04, 0.66)], Ink.LIGHT, edged=True
    )
    pen.polygon(
        [(0.03, 0.73), (0.75, 0.73), (1.08, 0.64), (0.84, 0.98), (0.16, 0.98)], Ink.BODY, edged=True
    )
    pen.stroke([(0.07, 0.79), (0.96, 0.77)], 0.025, Ink.WHITE)


def airplane(pen: Pen) -> None:
    tail, y = pen.between(0.16, 0.24), 0.56
    pen.polygon([(0.02, tail), (0.14, tail), (0.28, y), (0.08, y)], Ink.BODY)
    pen.polygon(
        [(0.06, y - 0.06), (0.2, y - 0.06), (0.12, y + 0.1), (-0.02, y + 0.1)],
        Ink.SHADE,
        edged=True,
    )
    pen.polygon([(0.5, y - 0.06), (0.6, y - 0.06), (0.46, y - 0.28), (0.38, y - 0.28)], Ink.SHADE)
    pen.polygon(
        [
            (0.03, y - 0.09),
            (0.2, y - 0.12),
            (0.84, y - 0.12),
            (0.96, y - 0.06),
            (1.02, y + 0.02),
            (0.94, y + 0.09),
            (0.8, y + 0.13),
            (0.3, y + 0.12),
        ],
        Ink.BODY,
    )
    pen.polygon([(0.84, y - 0.09), (0.92, y - 0.06), (0.95, y - 0.01), (0.84, y - 0.01)], Ink.GLASS)
    for index in range(5):
        pen.disc(0.34 + index * 0.095, y - 0.03, 0.027, Ink.WHITE)
    sweep = pen.between(-0.05, 0.05)
    pen.polygon(
        [(0.44, y + 0.04), (0.66, y + 0.04), (0.4 + sweep, y + 0.36), (0.26 + sweep, y + 0.36)],
        Ink.SHADE,
        edged=True,
    )


def train(pen: Pen) -> None:
    """A steam engine: cab behind, boiler and funnel in front, a row of wheels, smoke."""
    funnel = pen.between(0.74, 0.8)
    for index in range(3):
        puff = 0.06 + 0.02 * index
        pen.disc(funnel - 0.09 * index - pen.between(0, 0.05), 0.16 - 0.05 * index, puff, Ink.CREAM)
    pen.polygon(
        [
            (funnel - 0.05, 0.24),
            (funnel + 0.05, 0.24),
            (funnel + 0.035, 0.5),
            (funnel - 0.035, 0.5),
        ],
        Ink.BLACK,
    )
    pen.box(0.3, 0.44, 0.9, 0.72, Ink.BODY)
    pen.ellipse(0.9, 0.58, 0.06, 0.14, Ink.SHADE, edged=True)
    pen.ellipse(0.54, 0.44, 0.07, 0.07, Ink.GOLD)
    for band in (0.46, 0.66):
        pen.stroke([(band, 0.45), (band, 0.71)], 0.02, Ink.OUTLINE)
    pen.box(0.04, 0.24, 0.36, 0.76, Ink.BODY, edged=True)
    pen.box(-0.01, 0.18, 0.41, 0.25, Ink.SHADE, edged=True)
    pen.box(0.11, 0.32, 0.28, 0.5, Ink.GLASS, edged=True)
    pen.polygon([(0.84, 0.78), (0.96, 0.78), (1.08, 0.97), (0.86, 0.97)], Ink.METAL, edged=True)
    pen.box(0.02, 0.72, 0.94, 0.8, Ink.BLACK)
    for x, radius in ((0.16, 0.13), (0.42, 0.13), (0.63, 0.09), (0.81, 0.09)):
        pen.disc(x, 0.99 - radius, radius, Ink.BLACK)
        pen.disc(x, 0.99 - radius, radius * 0.55, Ink.BODY)
    pen.stroke([(0.16, 0.87), (0.44, 0.85)], 0.03, Ink.METAL)


def rocket(pen: Pen) -> None:
    width, flame = pen.between(0.15, 0.19), pen.between(0.9, 1.05)
    pen.polygon(
        [
            (0.42, 0.78),
            (0.4, 0.88),
            (0.46, 0.86),
            (0.5, flame),
            (0.54, 0.86),
            (0.6, 0.88),
            (0.58, 0.78),
        ],
        Ink.FIRE,
    )
    for side in (-1, 1):
        fin = [
            (0.5 + side * width, 0.52),
            (0.5 + side * 0.36, 0.74),
            (0.5 + side * 0.34, 0.88),
            (0.5 + side * 0.1, 0.76),
        ]
        pen.polygon(fin, Ink.SHADE)
    half = [
        (width * math.sin(math.pi * (0.02 + 0.75 * t)) ** 0.8, 0.78 * t)
        for t in (i / 10 for i in range(11))
    ]
    pen.polygon(
        [(0.5 + u, v) for u, v in half] + [(0.5 - u, v) for u, v in reversed(half)],
        Ink.BODY,
        edged=True,
    )
    pen.polygon(
        [(0.5 + u, v) for u, v in half[:4]] + [(0.5 - u, v) for u, v in reversed(half[:4])],
        Ink.LIGHT,
    )
    pen.disc(0.5, 0.4, 0.085, Ink.WHITE, edged=True)
    pen.disc(0.5, 0.4, 0.055, Ink.GLASS)
    pen.polygon([(0.47, 0.56), (0.53, 0.56), (0.53, 0.86), (0.47, 0.86)], Ink.SHADE, edged=True)
