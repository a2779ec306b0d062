"""What an object can wear, drawn onto its head in inks of its own, and the landmarks."""

from collections.abc import Callable, Mapping

from visdiff_local.bench.scenes.drawing.pen import Head, Ink, Pen, curve

_SMALLEST = 0.145
"""Least radius, in box edges, that an accessory is drawn for: small heads wear outsize things."""


def _radius(head: Head) -> float:
    return max(head.radius, _SMALLEST)


def hat(pen: Pen, head: Head) -> None:
    """A top hat with a band."""
    r, tall = _radius(head), pen.between(1.2, 1.6)
    brim = head.y - head.radius * 0.72
    pen.polygon(
        [(head.x - r * 0.75, brim), (head.x - r * 0.82, brim - r * tall),
         (head.x + r * 0.82, brim - r * tall), (head.x + r * 0.75, brim)],
        Ink.WORN, edged=True,
    )  # fmt: skip
    pen.box(head.x - r * 0.77, brim - r * 0.5, head.x + r * 0.77, brim - r * 0.12, Ink.WORN_TRIM)
    pen.stroke([(head.x - r * 1.3, brim), (head.x + r * 1.3, brim)], r * 0.3, Ink.WORN, edged=True)


def scarf(pen: Pen, head: Head) -> None:
    """Wound around the neck, one fringed end hanging down."""
    r = _radius(head)
    x, y = head.neck_x, head.neck_y
    end = (x - r * pen.between(0.5, 0.9), y + r * pen.between(1.9, 2.3))
    pen.stroke([(x - r * 0.3, y), end], r * 0.62, Ink.WORN, edged=True)
    pen.stroke(
        [(x - r * 1.0, y - r * 0.12), (x, y + r * 0.16), (x + r * 1.0, y - r * 0.12)],
        r * 0.68,
        Ink.WORN,
        edged=True,
    )
    for share in (0.5, 0.85):
        cx, cy = x - r * 0.3 + (end[0] - x + r * 0.3) * share, y + (end[1] - y) * share
        pen.stroke([(cx - r * 0.24, cy), (cx + r * 0.24, cy)], r * 0.18, Ink.WORN_TRIM)


def glasses(pen: Pen, head: Head) -> None:
    """Two big round lenses in a thick frame."""
    r = _radius(head)
    x, y = head.x + head.radius * 0.2, head.y - head.radius * 0.1
    for side in (-1, 1):
        pen.disc(x + side * r * 0.62, y, r * 0.62, Ink.WORN)
        pen.disc(x + side * r * 0.62, y, r * 0.38, Ink.LENS)
    pen.stroke([(x - r * 0.2, y), (x + r * 0.2, y)], r * 0.2, Ink.WORN)


def balloon(pen: Pen, head: Head) -> None:
    """On a string above the head."""
    top = head.y - head.radius
    size = max(0.15, head.radius * 0.9)
    x, y = head.x + pen.between(-0.08, 0.08), max(top - size * 1.2 - 0.16, -0.62)
    pen.stroke([(head.x, top + 0.05), (x, y + size)], 0.026, Ink.STRING)
    pen.polygon([(x, y + size), (x - 0.05, y + size * 1.35), (x + 0.05, y + size * 1.35)], Ink.WORN)
    pen.ellipse(x, y, size * 0.92, size * 1.12, Ink.WORN)
    pen.ellipse(x - size * 0.35, y - size * 0.4, size * 0.16, size * 0.28, Ink.WORN_TRIM, turn=25)


def crown(pen: Pen, head: Head) -> None:
    r = _radius(head)
    base, tall = head.y - head.radius * 0.7, r * pen.between(1.1, 1.4)
    left, right = head.x - r, head.x + r
    spikes = [(left, base), (left - r * 0.15, base - tall), (head.x - r * 0.5, base - tall * 0.5),
              (head.x, base - tall * 1.15), (head.x + r * 0.5, base - tall * 0.5),
              (right + r * 0.15, base - tall), (right, base)]  # fmt: skip
    pen.polygon(spikes, Ink.WORN, edged=True)
    pen.stroke([(left, base), (right, base)], r * 0.28, Ink.WORN, edged=True)
    for x in (head.x - r * 0.55, head.x, head.x + r * 0.55):
        pen.disc(x, base, r * 0.15, Ink.WORN_TRIM)


WORN: Mapping[str, Callable[[Pen, Head], None]] = {
    "hat": hat, "scarf": scarf, "glasses": glasses, "balloon": balloon, "crown": crown,
}  # fmt: skip


def draw_landmark(pen: Pen, landmark: str, *, opened: bool = False) -> None:
    """The front of a box or a barrel, filling the unit box; ``opened`` leaves the lid off."""
    if landmark == "box":
        _box(pen)
    else:
        _barrel(pen, opened)


def _box(pen: Pen) -> None:
    """A crate of light planks, nailed across."""
    pen.box(0.0, 0.06, 1.0, 1.0, Ink.PLANK)
    for y in (0.37, 0.68):
        pen.stroke([(0.0, y), (1.0, y)], 0.025, Ink.PLANK_DARK)
    slope = ((0.1, 0.2), (0.9, 0.88)) if pen.chance(0.5) else ((0.9, 0.2), (0.1, 0.88))
    pen.stroke(list(slope), 0.13, Ink.PLANK_DARK, edged=True)
    pen.stroke(list(slope), 0.09, Ink.PLANK)
    for x in (0.07, 0.93):
        pen.box(x - 0.07, 0.06, x + 0.07, 1.0, Ink.PLANK, edged=True)
    for y in (0.12, 0.94):
        pen.box(0.0, y - 0.06, 1.0, y + 0.06, Ink.PLANK, edged=True)


def _barrel(pen: Pen, opened: bool) -> None:
    """Round staves held by bright hoops."""
    left = curve((0.14, 0.06), (-0.08, 0.53), (0.14, 1.0))
    right = [(1 - x, y) for x, y in reversed(left)]
    foot = curve((0.14, 1.0), (0.5, 1.1), (0.86, 1.0))
    rim = curve((0.86, 0.06), (0.5, 0.22), (0.14, 0.06))
    pen.polygon([*left, *foot, *right, *rim], Ink.STAVE)
    for share in (0.25, 0.5, 0.75):
        x = 0.14 + 0.72 * share
        pen.stroke(curve((x, 0.14), (0.5 + (x - 0.5) * 1.6, 0.53), (x, 1.02)), 0.02, Ink.STAVE_DARK)
    for y, inset in ((0.3, 0.07), (0.76, 0.07)):
        pen.stroke(curve((inset, y), (0.5, y + 0.1), (1 - inset, y)), 0.085, Ink.HOOP, edged=True)
    if not opened:
        pen.ellipse(0.5, 0.08, 0.37, 0.075, Ink.STAVE_DARK, edged=True)


def draw_opening(pen: Pen, landmark: str) -> None:
    """The dark inside of an open landmark, to be painted before what stands in it."""
    if landmark == "box":
        pen.polygon([(0.0, 0.1), (0.08, -0.06), (0.92, -0.06), (1.0, 0.1)], Ink.HOLLOW)
    else:
        pen.ellipse(0.5, 0.08, 0.38, 0.12, Ink.HOLLOW)
