"""The animals: each function draws one, facing right, and says where its head is."""

import math

from visdiff_local.scenes.pen import Head, Ink, Pen, curve


def _legs(
    pen: Pen, near: tuple[float, ...], far: tuple[float, ...], top: float, width: float
) -> None:
    """Far legs in shade and near legs in the body's colour, from ``top`` down to the feet."""
    sway = pen.between(-0.05, 0.05)
    for positions, ink, step in ((far, Ink.SHADE, -sway), (near, Ink.BODY, sway)):
        for index, x in enumerate(positions):
            foot = x + (step if index % 2 else -step)
            pen.stroke([(x, top), (foot, 1 - width / 2)], width, ink, edged=ink is Ink.SHADE)


def dog(pen: Pen) -> Head:
    lift, wag = pen.between(-0.04, 0.05), pen.between(-0.08, 0.08)
    pen.stroke(curve((0.2, 0.56), (0.04, 0.52), (0.03 + wag, 0.28)), 0.065, Ink.BODY)
    _legs(pen, (0.24, 0.66), (0.32, 0.73), 0.68, 0.09)
    pen.stroke([(0.27, 0.61), (0.66, 0.6)], pen.between(0.25, 0.31), Ink.BODY)
    y = 0.3 - lift
    pen.stroke([(0.67, 0.55), (0.75, y + 0.05)], 0.19, Ink.BODY)
    pen.ellipse(0.77, y, 0.14, 0.125, Ink.BODY, edged=True)
    pen.stroke([(0.8, y + 0.04), (0.94, y + 0.06)], 0.12, Ink.BODY)
    pen.ellipse(0.99, y + 0.03, 0.04, 0.035, Ink.BLACK)
    pen.ellipse(0.68, y + 0.07, 0.065, pen.between(0.13, 0.17), Ink.SHADE, turn=12, edged=True)
    pen.eye(0.82, y - 0.04)
    return Head(0.78, y, 0.14, 0.7, 0.48 - lift / 2)


def cat(pen: Pen) -> Head:
    """Sitting upright, tail in the air, whiskers."""
    curl = pen.between(-0.08, 0.08)
    pen.stroke(curve((0.3, 0.94), (-0.12, 0.95), (0.06, 0.6)), 0.07, Ink.BODY)
    pen.stroke(curve((0.06, 0.6), (0.12, 0.45), (0.0 + curl, 0.36)), 0.07, Ink.BODY)
    pen.ellipse(0.42, 0.76, 0.24, 0.25, Ink.BODY)
    pen.ellipse(0.5, 0.58, 0.18, 0.26, Ink.BODY)
    pen.stroke([(0.6, 0.66), (0.65, 0.95)], 0.1, Ink.BODY, edged=True)
    pen.stroke([(0.52, 0.66), (0.55, 0.95)], 0.1, Ink.BODY, edged=True)
    x, y = 0.58 + pen.between(-0.03, 0.03), 0.28
    for side in (-1, 1):
        tip = x + side * pen.between(0.15, 0.2)
        pen.polygon(
            [(x + side * 0.03, y - 0.1), (tip, y - 0.29), (x + side * 0.2, y - 0.02)], Ink.BODY
        )
        pen.polygon(
            [
                (x + side * 0.08, y - 0.12),
                (tip - side * 0.02, y - 0.22),
                (x + side * 0.15, y - 0.08),
            ],
            Ink.ROSE,
        )
    pen.ellipse(x, y, 0.21, 0.175, Ink.BODY, edged=True)
    for side in (-1, 1):
        pen.ellipse(x + 0.04 + side * 0.09, y - 0.03, 0.04, 0.045, Ink.WHITE)
        pen.ellipse(x + 0.05 + side * 0.09, y - 0.03, 0.018, 0.04, Ink.BLACK)
        for droop in (0.03, 0.09):
            pen.stroke(
                [(x + 0.04 + side * 0.07, y + 0.06), (x + 0.04 + side * 0.3, y + droop)],
                0.012,
                Ink.BLACK,
            )
    pen.ellipse(x + 0.05, y + 0.05, 0.03, 0.022, Ink.ROSE)
    return Head(x, y, 0.2, 0.54, 0.47)


def horse(pen: Pen) -> Head:
    nod = pen.between(-0.03, 0.07)
    pen.stroke(curve((0.14, 0.46), (0.0, 0.5), (0.03, pen.between(0.72, 0.84))), 0.09, Ink.HAIR)
    _legs(pen, (0.2, 0.62), (0.27, 0.69), 0.55, 0.075)
    pen.stroke([(0.24, 0.49), (0.62, 0.48)], 0.25, Ink.BODY)
    x, y = 0.82, 0.13 + nod
    pen.polygon([(0.52, 0.4), (0.72, y - 0.02), (0.87, y + 0.06), (0.74, 0.56)], Ink.BODY)
    pen.polygon([(0.68, y - 0.06), (0.77, y - 0.03), (0.6, 0.42), (0.49, 0.4)], Ink.HAIR)
    pen.polygon([(0.74, y), (0.75, y - 0.13), (0.82, y - 0.02)], Ink.BODY)
    pen.stroke([(0.79, y + 0.05), (0.95, y + 0.19)], 0.13, Ink.BODY)
    pen.ellipse(0.96, y + 0.2, 0.06, 0.06, Ink.SHADE)
    pen.eye(0.82, y + 0.05, 0.025)
    for foot in (0.2, 0.62):
        pen.ellipse(foot, 0.97, 0.055, 0.03, Ink.BLACK)
    return Head(x, y + 0.06, 0.12, 0.7, 0.33)


