"""Mammals: each function draws one, facing right, and says where its head is."""

from visdiff_local.bench.scenes.drawing.pen import Head, Ink, Pen, curve


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
