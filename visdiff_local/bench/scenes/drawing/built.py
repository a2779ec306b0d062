"""Settings that people have built: street, room and road."""

from visdiff_local.bench.scenes.drawing.light import Colour, mix
from visdiff_local.bench.scenes.drawing.stage import Stage


def city_street(stage: Stage) -> None:
    ground, h = stage.light.ground, stage.horizon
    x = -stage.between(0, 0.08)
    low_sun = stage.light.time in ("sunrise", "sunset")
    walls: tuple[Colour, ...] = (
        (150, 152, 160),
        (172, 160, 150),
        (128, 136, 150),
        (186, 180, 172),
        (140, 122, 116),
    )
    while x < 1:
        width, height = stage.between(0.13, 0.22), stage.between(0.26, 0.52)
        if low_sun and x - 0.1 < stage.sun_x < x + width + 0.1:
            height = 0.07
        wall = ground(walls[int(stage.rng.integers(len(walls)))])
        stage.box(x, h - height, x + width, h, wall)
        _windows(stage, x, h - height, width, height)
        x += width + 0.008
    stage.box(0, h - 0.01, 1, h + 0.1, ground((186, 186, 188)))
    for tile in range(11):
        left = tile / 10 + stage.between(-0.004, 0.004)
        stage.line([(left, h), (left - 0.03, h + 0.1)], 0.006, ground((160, 160, 164)))
    stage.box(0, h + 0.1, 1, h + 0.125, ground((130, 132, 138)))
    stage.box(0, h + 0.125, 1, 1, ground((88, 90, 98)))
    stage.box(0, h + 0.27, 1, h + 0.285, ground((206, 206, 200)))


def _windows(stage: Stage, left: float, top: float, width: float, height: float) -> None:
    columns, rows = max(2, round(width / 0.055)), int(height / 0.075)
    lit = stage.rng.random((rows, columns)) < (0.45 if stage.light.dark else 0.0)
    glass = stage.light.ground((84, 100, 124))
    for row in range(rows):
        for column in range(columns):
            x = left + width * (column + 0.25) / columns
            y = top + 0.022 + row * 0.075
            colour = (250, 220, 130) if lit[row, column] else glass
            stage.box(x, y, x + width * 0.5 / columns, y + 0.036, colour)


def room(stage: Stage) -> None:
    h = stage.horizon
    walls: tuple[Colour, ...] = (
        (226, 214, 196),
        (204, 214, 214),
        (222, 204, 204),
        (212, 214, 190),
        (208, 204, 220),
    )
    wall = walls[int(stage.rng.integers(len(walls)))]
    stage.box(0, 0, 1, h, wall)
    if stage.rng.random() < 0.5:
        gap = stage.between(0.07, 0.1)
        for index in range(int(1 / gap) + 1):
            stage.box(index * gap, 0, index * gap + gap * 0.4, h, mix(wall, (255, 255, 255), 0.3))
    left, width = stage.between(0.06, 0.62), stage.between(0.26, 0.34)
    top, bottom = stage.between(0.08, 0.12), stage.between(0.36, 0.42)
    stage.box(left - 0.025, top - 0.025, left + width + 0.025, bottom + 0.025, (248, 246, 240))
    stage.box(left, top, left + width, bottom, (176, 208, 230))
    stage.box(left + width / 2 - 0.008, top, left + width / 2 + 0.008, bottom, (248, 246, 240))
    stage.box(
        left, (top + bottom) / 2 - 0.008, left + width, (top + bottom) / 2 + 0.008, (248, 246, 240)
    )
    stage.box(left - 0.05, bottom + 0.02, left + width + 0.05, bottom + 0.045, (214, 206, 194))
    floor = mix((172, 134, 98), (206, 178, 144), stage.between(0, 1))
    stage.box(0, h, 1, 1, floor)
    for index in range(9):
        x = index / 8
        stage.line(
            [(0.5 + (x - 0.5) * 1.0, h), (0.5 + (x - 0.5) * 2.2, 1.0)],
            0.008,
            mix(floor, (90, 64, 44), 0.4),
        )
    stage.box(0, h - 0.045, 1, h, (246, 244, 238))
    stage.box(0, h, 1, h + 0.01, (150, 130, 110))


def road(stage: Stage) -> None:
    """Seen along the lane: an asphalt wedge to the horizon, dashes down the middle."""
    ground, h = stage.light.ground, stage.horizon
    verge: Colour = (150, 164, 104) if stage.rng.random() < 0.5 else (176, 160, 118)
    stage.box(0, h, 1, 1, ground(verge))
    stage.ridge(h + 0.005, 0.03, ground(mix(verge, (110, 120, 90), 0.5)))
    stage.box(0, h + 0.005, 1, 1, ground(verge))
    vanish, foot = stage.between(0.42, 0.58), stage.between(0.45, 0.55)
    stage.polygon(
        [(vanish - 0.05, h), (vanish + 0.05, h), (foot + 0.62, 1), (foot - 0.62, 1)],
        ground((92, 94, 100)),
    )
    for edge in (-1, 1):
        stage.polygon(
            [
                (vanish + edge * 0.043, h),
                (vanish + edge * 0.047, h),
                (foot + edge * 0.57, 1),
                (foot + edge * 0.52, 1),
            ],
            ground((232, 232, 226)),
        )
    for start, end in ((0.02, 0.08), (0.14, 0.26), (0.36, 0.54), (0.7, 1.0)):
        rows = [
            (vanish + (foot - vanish) * t, h + (1 - h) * t, 0.004 + 0.03 * t) for t in (start, end)
        ]
        (x0, y0, w0), (x1, y1, w1) = rows
        stage.polygon(
            [(x0 - w0, y0), (x0 + w0, y0), (x1 + w1, y1), (x1 - w1, y1)], ground((240, 236, 214))
        )
