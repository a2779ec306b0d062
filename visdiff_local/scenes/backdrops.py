"""The twelve settings: each paints the background of a picture from the horizon to the frame."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from visdiff_local.scenes.light import Colour, Light, Stage, mix

_HORIZONS: Mapping[str, tuple[float, float]] = {
    "snow": (0.48, 0.6), "beach": (0.4, 0.48), "forest": (0.52, 0.6), "city street": (0.58, 0.66),
    "desert": (0.48, 0.58), "ocean": (0.46, 0.56), "room": (0.6, 0.68), "meadow": (0.5, 0.6),
    "night sky": (1.0, 1.0), "road": (0.44, 0.54), "mountains": (0.58, 0.66),
    "underwater": (0.84, 0.9),
}  # fmt: skip


def paint_backdrop(setting: str, light: Light, side: int, rng: np.random.Generator) -> Stage:
    """The painted background of one picture, without weather in front of it."""
    low, high = _HORIZONS[setting]
    stage = Stage(side, float(rng.uniform(low, high)), light, rng)
    if setting not in ("room", "underwater", "night sky"):
        _sky(stage)
    _PAINTERS[setting](stage)
    return stage


def _sky(stage: Stage) -> None:
    light, horizon = stage.light, stage.horizon
    stage.gradient(0, horizon + 0.02, *light.sky)
    if light.dark:
        _stars(stage, 22 if light.clear else 5, horizon * 0.9)
        if light.clear:
            _moon(stage, stage.between(0.1, 0.9), stage.between(0.1, 0.2), 0.055)
    elif light.time != "day":
        _low_sun(stage)
    elif light.clear:
        for _ in range(int(stage.between(0, 3.5))):
            _cloud(
                stage,
                stage.between(0, 1),
                stage.between(0.06, horizon * 0.55),
                stage.between(0.05, 0.09),
                (250, 252, 255),
            )
    if not light.clear:
        for index in range(4):
            y = stage.between(0.0, 0.12)
            _cloud(
                stage,
                0.1 + 0.28 * index + stage.between(-0.1, 0.1),
                y,
                0.1,
                mix(light.sky[0], (90, 96, 108), 0.35),
            )


def _low_sun(stage: Stage) -> None:
    """Rising at the left of the horizon, setting at the right."""
    rising, horizon = stage.light.time == "sunrise", stage.horizon
    stage.sun_x = stage.between(0.08, 0.22) if rising else stage.between(0.78, 0.92)
    y, radius = horizon - stage.between(0.1, 0.16), stage.between(0.08, 0.1)
    low = stage.light.sky[1]
    glow: Colour = (255, 240, 190) if rising else (255, 90, 20)
    core: Colour = (255, 250, 210) if rising else (255, 196, 40)
    for factor, share in ((2.4, 0.3), (1.6, 0.6), (1.0, 1.0)):
        colour = core if share == 1.0 else mix(low, glow, share)
        if not stage.light.clear:
            colour = mix(colour, low, 0.3)
        stage.ellipse(stage.sun_x, y, radius * factor, radius * factor, colour)
    streak: Colour = (255, 214, 214) if rising else (206, 62, 70)
    for _ in range(3):
        x, height = stage.between(0, 1), stage.between(0.08, horizon * 0.6)
        stage.ellipse(x, height, stage.between(0.12, 0.26), 0.013, mix(low, streak, 0.75))


def _stars(stage: Stage, count: int, below: float) -> None:
    radius = max(1.0, stage.side / 190)
    for x, y, bright in stage.rng.random((count, 3)).tolist():
        cx, cy, r = x * stage.side, y * below * stage.side, radius * (0.6 + 0.6 * bright)
        stage.draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=(235, 238, 255))


def _moon(stage: Stage, x: float, y: float, radius: float) -> None:
    stage.ellipse(x, y, radius, radius, (244, 240, 214))
    for dx, dy, r in ((-0.3, -0.2, 0.22), (0.3, 0.3, 0.17), (0.25, -0.4, 0.12)):
        stage.ellipse(x + dx * radius, y + dy * radius, r * radius, r * radius, (216, 210, 186))


def _cloud(stage: Stage, x: float, y: float, size: float, colour: Colour) -> None:
    for dx, dy, r in ((-1.1, 0.2, 0.6), (0.0, 0.0, 0.9), (1.1, 0.2, 0.65)):
        stage.ellipse(x + dx * size, y + dy * size, r * size * 1.2, r * size * 0.75, colour)


def _ridge(stage: Stage, base: float, height: float, colour: Colour) -> None:
    """Rolling land that reaches from its skyline down to the bottom of the picture."""
    phase, waves = stage.between(0, 6.3), stage.between(0.7, 1.6)
    top = [
        (i / 16, base - height * (0.5 + 0.5 * math.sin(phase + waves * 6.3 * i / 16)))
        for i in range(17)
    ]
    stage.polygon([*top, (1.0, 1.0), (0.0, 1.0)], colour)


def _scatter(stage: Stage, count: int, top: float) -> list[tuple[float, float, float]]:
    """Places on the ground as (x, y, nearness from 0 to 1)."""
    spots = stage.rng.random((count, 2)).tolist()
    return sorted(((x, top + (1 - top) * y, y) for x, y in spots), key=lambda spot: spot[1])


def _snow(stage: Stage) -> None:
    h = stage.horizon

    def ground(colour: Colour) -> Colour:  # snow stays bluish, which tells it from sand at dusk
        lit = stage.light.ground(colour)
        return mix(lit, (196, 188, 236), 0.4) if stage.light.time == "sunset" else lit

    _ridge(stage, h, 0.08, ground((214, 224, 238)))
    _ridge(stage, h + 0.06, 0.05, ground((238, 243, 250)))
    stage.box(0, h + 0.1, 1, 1, ground((246, 249, 253)))
    for x, y, near in _scatter(stage, 7, h + 0.1):
        width = 0.1 + 0.16 * near
        stage.ellipse(x, y + 0.012, width, 0.025 + 0.02 * near, ground((196, 210, 232)))
        stage.ellipse(x, y, width, 0.025 + 0.02 * near, ground((252, 253, 255)))


def _water(stage: Stage, top: float, bottom: float, near: Colour, far: Colour) -> None:
    ground = stage.light.ground
    low = mix(ground(far), stage.light.sky[1], 0.25)
    stage.gradient(top, bottom, low, ground(near))
    crest = ground(mix(near, (235, 245, 250), 0.6))
    for x, share, length in stage.rng.random((int(90 * (bottom - top)), 3)).tolist():
        y, width = top + (bottom - top) * share, (0.02 + 0.05 * share) * (0.6 + length)
        lift = 0.012 * (0.4 + share)
        stage.line(
            [
                (x - width, y),
                (x - width * 0.3, y - lift),
                (x + width * 0.3, y - lift),
                (x + width, y),
            ],
            0.008,
            crest,
        )


def _beach(stage: Stage) -> None:
    ground, h = stage.light.ground, stage.horizon
    shore = h + stage.between(0.12, 0.18)
    _water(stage, h, shore + 0.08, (64, 160, 190), (40, 110, 170))
    slope, phase = stage.between(-0.05, 0.05), stage.between(0, 6)
    edge = [(i / 12, shore + slope * (i / 6 - 1) + 0.014 * math.sin(phase + i)) for i in range(13)]
    stage.polygon([*[(x, y - 0.022) for x, y in edge], (1, 1), (0, 1)], ground((248, 250, 248)))
    stage.polygon([*edge, (1, 1), (0, 1)], ground((206, 180, 128)))
    stage.polygon([*[(x, y + 0.04) for x, y in edge], (1, 1), (0, 1)], ground((238, 216, 160)))
    for x, y, near in _scatter(stage, 16, shore + 0.1):
        stage.ellipse(
            x,
            y,
            0.006 + 0.01 * near,
            0.005 + 0.006 * near,
            ground((214, 188, 132) if near < 0.6 else (250, 238, 214)),
        )


def _fir(stage: Stage, x: float, foot: float, height: float, colour: Colour) -> None:
    width = height * 0.24
    stage.box(
        x - width * 0.14,
        foot - height * 0.2,
        x + width * 0.14,
        foot,
        stage.light.ground((78, 62, 48)),
    )
    for tier in range(3):
        low, span = foot - height * (0.12 + 0.27 * tier), width * (1 - 0.24 * tier)
        stage.polygon([(x - span, low), (x, low - height * 0.4), (x + span, low)], colour)


def _forest(stage: Stage) -> None:
    """Two rows of dark firs, undergrowth in front; the sun, when low, shines through a gap."""
    ground, h = stage.light.ground, stage.horizon
    low_sun = stage.light.time in ("sunrise", "sunset")
    for foot, step, height, colour in (
        (h, 0.085, 0.34, (84, 116, 92)),
        (h + 0.04, 0.13, 0.44, (42, 78, 54)),
    ):
        if step > 0.1:
            stage.box(0, h, 1, 1, ground((66, 88, 50)))
        x = stage.between(-0.06, 0.02)
        while x < 1.05:
            if not (low_sun and abs(x - stage.sun_x) < 0.13):
                tall = height * stage.between(0.75, 1.1)
                _fir(stage, x, foot, tall, ground(mix(colour, (30, 50, 40), stage.between(0, 0.3))))
            x += step * stage.between(0.8, 1.25)
    for x, y, near in _scatter(stage, 22, h + 0.07):
        size = 0.015 + 0.025 * near
        tuft = ground((52, 72, 40) if near < 0.5 else (86, 104, 58))
        stage.polygon(
            [
                (x - size, y),
                (x - size * 0.4, y - size * 1.6),
                (x, y - size * 0.5),
                (x + size * 0.5, y - size * 1.5),
                (x + size, y),
            ],
            tuft,
        )


def _city_street(stage: Stage) -> None:
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


def _desert(stage: Stage) -> None:
    ground, h = stage.light.ground, stage.horizon
    if stage.light.time == "day" and stage.light.clear:
        stage.ellipse(stage.between(0.2, 0.8), 0.13, 0.08, 0.08, (255, 244, 190))
    _ridge(stage, h + 0.02, 0.12, ground((206, 168, 112)))
    _ridge(stage, h + 0.12, 0.12, ground((226, 186, 124)))
    _ridge(stage, h + 0.26, 0.12, ground((238, 202, 142)))
    ripple = ground((212, 172, 112))
    for x, y, near in _scatter(stage, 14, h + 0.2):
        width = 0.04 + 0.08 * near
        stage.line([(x - width, y), (x, y - 0.012), (x + width, y)], 0.008, ripple)


def _ocean(stage: Stage) -> None:
    _water(stage, stage.horizon, 1.0, (24, 92, 140), (56, 128, 170))


def _room(stage: Stage) -> None:
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


def _meadow(stage: Stage) -> None:
    ground, h = stage.light.ground, stage.horizon
    _ridge(stage, h + 0.02, 0.1, ground((142, 184, 112)))
    _ridge(stage, h + 0.1, 0.08, ground((122, 176, 86)))
    stage.gradient(h + 0.11, 1.0, ground((122, 176, 86)), ground((98, 156, 66)))
    petals: tuple[Colour, ...] = ((250, 250, 244), (248, 226, 110), (240, 170, 190))
    for index, (x, y, near) in enumerate(_scatter(stage, 46, h + 0.1)):
        size = 0.006 + 0.01 * near
        if index % 3 == 0:
            stage.line([(x, y), (x + 0.01, y - 0.03 - 0.02 * near)], 0.007, ground((76, 128, 54)))
        else:
            stage.ellipse(x, y, size, size, ground(petals[index % 4 % 3]))


def _night_sky(stage: Stage) -> None:
    """Nothing but sky: a large moon, many stars, clouds below."""
    stage.gradient(0, 1, (6, 6, 30), (36, 30, 88))
    _stars(stage, 90, 0.9)
    side = stage.between(0.16, 0.3)
    _moon(stage, side if stage.rng.random() < 0.5 else 1 - side, stage.between(0.16, 0.26), 0.14)
    for layer, colour in ((0.0, (70, 66, 120)), (0.06, (98, 94, 148))):
        for index in range(6):
            x, y = index / 5 + stage.between(-0.08, 0.08), 0.93 + layer + stage.between(-0.03, 0.03)
            stage.ellipse(x, y, stage.between(0.1, 0.17), 0.07, colour)


def _road(stage: Stage) -> None:
    """Seen along the lane: an asphalt wedge to the horizon, dashes down the middle."""
    ground, h = stage.light.ground, stage.horizon
    verge: Colour = (150, 164, 104) if stage.rng.random() < 0.5 else (176, 160, 118)
    stage.box(0, h, 1, 1, ground(verge))
    _ridge(stage, h + 0.005, 0.03, ground(mix(verge, (110, 120, 90), 0.5)))
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


_SNOW_CAP = ((0.0, 0.0), (-0.3, 0.3), (-0.1, 0.22), (0.08, 0.33), (0.3, 0.3))


def _mountains(stage: Stage) -> None:
    ground, h = stage.light.ground, stage.horizon
    low_sun = stage.light.time in ("sunrise", "sunset")
    x = stage.between(-0.05, 0.1)
    while x < 1.1:
        height, width = stage.between(0.3, 0.46), stage.between(0.22, 0.3)
        if low_sun and abs(x - stage.sun_x) < 0.25:
            height *= 0.25
        peak = h - height
        stage.polygon(
            [(x - width, h + 0.02), (x, peak), (x + width, h + 0.02)], ground((120, 128, 146))
        )
        stage.polygon(
            [(x, peak), (x + width, h + 0.02), (x + width * 0.15, h + 0.02)], ground((92, 100, 122))
        )
        stage.polygon(
            [(x + width * u, peak + height * v) for u, v in _SNOW_CAP],
            ground((244, 247, 252)),
        )
        x += stage.between(0.24, 0.36)
    _ridge(stage, h + 0.03, 0.04, ground((112, 136, 108)))
    stage.gradient(h + 0.03, 1.0, ground((122, 142, 106)), ground((136, 142, 112)))
    for x, y, near in _scatter(stage, 12, h + 0.08):
        stage.ellipse(x, y, 0.012 + 0.02 * near, 0.008 + 0.012 * near, ground((150, 150, 146)))


def _underwater(stage: Stage) -> None:
    """Light from above, bubbles, seaweed on a strip of sand."""
    top: Colour = mix((92, 190, 206), (70, 170, 200), stage.between(0, 1))
    deep: Colour = mix((10, 66, 110), (14, 84, 104), stage.between(0, 1))
    stage.gradient(0, 1, top, deep)
    for _ in range(3):
        x, lean = stage.between(0, 0.9), stage.between(-0.25, 0.05)
        stage.polygon(
            [(x, 0), (x + 0.06, 0), (x + lean + 0.12, 0.5), (x + lean, 0.5)],
            mix(top, (200, 236, 240), 0.2),
        )
    h = stage.horizon
    _ridge(stage, h + 0.04, 0.05, (150, 156, 128))
    weed: Colour = mix((18, 92, 70), (30, 110, 60), stage.between(0, 1))
    for _ in range(6):
        x, height, phase = stage.between(0, 1), stage.between(0.14, 0.32), stage.between(0, 6)
        stalk = [(x + 0.022 * math.sin(phase + i * 1.1), 0.97 - height * i / 6) for i in range(7)]
        stage.line(stalk, 0.026, weed)
    for _ in range(14):
        x, y, r = stage.between(0, 1), stage.between(0.03, 0.85), stage.between(0.008, 0.022)
        stage.ellipse(x, y, r, r, (216, 242, 246))
        stage.ellipse(x, y, r * 0.65, r * 0.65, mix(top, deep, y))


_PAINTERS: Mapping[str, Callable[[Stage], None]] = {
    "snow": _snow, "beach": _beach, "forest": _forest, "city street": _city_street,
    "desert": _desert, "ocean": _ocean, "room": _room, "meadow": _meadow,
    "night sky": _night_sky, "road": _road, "mountains": _mountains, "underwater": _underwater,
}  # fmt: skip
