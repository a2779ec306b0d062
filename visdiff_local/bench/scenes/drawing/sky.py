"""The sky above a landscape: clouds, a low sun, moon and stars."""

from visdiff_local.bench.scenes.drawing.light import Colour, mix
from visdiff_local.bench.scenes.drawing.stage import Stage


def sky(stage: Stage) -> None:
    light, horizon = stage.light, stage.horizon
    stage.gradient(0, horizon + 0.02, *light.sky)
    if light.dark:
        stars(stage, 22 if light.clear else 5, horizon * 0.9)
        if light.clear:
            moon(stage, stage.between(0.1, 0.9), stage.between(0.1, 0.2), 0.055)
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


def stars(stage: Stage, count: int, below: float) -> None:
    radius = max(1.0, stage.side / 190)
    for x, y, bright in stage.rng.random((count, 3)).tolist():
        cx, cy, r = x * stage.side, y * below * stage.side, radius * (0.6 + 0.6 * bright)
        stage.draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=(235, 238, 255))


def moon(stage: Stage, x: float, y: float, radius: float) -> None:
    stage.ellipse(x, y, radius, radius, (244, 240, 214))
    for dx, dy, r in ((-0.3, -0.2, 0.22), (0.3, 0.3, 0.17), (0.25, -0.4, 0.12)):
        stage.ellipse(x + dx * radius, y + dy * radius, r * radius, r * radius, (216, 210, 186))


def _cloud(stage: Stage, x: float, y: float, size: float, colour: Colour) -> None:
    for dx, dy, r in ((-1.1, 0.2, 0.6), (0.0, 0.0, 0.9), (1.1, 0.2, 0.65)):
        stage.ellipse(x + dx * size, y + dy * size, r * size * 1.2, r * size * 0.75, colour)
