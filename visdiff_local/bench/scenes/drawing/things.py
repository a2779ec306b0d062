"""Furniture and tools: each function draws one."""

import math

from visdiff_local.bench.scenes.drawing.pen import Ink, Pen, curve


def chair(pen: Pen) -> None:
    top, seat = pen.between(-0.02, 0.08), pen.between(0.52, 0.6)
    pen.stroke([(0.36, seat), (0.36, 0.86)], 0.07, Ink.SHADE)
    pen.stroke([(0.86, seat), (0.86, 0.86)], 0.07, Ink.SHADE)
    for x in (0.2, 0.74):
        pen.stroke([(x, seat), (x, 0.96)], 0.085, Ink.BODY)
    pen.polygon([(0.15, seat), (0.15, top), (0.3, top - 0.04), (0.36, seat)], Ink.BODY)
    pen.box(0.21, top + 0.1, 0.27, seat - 0.08, Ink.SHADE)
    pen.polygon(
        [(0.14, seat), (0.34, seat - 0.1), (0.94, seat - 0.1), (0.8, seat)], Ink.LIGHT, edged=True
    )
    pen.box(0.14, seat, 0.8, seat + 0.08, Ink.BODY, edged=True)


def table(pen: Pen) -> None:
    top, depth = pen.between(0.28, 0.36), pen.between(0.12, 0.2)
    for x in (0.24, 0.76):
        pen.stroke([(x, top + 0.1), (x, 0.84)], 0.06, Ink.SHADE)
    for x in (0.1, 0.9):
        pen.stroke([(x, top + depth), (x, 0.96)], 0.08, Ink.BODY)
    pen.polygon(
        [(0.0, top + depth), (0.16, top), (0.84, top), (1.0, top + depth)], Ink.LIGHT, edged=True
    )
    pen.box(0.0, top + depth, 1.0, top + depth + 0.12, Ink.BODY, edged=True)


def lamp(pen: Pen) -> None:
    """A standing lamp: a wide shade on a thin pole with a flat foot."""
    flare, bottom = pen.between(0.3, 0.38), pen.between(0.36, 0.44)
    pen.stroke([(0.5, bottom), (0.5, 0.93)], 0.055, Ink.METAL)
    pen.ellipse(0.5, bottom + 0.03, 0.07, 0.07, Ink.GOLD)
    pen.polygon([(0.24, 0.97), (0.32, 0.9), (0.68, 0.9), (0.76, 0.97)], Ink.SHADE)
    pen.polygon(
        [(0.34, 0.0), (0.66, 0.0), (0.5 + flare, bottom), (0.5 - flare, bottom)],
        Ink.BODY,
        edged=True,
    )
    pen.stroke([(0.66, bottom), (0.66, bottom + 0.16)], 0.018, Ink.BLACK)
    pen.disc(0.66, bottom + 0.17, 0.024, Ink.GOLD)


def bed(pen: Pen) -> None:
    """From the side: headboard left, pillow, blanket in the colour, low footboard."""
    head, foot = pen.between(0.24, 0.32), pen.between(0.5, 0.56)
    for x in (0.05, 0.96):
        pen.stroke([(x, 0.7), (x, 0.96)], 0.07, Ink.WOOD)
    pen.box(0.0, head, 0.09, 0.88, Ink.WOOD)
    pen.box(0.92, foot, 1.0, 0.88, Ink.WOOD)
    pen.box(0.06, 0.76, 0.94, 0.86, Ink.WOOD)
    pen.box(0.09, 0.58, 0.92, 0.76, Ink.WHITE, edged=True)
    pen.ellipse(0.22, 0.53, 0.13, 0.08, Ink.WHITE, turn=-8, edged=True)
    blanket = [(0.34, 0.54), (0.42, 0.47), (0.8, 0.48), (0.93, 0.54), (0.93, 0.82), (0.34, 0.82)]
    pen.polygon(blanket, Ink.BODY, edged=True)
    pen.polygon([(0.34, 0.54), (0.42, 0.47), (0.5, 0.475), (0.43, 0.82), (0.34, 0.82)], Ink.LIGHT)


def sofa(pen: Pen) -> None:
    """From the front: two back cushions between round arms."""
    top = pen.between(0.26, 0.34)
    for x in (0.12, 0.88):
        pen.box(x - 0.04, 0.9, x + 0.04, 0.99, Ink.WOOD)
    pen.box(0.1, top, 0.9, 0.7, Ink.SHADE)
    for left in (0.14, 0.51):
        pen.box(left, top + 0.05, left + 0.35, 0.64, Ink.BODY, edged=True)
    pen.box(0.12, 0.62, 0.88, 0.74, Ink.LIGHT, edged=True)
    pen.box(0.1, 0.74, 0.9, 0.92, Ink.BODY, edged=True)
    for x in (0.07, 0.93):
        pen.stroke([(x, 0.56), (x, 0.85)], 0.16, Ink.BODY, edged=True)


