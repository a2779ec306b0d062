"""Food and plants: each function draws one."""

import math

from visdiff_local.bench.scenes.drawing.pen import Ink, Pen, curve


def apple(pen: Pen) -> None:
    dent = pen.between(0.05, 0.09)
    pen.stroke(curve((0.5, 0.32), (0.5, 0.2), (0.56, 0.08)), 0.05, Ink.WOOD)
    pen.ellipse(0.68, 0.14, 0.15, 0.065, Ink.LEAF, turn=-25, edged=True)
    outline = []
    for step in range(28):
        t = 2 * math.pi * step / 28
        radius = (
            0.4 - dent * 1.6 * max(0, math.sin(t)) ** 6 - dent * 0.8 * max(0, -math.sin(t)) ** 8
        )
        outline.append((0.5 + 1.1 * radius * math.cos(t), 0.6 - radius * math.sin(t)))
    pen.polygon(outline, Ink.BODY)
    pen.ellipse(0.3, 0.48, 0.06, 0.12, Ink.LIGHT, turn=20)


def banana(pen: Pen) -> None:
    sag, tip = pen.between(0.0, 0.08), pen.between(0.12, 0.24)
    lower = curve((0.0, tip + 0.2), (0.3, 1.12 + sag), (0.98, 0.3))
    upper = curve((0.88, 0.24), (0.42, 0.7), (0.03, tip + 0.14))
    pen.polygon(lower + upper, Ink.BODY)
    pen.stroke(curve((0.1, tip + 0.34), (0.38, 0.86 + sag), (0.88, 0.33)), 0.018, Ink.SHADE)
    pen.polygon([(0.88, 0.24), (0.98, 0.3), (1.02, 0.12), (0.95, 0.1)], Ink.WOOD)
    pen.disc(0.015, tip + 0.17, 0.04, Ink.BLACK)


def pizza(pen: Pen) -> None:
    """A slice: crust on top, point down, salami and leaves."""
    point = pen.between(0.42, 0.58)
    pen.polygon([(0.06, 0.2), (0.94, 0.2), (point, 1.0)], Ink.BODY)
    pen.stroke(curve((0.06, 0.19), (0.5, 0.02), (0.94, 0.19)), 0.15, Ink.WOOD, edged=True)
    for x, y in ((0.32, 0.36), (0.64, 0.32), (0.5, 0.6)):
        pen.disc(
            x + pen.between(-0.03, 0.03), y + pen.between(-0.03, 0.03), 0.095, Ink.FIRE, edged=True
        )
    for x, y in ((0.47, 0.28), (0.38, 0.54), (0.62, 0.5)):
        pen.ellipse(x, y, 0.05, 0.025, Ink.LEAF, turn=pen.between(-60, 60))


def cake(pen: Pen) -> None:
    """Two tiers with icing and burning candles."""
    waist = pen.between(0.24, 0.3)
    for x in (0.36, 0.5, 0.64):
        pen.stroke([(x, 0.16), (x, 0.36)], 0.05, Ink.WHITE, edged=True)
        pen.ellipse(x, 0.08, 0.035, 0.06, Ink.FIRE)
    pen.box(0.5 - waist, 0.36, 0.5 + waist, 0.64, Ink.BODY)
    pen.box(0.06, 0.6, 0.94, 0.94, Ink.BODY, edged=True)
    for top, left, right, drops in ((0.36, 0.5 - waist, 0.5 + waist, 4), (0.6, 0.06, 0.94, 6)):
        pen.box(left, top, right, top + 0.06, Ink.CREAM)
        for index in range(drops):
            x = left + (index + 0.5) * (right - left) / drops
            pen.ellipse(
                x, top + 0.06, (right - left) / drops * 0.4, pen.between(0.04, 0.08), Ink.CREAM
            )
    pen.stroke([(0.0, 0.96), (1.0, 0.96)], 0.05, Ink.METAL)


def carrot(pen: Pen) -> None:
    bend = pen.between(-0.1, 0.1)
    for lean in (-0.2, -0.07, 0.07, 0.2):
        pen.stroke(
            curve(
                (0.5, 0.3), (0.5 + lean * 0.4, 0.15), (0.5 + lean * 1.4, pen.between(-0.04, 0.06))
            ),
            0.07,
            Ink.LEAF,
        )
    left = curve((0.3, 0.32), (0.33, 0.7), (0.5 + bend, 1.0))
    right = curve((0.5 + bend, 1.0), (0.67, 0.7), (0.7, 0.32))
    pen.polygon([*left, *right, (0.6, 0.25), (0.4, 0.25)], Ink.BODY)
    for x, y, length in ((0.33, 0.42, 0.14), (0.53, 0.54, 0.12), (0.4, 0.68, 0.11)):
        pen.stroke([(x, y), (x + length, y + 0.01)], 0.022, Ink.SHADE)


def donut(pen: Pen) -> None:
    """A dough ring with icing, a hole right through."""
    squash, hole = pen.between(0.82, 1.0), pen.between(0.13, 0.16)
    pen.ellipse(0.5, 0.54, 0.48, 0.46 * squash, Ink.CREAM)
    icing = []
    for step in range(30):
        t = 2 * math.pi * step / 30
        radius = 0.42 + 0.022 * math.sin(7 * t)
        icing.append((0.5 + radius * math.cos(t), 0.52 + radius * 0.95 * squash * math.sin(t)))
    pen.polygon(icing, Ink.BODY)
    for step in range(9):
        t = 2 * math.pi * (step + pen.between(0, 0.5)) / 9
        x, y = 0.5 + 0.29 * math.cos(t), 0.52 + 0.28 * squash * math.sin(t)
        dx, dy = pen.between(-0.04, 0.04), pen.between(-0.04, 0.04)
        pen.stroke([(x - dx, y - dy), (x + dx, y + dy)], 0.03, Ink.WHITE)
    pen.ellipse(0.5, 0.53, hole, hole * squash, Ink.NONE, edged=True)


