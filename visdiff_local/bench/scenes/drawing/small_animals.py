"""Birds, fish, reptiles and the butterfly, with a head to put things on."""

import math

from visdiff_local.bench.scenes.drawing.pen import Head, Ink, Pen, curve


def bird(pen: Pen) -> Head:
    """Perched on thin legs, tail behind, pointed beak."""
    tail = pen.between(-0.12, 0.08)
    for x in (0.46, 0.58):
        pen.stroke([(x, 0.74), (x, 0.96), (x + 0.09, 0.97)], 0.03, Ink.GOLD)
    pen.polygon(
        [(0.3, 0.46), (-0.04, 0.5 + tail), (-0.02, 0.66 + tail), (0.32, 0.68)],
        Ink.SHADE,
        edged=True,
    )
    pen.ellipse(0.48, 0.57, 0.27, 0.21, Ink.BODY, turn=-18)
    x, y = 0.7, 0.31
    pen.polygon(
        [(x + 0.13, y - 0.06), (x + 0.33, y + 0.03), (x + 0.11, y + 0.09)], Ink.GOLD, edged=True
    )
    pen.disc(x, y, 0.17, Ink.BODY)
    if pen.chance(0.4):  # raised wing
        pen.polygon([(0.54, 0.56), (0.3, 0.5), (0.12, 0.06), (0.4, 0.2)], Ink.SHADE, edged=True)
    else:
        pen.ellipse(0.42, 0.57, 0.19, 0.11, Ink.SHADE, turn=-14, edged=True)
    pen.eye(x + 0.05, y - 0.04, 0.038)
    return Head(x, y, 0.16, 0.62, 0.47)


def owl(pen: Pen) -> Head:
    """Seen from the front: huge eyes, ear tufts, folded wings."""
    spread = pen.between(0.0, 0.08)
    for side in (-1, 1):
        pen.stroke([(0.5 + side * 0.12, 0.9), (0.5 + side * 0.12, 0.97)], 0.08, Ink.GOLD)
        pen.polygon(
            [(0.5 + side * 0.1, 0.14), (0.5 + side * 0.3, -0.04), (0.5 + side * 0.33, 0.3)],
            Ink.BODY,
        )
    pen.ellipse(0.5, 0.6, 0.31, 0.36, Ink.BODY)
    pen.ellipse(0.5, 0.32, 0.34, 0.26, Ink.BODY, edged=True)
    pen.ellipse(0.5, 0.72, 0.17, 0.2, Ink.LIGHT)
    for side in (-1, 1):
        pen.ellipse(
            0.5 + side * (0.29 + spread),
            0.68,
            0.1,
            0.24,
            Ink.SHADE,
            turn=-side * (12 + 120 * spread),
            edged=True,
        )
        pen.disc(0.5 + side * 0.15, 0.31, 0.145, Ink.WHITE, edged=True)
        pen.disc(0.5 + side * 0.14, 0.31, 0.075, Ink.BLACK)
    pen.polygon([(0.44, 0.38), (0.56, 0.38), (0.5, 0.52)], Ink.GOLD, edged=True)
    return Head(0.5, 0.29, 0.24, 0.5, 0.57)


def duck(pen: Pen) -> Head:
    x, y = 0.74, 0.24 + pen.between(-0.04, 0.04)
    for foot in (0.4, 0.55):
        pen.stroke([(foot, 0.85), (foot, 0.95), (foot + 0.09, 0.96)], 0.045, Ink.FIRE)
    pen.polygon(
        [
            (0.0, 0.46),
            (0.24, 0.58),
            (0.78, 0.58),
            (0.74, 0.78),
            (0.56, 0.88),
            (0.28, 0.87),
            (0.1, 0.72),
        ],
        Ink.BODY,
    )
    pen.ellipse(0.46, 0.7, 0.34, 0.19, Ink.BODY)
    pen.stroke(curve((0.68, 0.66), (0.6, 0.45), (x - 0.02, y)), 0.16, Ink.BODY)
    pen.disc(x, y, 0.15, Ink.BODY)
    pen.ellipse(x + 0.22, y + 0.03, 0.13, 0.05, Ink.FIRE, turn=-6, edged=True)
    pen.ellipse(0.4, 0.68, 0.2, 0.11, Ink.SHADE, turn=10, edged=True)
    pen.eye(x + 0.04, y - 0.04, 0.033)
    return Head(x, y, 0.145, 0.67, 0.45)