def hammer(pen: Pen) -> None:
    """Claw on the left, striking face on the right, the handle in the colour."""
    width = pen.between(0.12, 0.16)
    pen.stroke([(0.5, 0.24), (0.5, 0.93)], width, Ink.BODY)
    pen.box(0.47 - width / 2, 0.82, 0.53 + width / 2, 0.99, Ink.SHADE)
    pen.polygon([(0.4, 0.06), (0.66, 0.06), (0.66, 0.3), (0.4, 0.3)], Ink.METAL, edged=True)
    pen.box(0.66, 0.1, 0.76, 0.26, Ink.METAL)
    pen.box(0.76, 0.03, 0.9, 0.33, Ink.METAL, edged=True)
    pen.polygon([(0.4, 0.06), (0.24, 0.08), (0.04, 0.34), (0.2, 0.27), (0.4, 0.3)], Ink.METAL)


def key(pen: Pen) -> None:
    radius, shaft = pen.between(0.21, 0.25), pen.between(0.11, 0.14)
    pen.stroke([(0.5, 0.4), (0.5, 0.95)], shaft, Ink.BODY)
    for y, length in ((0.72, pen.between(0.16, 0.2)), (0.92, pen.between(0.18, 0.24))):
        pen.box(0.5, y - 0.055, 0.5 + shaft / 2 + length, y + 0.055, Ink.BODY)
    pen.disc(0.5, 0.24, radius, Ink.BODY)
    pen.disc(0.5, 0.24, radius * 0.48, Ink.NONE, edged=True)


def umbrella(pen: Pen) -> None:
    peak = pen.between(0.04, 0.12)
    pen.stroke([(0.5, peak - 0.06), (0.5, peak)], 0.03, Ink.BLACK)
    hook = curve((0.5, 0.86), (0.5, 1.0), (0.62, 0.97))
    pen.stroke([(0.5, peak), (0.5, 0.86), *hook, (0.66, 0.88)], 0.05, Ink.WOOD)
    dome = [
        (0.5 - 0.5 * math.cos(t), 0.52 - (0.52 - peak) * math.sin(t))
        for t in (i * math.pi / 14 for i in range(15))
    ]
    hem = []
    for panel in range(4):
        right = 1.0 - panel * 0.25
        hem += curve((right, 0.52), (right - 0.125, 0.4), (right - 0.25, 0.52))
    pen.polygon(dome + hem, Ink.BODY, edged=True)
    for x in (0.25, 0.5, 0.75):
        pen.stroke(curve((x, 0.5), (0.5 + (x - 0.5) * 0.9, 0.25), (0.5, peak)), 0.016, Ink.OUTLINE)


def scissors(pen: Pen) -> None:
    opening = pen.between(0.12, 0.22)
    for side in (-1, 1):
        tip = 0.5 + side * opening
        pen.polygon(
            [(0.5 - side * 0.06, 0.58), (tip, 0.0), (0.5 + side * 0.07, 0.56)],
            Ink.METAL,
            edged=True,
        )
    for side in (-1, 1):
        x = 0.5 + side * (0.14 + opening * 0.5)
        pen.stroke([(0.5, 0.54), (x, 0.72)], 0.1, Ink.BODY)
        pen.ellipse(x, 0.82, 0.15, 0.175, Ink.BODY, turn=-side * 15)
        pen.ellipse(x, 0.83, 0.065, 0.085, Ink.NONE, turn=-side * 15, edged=True)
    pen.disc(0.5, 0.54, 0.04, Ink.BLACK)


def ladder(pen: Pen) -> None:
    top, bottom = pen.between(0.14, 0.18), pen.between(0.2, 0.26)
    rungs = int(pen.between(5, 7))
    for index in range(rungs):
        share = (index + 0.7) / (rungs + 0.3)
        half = top + (bottom - top) * share
        pen.stroke([(0.5 - half, share), (0.5 + half, share)], 0.055, Ink.BODY)
    for side in (-1, 1):
        pen.stroke(
            [(0.5 + side * top, 0.02), (0.5 + side * bottom, 0.97)], 0.085, Ink.BODY, edged=True
        )
