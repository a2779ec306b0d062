"""The people: seen from the front, colour on the clothes, told apart by build, clothes and hair."""

from visdiff_local.bench.scenes.drawing.pen import Head, Ink, Pen, curve


def _face(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.ellipse(x, y, radius * 0.92, radius, Ink.SKIN, edged=True)
    for side in (-1, 1):
        pen.disc(x + side * radius * 0.38, y - radius * 0.02, radius * 0.14, Ink.BLACK)
    smile = curve(
        (x - radius * 0.35, y + radius * 0.42),
        (x, y + radius * 0.68),
        (x + radius * 0.35, y + radius * 0.42),
    )
    pen.stroke(smile, radius * 0.12, Ink.BLACK)


def man(pen: Pen) -> Head:
    """Tall and broad, trousers, short hair, sometimes a beard."""
    stance, swing = pen.between(0.07, 0.13), pen.between(0.0, 0.1)
    for side in (-1, 1):
        pen.stroke(
            [(0.5 + side * 0.07, 0.55), (0.5 + side * stance, 0.93)], 0.12, Ink.SHADE, edged=True
        )
        pen.ellipse(0.5 + side * (stance + 0.025), 0.965, 0.08, 0.035, Ink.BLACK)
        hand = (0.5 + side * (0.25 + swing), 0.56)
        pen.stroke([(0.5 + side * 0.18, 0.31), hand], 0.09, Ink.BODY, edged=True)
        pen.disc(*hand, 0.045, Ink.SKIN)
    pen.polygon(
        [(0.27, 0.27), (0.4, 0.22), (0.6, 0.22), (0.73, 0.27), (0.65, 0.6), (0.35, 0.6)],
        Ink.BODY,
        edged=True,
    )
    pen.box(0.36, 0.57, 0.64, 0.61, Ink.BLACK)
    pen.box(0.46, 0.17, 0.54, 0.24, Ink.SKIN)
    _face(pen, 0.5, 0.11, 0.1)
    pen.polygon(
        [
            (0.4, 0.09),
            (0.41, 0.02),
            (0.5, -0.01),
            (0.59, 0.02),
            (0.6, 0.09),
            (0.55, 0.05),
            (0.45, 0.05),
        ],
        Ink.HAIR,
    )
    if pen.chance(0.4):
        pen.polygon(
            [(0.41, 0.14), (0.46, 0.16), (0.54, 0.16), (0.59, 0.14), (0.55, 0.23), (0.45, 0.23)],
            Ink.HAIR,
        )
    return Head(0.5, 0.11, 0.1, 0.5, 0.235)


def woman(pen: Pen) -> Head:
    """Long dress, long hair over the shoulders."""
    hem, swing = pen.between(0.24, 0.32), pen.between(-0.02, 0.06)
    length = pen.between(0.42, 0.52)
    pen.polygon(
        [(0.42, 0.02), (0.58, 0.02), (0.66, 0.16), (0.68, length), (0.32, length), (0.34, 0.16)],
        Ink.HAIR,
    )
    for side in (-1, 1):
        pen.ellipse(0.5 + side * 0.09, 0.97, 0.06, 0.03, Ink.BLACK)
        hand = (0.5 + side * (0.24 + swing), 0.55)
        pen.stroke([(0.5 + side * 0.13, 0.3), hand], 0.06, Ink.SKIN, edged=True)
    dress = [
        (0.38, 0.26),
        (0.62, 0.26),
        (0.58, 0.45),
        (0.5 + hem, 0.94),
        (0.5 - hem, 0.94),
        (0.42, 0.45),
    ]
    pen.polygon(dress, Ink.BODY, edged=True)
    pen.box(0.42, 0.43, 0.58, 0.47, Ink.SHADE)
    pen.polygon([(0.44, 0.25), (0.56, 0.25), (0.5, 0.32)], Ink.SKIN)
    pen.box(0.465, 0.18, 0.535, 0.27, Ink.SKIN)
    _face(pen, 0.5, 0.12, 0.095)
    pen.polygon(
        [
            (0.39, 0.16),
            (0.4, 0.04),
            (0.5, 0.0),
            (0.6, 0.04),
            (0.61, 0.16),
            (0.56, 0.06),
            (0.46, 0.07),
        ],
        Ink.HAIR,
    )
    return Head(0.5, 0.12, 0.1, 0.5, 0.25)


def child(pen: Pen) -> Head:
    """A big head on a short body, arms up, bare legs in shorts."""
    reach = pen.between(-0.04, 0.08)
    for side in (-1, 1):
        foot = 0.5 + side * pen.between(0.1, 0.16)
        pen.stroke([(0.5 + side * 0.09, 0.8), (foot, 0.94)], 0.09, Ink.SKIN, edged=True)
        pen.ellipse(foot + side * 0.02, 0.965, 0.075, 0.035, Ink.BLACK)
        hand = (0.5 + side * 0.38, 0.32 - reach)
        pen.stroke([(0.5 + side * 0.14, 0.58), hand], 0.09, Ink.BODY, edged=True)
        pen.disc(*hand, 0.055, Ink.SKIN)
    pen.polygon([(0.33, 0.5), (0.67, 0.5), (0.69, 0.74), (0.31, 0.74)], Ink.BODY, edged=True)
    pen.polygon(
        [
            (0.31, 0.73),
            (0.69, 0.73),
            (0.69, 0.86),
            (0.53, 0.86),
            (0.5, 0.79),
            (0.47, 0.86),
            (0.31, 0.86),
        ],
        Ink.SHADE,
    )
    x, y, radius = 0.5, 0.29, 0.225
    _face(pen, x, y, radius)
    pen.polygon(
        [
            (0.28, 0.27),
            (0.32, 0.1),
            (0.5, 0.02),
            (0.68, 0.1),
            (0.72, 0.27),
            (0.6, 0.16),
            (0.48, 0.2),
            (0.4, 0.15),
        ],
        Ink.HAIR,
    )
    if pen.chance(0.5):
        pen.stroke(curve((0.5, 0.05), (0.5, -0.06), (0.58, -0.06)), 0.035, Ink.HAIR)
    return Head(x, y, radius * 0.95, 0.5, 0.53)