def fish(pen: Pen) -> Head:
    wave = pen.between(-0.06, 0.06)
    pen.polygon(
        [(0.28, 0.5), (0.0, 0.24 + wave), (0.07, 0.5 + wave), (0.0, 0.78 + wave)], Ink.SHADE
    )
    pen.polygon([(0.34, 0.4), (0.44, pen.between(0.1, 0.18)), (0.72, 0.32)], Ink.SHADE)
    pen.polygon([(0.44, 0.7), (0.5, 0.88), (0.66, 0.7)], Ink.SHADE)
    pen.ellipse(0.59, 0.5, 0.39, pen.between(0.22, 0.27), Ink.BODY)
    pen.stroke(curve((0.72, 0.32), (0.64, 0.5), (0.72, 0.68)), 0.02, Ink.OUTLINE)
    pen.polygon([(0.62, 0.5), (0.42, 0.44), (0.46, 0.62)], Ink.SHADE, edged=True)
    pen.eye(0.83, 0.44, 0.045)
    pen.stroke([(0.92, 0.58), (0.98, 0.55)], 0.018, Ink.OUTLINE)
    return Head(0.8, 0.44, 0.17, 0.66, 0.58)


def turtle(pen: Pen) -> Head:
    x, y = 0.9, 0.56 + pen.between(-0.08, 0.06)
    pen.polygon([(0.12, 0.78), (-0.03, 0.86), (0.14, 0.86)], Ink.LEAF)
    for leg in (0.24, 0.66):
        sway = pen.between(-0.06, 0.06)
        pen.stroke([(leg, 0.8), (leg + sway, 0.94)], 0.13, Ink.LEAF)
    pen.stroke([(0.76, 0.76), (x - 0.02, y)], 0.11, Ink.LEAF)
    pen.ellipse(x, y, 0.12, 0.1, Ink.LEAF)
    pen.eye(x + 0.04, y - 0.02, 0.028)
    peak = pen.between(0.24, 0.32)
    dome = [
        (0.45 - 0.4 * math.cos(t), 0.8 - (0.8 - peak) * math.sin(t))
        for t in (i * math.pi / 12 for i in range(13))
    ]
    pen.polygon(dome, Ink.BODY, edged=True)
    for seam in (0.3, 0.45, 0.6):
        pen.stroke([(seam, 0.79), (0.45 + (seam - 0.45) * 0.5, peak + 0.05)], 0.016, Ink.OUTLINE)
    pen.stroke([(0.07, 0.8), (0.84, 0.8)], 0.06, Ink.SHADE, edged=True)
    return Head(x, y, 0.12, 0.8, 0.72)


def snake(pen: Pen) -> Head:
    height, phase = pen.between(0.1, 0.15), pen.between(0, 1.2)
    spine = [
        (0.03 + 0.75 * i / 24, 0.82 + height * math.sin(phase + i * 0.62) * min(1, i / 5))
        for i in range(25)
    ]
    last = spine[-1]
    neck = curve(last, (0.92, last[1] + 0.04), (0.86, 0.5))
    pen.stroke(spine[:5], 0.06, Ink.BODY)
    pen.stroke(spine[4:] + neck, 0.12, Ink.BODY)
    pen.stroke([(0.97, 0.47), (1.08, 0.47), (1.13, 0.43)], 0.022, Ink.FIRE)
    pen.stroke([(1.08, 0.47), (1.13, 0.51)], 0.022, Ink.FIRE)
    pen.ellipse(0.89, 0.46, 0.13, 0.09, Ink.BODY, edged=True)
    pen.eye(0.92, 0.43, 0.03)
    return Head(0.88, 0.45, 0.11, 0.87, 0.62)


def butterfly(pen: Pen) -> Head:
    """Seen from above, four wings."""
    open_by = pen.between(0.85, 1.05)
    for side in (-1, 1):
        upper = [
            (0.03, 0.42),
            (0.2, 0.1),
            (0.42, 0.04),
            (0.48, 0.2),
            (0.4, 0.46),
            (0.2, 0.56),
            (0.03, 0.56),
        ]
        lower = [(0.03, 0.52), (0.24, 0.54), (0.36, 0.7), (0.32, 0.9), (0.2, 0.95), (0.08, 0.8)]
        pen.polygon([(0.5 + side * open_by * u, v) for u, v in lower], Ink.SHADE, edged=True)
        pen.polygon([(0.5 + side * open_by * u, v) for u, v in upper], Ink.BODY, edged=True)
        pen.ellipse(0.5 + side * open_by * 0.22, 0.74, 0.06, 0.08, Ink.LIGHT)
        pen.stroke(
            curve((0.5 + side * 0.03, 0.24), (0.5 + side * 0.06, 0.08), (0.5 + side * 0.16, 0.0)),
            0.02,
            Ink.BLACK,
        )
    pen.ellipse(0.5, 0.56, 0.05, 0.26, Ink.BLACK)
    pen.disc(0.5, 0.26, 0.085, Ink.HAIR, edged=True)
    return Head(0.5, 0.26, 0.12, 0.5, 0.39)