def burger(pen: Pen) -> None:
    top = pen.between(0.14, 0.2)
    pen.polygon(
        [(0.06, 0.76), (0.94, 0.76), (0.9, 0.92), (0.8, 0.97), (0.2, 0.97), (0.1, 0.92)], Ink.BODY
    )
    pen.stroke([(0.1, 0.69), (0.9, 0.69)], 0.14, Ink.HAIR, edged=True)
    pen.polygon(
        [
            (0.06, 0.57),
            (0.94, 0.57),
            (0.86, 0.63),
            (0.72, 0.6),
            (0.6, 0.72),
            (0.48, 0.6),
            (0.2, 0.63),
        ],
        Ink.GOLD,
    )
    for index in range(6):
        pen.disc(0.08 + index * 0.168, 0.55, 0.085, Ink.LEAF)
    dome = [
        (0.5 - 0.46 * math.cos(t), 0.52 - (0.52 - top) * math.sin(t))
        for t in (i * math.pi / 14 for i in range(15))
    ]
    pen.polygon(dome, Ink.BODY, edged=True)
    for x, y in ((0.34, 0.36), (0.5, 0.28), (0.66, 0.36)):
        pen.ellipse(x, y, 0.035, 0.02, Ink.CREAM, turn=pen.between(-40, 40))


def tree(pen: Pen) -> None:
    pen.polygon([(0.44, 0.5), (0.56, 0.5), (0.62, 0.98), (0.38, 0.98)], Ink.WOOD)
    pen.stroke([(0.5, 0.66), (0.68, 0.5)], 0.05, Ink.WOOD)
    for x, y in ((0.24, 0.44), (0.76, 0.44), (0.34, 0.24), (0.66, 0.24), (0.5, 0.46)):
        pen.disc(
            x + pen.between(-0.04, 0.04),
            y + pen.between(-0.03, 0.03),
            pen.between(0.19, 0.24),
            Ink.BODY,
        )
    pen.disc(0.5, 0.2, 0.2, Ink.BODY)
    pen.ellipse(0.36, 0.2, 0.09, 0.06, Ink.LIGHT, turn=-30)


def flower(pen: Pen) -> None:
    petals, bend, radius = int(pen.between(5, 8)), pen.between(-0.08, 0.08), 0.2
    x, y = 0.5 + bend, 0.31
    pen.stroke(curve((x, y), (0.5 - bend, 0.7), (0.5, 0.99)), 0.055, Ink.LEAF)
    for side in (-1, 1):
        pen.ellipse(
            0.5 + side * 0.16,
            0.78 + side * 0.03,
            0.16,
            0.065,
            Ink.LEAF,
            turn=-side * 30,
            edged=True,
        )
    start = pen.between(0, 1)
    for index in range(petals):
        t = 2 * math.pi * index / petals + start
        pen.ellipse(
            x + radius * math.cos(t),
            y + radius * math.sin(t),
            0.16,
            0.72 / petals,
            Ink.BODY,
            turn=math.degrees(t),
            edged=True,
        )
    pen.disc(x, y, 0.115, Ink.GOLD, edged=True)


def cactus(pen: Pen) -> None:
    """A column with two raised arms, ribs and spines, on a flower pot's worth of sand."""
    left, right = pen.between(0.42, 0.6), pen.between(0.34, 0.52)
    width = 0.17
    pen.stroke(
        [(0.3, left + 0.16), (0.16, left + 0.14), (0.16, left - 0.16)], width * 0.8, Ink.BODY
    )
    pen.stroke([(0.3, left + 0.16), (0.5, left + 0.16)], width * 0.8, Ink.BODY)
    pen.stroke(
        [(0.5, right + 0.2), (0.84, right + 0.18), (0.84, right - 0.14)], width * 0.8, Ink.BODY
    )
    pen.stroke([(0.5, 0.13), (0.5, 0.9)], 0.25, Ink.BODY)
    for x in (0.45, 0.55):
        pen.stroke([(x, 0.12), (x, 0.94)], 0.014, Ink.SHADE)
    for x, y, side in (
        (0.37, 0.25, -1),
        (0.63, 0.2, 1),
        (0.37, 0.85, -1),
        (0.63, 0.8, 1),
        (0.92, right, 1),
        (0.08, left, -1),
    ):
        pen.stroke([(x, y), (x + side * 0.07, y - 0.04)], 0.02, Ink.BLACK)
    pen.ellipse(0.5, 0.98, 0.3, 0.05, Ink.CREAM)


def mushroom(pen: Pen) -> None:
    brim, peak = pen.between(0.5, 0.58), pen.between(0.02, 0.12)
    pen.polygon(
        [(0.4, brim), (0.6, brim), (0.66, 0.92), (0.6, 0.98), (0.4, 0.98), (0.34, 0.92)], Ink.CREAM
    )
    pen.ellipse(0.5, brim, 0.4, 0.1, Ink.CREAM, edged=True)
    for x in (0.22, 0.36, 0.5, 0.64, 0.78):
        pen.stroke([(x, brim + 0.06), (0.5 + (x - 0.5) * 0.6, brim)], 0.014, Ink.WOOD)
    dome = [
        (0.5 - 0.48 * math.cos(t), brim - (brim - peak) * math.sin(t) ** 0.8)
        for t in (i * math.pi / 14 for i in range(15))
    ]
    pen.polygon(dome, Ink.BODY, edged=True)
    pen.ellipse(0.3, brim - 0.24, 0.05, 0.09, Ink.LIGHT, turn=40)
