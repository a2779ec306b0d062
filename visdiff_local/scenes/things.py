"""Food, plants, furniture and tools: each function draws one."""

import math

from visdiff_local.scenes.pen import Ink, Pen, curve


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