def cow(pen: Pen) -> Head:
    y = 0.36 + pen.between(-0.03, 0.06)
    pen.stroke(curve((0.1, 0.42), (0.0, 0.5), (0.02, 0.72)), 0.035, Ink.BODY)
    pen.disc(0.03, 0.74, 0.045, Ink.HAIR)
    pen.ellipse(0.34, 0.78, 0.1, 0.07, Ink.ROSE)
    _legs(pen, (0.17, 0.6), (0.26, 0.68), 0.72, 0.1)
    pen.stroke([(0.24, 0.55), (0.6, 0.55)], 0.37, Ink.BODY)
    pen.box(0.08, 0.38, 0.3, 0.6, Ink.BODY)
    for side in (-1, 1):
        pen.stroke(
            curve(
                (0.82 + side * 0.07, y - 0.1),
                (0.82 + side * 0.18, y - 0.12),
                (0.82 + side * 0.15, y - 0.27),
            ),
            0.045,
            Ink.CREAM,
        )
        pen.ellipse(0.82 + side * 0.18, y - 0.05, 0.08, 0.04, Ink.SHADE, turn=side * 15, edged=True)
    pen.ellipse(0.82, y, 0.13, 0.16, Ink.BODY, edged=True)
    pen.ellipse(0.86, y + 0.13, 0.12, 0.085, Ink.ROSE, edged=True)
    for nostril in (0.82, 0.9):
        pen.ellipse(nostril, y + 0.13, 0.018, 0.022, Ink.BLACK)
    pen.eye(0.78, y - 0.04, 0.028)
    pen.eye(0.88, y - 0.04, 0.028)
    return Head(0.82, y, 0.15, 0.7, 0.56)


def elephant(pen: Pen) -> Head:
    pen.stroke(curve((0.08, 0.45), (0.0, 0.5), (0.02, 0.68)), 0.03, Ink.SHADE)
    _legs(pen, (0.18, 0.52), (0.3, 0.62), 0.68, 0.15)
    pen.ellipse(0.36, 0.49, 0.32, 0.29, Ink.BODY)
    reach = pen.between(-0.06, 0.1)
    tip = (1.0, 0.85) if pen.chance(0.6) else (1.08, 0.5)
    pen.stroke(curve((0.82, 0.4), (0.93 + reach, 0.6), tip), 0.085, Ink.BODY)
    pen.stroke([(0.82, 0.4), (0.87, 0.52)], 0.13, Ink.BODY)
    pen.ellipse(0.74, 0.35, 0.18, 0.18, Ink.BODY, edged=True)
    pen.stroke(curve((0.8, 0.5), (0.88, 0.62), (0.97, 0.58)), 0.04, Ink.WHITE, edged=True)
    pen.ellipse(0.6, 0.4, 0.15, pen.between(0.2, 0.25), Ink.SHADE, turn=10, edged=True)
    pen.eye(0.8, 0.3, 0.028)
    return Head(0.74, 0.33, 0.17, 0.66, 0.57)


def giraffe(pen: Pen) -> Head:
    x, y = 0.7 + pen.between(-0.04, 0.06), 0.1
    pen.stroke(curve((0.22, 0.58), (0.14, 0.6), (0.14, 0.78)), 0.03, Ink.HAIR)
    _legs(pen, (0.28, 0.52), (0.34, 0.58), 0.66, 0.06)
    pen.stroke([(0.31, 0.61), (0.52, 0.56)], 0.18, Ink.BODY)
    pen.polygon([(0.42, 0.52), (x - 0.07, y), (x + 0.05, y + 0.02), (0.63, 0.6)], Ink.BODY)
    pen.stroke([(0.43, 0.48), (x - 0.07, y + 0.06)], 0.035, Ink.HAIR)
    for side in (-1, 1):
        horn = x + side * 0.035
        pen.stroke([(horn, y), (horn, y - 0.1)], 0.022, Ink.BODY)
        pen.disc(horn, y - 0.1, 0.024, Ink.HAIR)
    pen.ellipse(x - 0.1, y + 0.0, 0.06, 0.025, Ink.BODY, turn=10)
    pen.stroke([(x, y + 0.02), (x + 0.15, y + 0.06)], 0.1, Ink.BODY)
    pen.eye(x + 0.03, y + 0.01, 0.024)
    return Head(x + 0.02, y + 0.02, 0.09, 0.6, 0.3)


def rabbit(pen: Pen) -> Head:
    pen.disc(0.12, 0.76, 0.09, Ink.WHITE, edged=True)
    pen.ellipse(0.4, 0.74, 0.3, 0.24, Ink.BODY)
    x, y = 0.7, 0.52
    for lean in (pen.between(-0.2, -0.12), pen.between(-0.06, 0.04)):
        pen.stroke(
            [(x - 0.02 + lean * 0.3, y - 0.1), (x + lean, y - 0.42)], 0.1, Ink.BODY, edged=True
        )
        pen.stroke([(x - 0.02 + lean * 0.4, y - 0.16), (x + lean, y - 0.4)], 0.035, Ink.ROSE)
    pen.stroke([(0.6, 0.8), (0.66, 0.95)], 0.09, Ink.BODY, edged=True)
    pen.ellipse(0.3, 0.84, 0.2, 0.13, Ink.BODY, edged=True)
    pen.stroke([(0.22, 0.95), (0.46, 0.95)], 0.08, Ink.BODY)
    pen.ellipse(x, y, 0.18, 0.16, Ink.BODY, edged=True)
    pen.ellipse(x + 0.17, y + 0.02, 0.03, 0.03, Ink.ROSE)
    pen.eye(x + 0.06, y - 0.03, 0.034)
    pen.box(x + 0.11, y + 0.09, x + 0.16, y + 0.16, Ink.WHITE)
    return Head(x, y, 0.17, 0.6, 0.69)


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
