"""Settings without a trace of people: each paints land or water below the sky."""

import math

from visdiff_local.bench.scenes.drawing.light import Colour, mix
from visdiff_local.bench.scenes.drawing.sky import moon, stars
from visdiff_local.bench.scenes.drawing.stage import Stage


def snow(stage: Stage) -> None:
    h = stage.horizon

    def ground(colour: Colour) -> Colour:  # snow stays bluish, which tells it from sand at dusk
        lit = stage.light.ground(colour)
        return mix(lit, (196, 188, 236), 0.4) if stage.light.time == "sunset" else lit

    stage.ridge(h, 0.08, ground((214, 224, 238)))
    stage.ridge(h + 0.06, 0.05, ground((238, 243, 250)))
    stage.box(0, h + 0.1, 1, 1, ground((246, 249, 253)))
    for x, y, near in stage.scatter(7, h + 0.1):
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


def beach(stage: Stage) -> None:
    ground, h = stage.light.ground, stage.horizon
    shore = h + stage.between(0.12, 0.18)
    _water(stage, h, shore + 0.08, (64, 160, 190), (40, 110, 170))
    slope, phase = stage.between(-0.05, 0.05), stage.between(0, 6)
    edge = [(i / 12, shore + slope * (i / 6 - 1) + 0.014 * math.sin(phase + i)) for i in range(13)]
    stage.polygon([*[(x, y - 0.022) for x, y in edge], (1, 1), (0, 1)], ground((248, 250, 248)))
    stage.polygon([*edge, (1, 1), (0, 1)], ground((206, 180, 128)))
    stage.polygon([*[(x, y + 0.04) for x, y in edge], (1, 1), (0, 1)], ground((238, 216, 160)))
    for x, y, near in stage.scatter(16, shore + 0.1):
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


def forest(stage: Stage) -> None:
    """Two rows of dark firs, undergrowth in front; the sun, when low, shines through a gap."""
    ground, h = stage.light.ground, stage.horizon
    low_sun = stage.light.time in ("sunrise", "sunset")
    stage.box(0, h - 0.06, 1, 1, ground((50, 76, 56)))
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
    for x, y, near in stage.scatter(22, h + 0.07):
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


def desert(stage: Stage) -> None:
    ground, h = stage.light.ground, stage.horizon
    if stage.light.time == "day" and stage.light.clear:
        stage.ellipse(stage.between(0.2, 0.8), 0.13, 0.08, 0.08, (255, 244, 190))
    stage.ridge(h + 0.02, 0.12, ground((206, 168, 112)))
    stage.ridge(h + 0.12, 0.12, ground((226, 186, 124)))
    stage.ridge(h + 0.26, 0.12, ground((238, 202, 142)))
    ripple = ground((212, 172, 112))
    for x, y, near in stage.scatter(14, h + 0.2):
        width = 0.04 + 0.08 * near
        stage.line([(x - width, y), (x, y - 0.012), (x + width, y)], 0.008, ripple)


def ocean(stage: Stage) -> None:
    _water(stage, stage.horizon, 1.0, (24, 92, 140), (56, 128, 170))


def meadow(stage: Stage) -> None:
    ground, h = stage.light.ground, stage.horizon
    stage.ridge(h + 0.02, 0.1, ground((142, 184, 112)))
    stage.ridge(h + 0.1, 0.08, ground((122, 176, 86)))
    stage.gradient(h + 0.11, 1.0, ground((122, 176, 86)), ground((98, 156, 66)))
    petals: tuple[Colour, ...] = ((250, 250, 244), (248, 226, 110), (240, 170, 190))
    for index, (x, y, near) in enumerate(stage.scatter(46, h + 0.1)):
        size = 0.006 + 0.01 * near
        if index % 3 == 0:
            stage.line([(x, y), (x + 0.01, y - 0.03 - 0.02 * near)], 0.007, ground((76, 128, 54)))
        else:
            stage.ellipse(x, y, size, size, ground(petals[index % 4 % 3]))


_SNOW_CAP = ((0.0, 0.0), (-0.3, 0.3), (-0.1, 0.22), (0.08, 0.33), (0.3, 0.3))


def mountains(stage: Stage) -> None:
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
    stage.ridge(h + 0.03, 0.04, ground((112, 136, 108)))
    stage.gradient(h + 0.03, 1.0, ground((122, 142, 106)), ground((136, 142, 112)))
    for x, y, near in stage.scatter(12, h + 0.08):
        stage.ellipse(x, y, 0.012 + 0.02 * near, 0.008 + 0.012 * near, ground((150, 150, 146)))


def night_sky(stage: Stage) -> None:
    """Nothing but sky: a large moon, many stars, clouds below."""
    stage.gradient(0, 1, (6, 6, 30), (36, 30, 88))
    stars(stage, 90, 0.9)
    side = stage.between(0.16, 0.3)
    moon(stage, side if stage.rng.random() < 0.5 else 1 - side, stage.between(0.16, 0.26), 0.14)
    for layer, colour in ((0.0, (70, 66, 120)), (0.06, (98, 94, 148))):
        for index in range(6):
            x, y = index / 5 + stage.between(-0.08, 0.08), 0.93 + layer + stage.between(-0.03, 0.03)
            stage.ellipse(x, y, stage.between(0.1, 0.17), 0.07, colour)


def underwater(stage: Stage) -> None:
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
    stage.ridge(h + 0.04, 0.05, (150, 156, 128))
    weed: Colour = mix((18, 92, 70), (30, 110, 60), stage.between(0, 1))
    for _ in range(6):
        x, height, phase = stage.between(0, 1), stage.between(0.14, 0.32), stage.between(0, 6)
        stalk = [(x + 0.022 * math.sin(phase + i * 1.1), 0.97 - height * i / 6) for i in range(7)]
        stage.line(stalk, 0.026, weed)
    for _ in range(14):
        x, y, r = stage.between(0, 1), stage.between(0.03, 0.85), stage.between(0.008, 0.022)
        stage.ellipse(x, y, r, r, (216, 242, 246))
        stage.ellipse(x, y, r * 0.65, r * 0.65, mix(top, deep, y))
