"""Months, versions, ages: what becomes more frequent?

    python scripts/recipes/trend.py
    python scripts/recipes/trend.py TABLE --by COLUMN --ordered

Drawn: eight months at one road, with more snowfall each month.
"""

import random

from _drawn import Row, run, scene


def draw(rng: random.Random) -> list[Row]:
    return [
        (
            scene(
                rng,
                rng.choice(["car", "bus"]),
                "road",
                weather="snowfall" if rng.random() < month / 8 else "clear",
            ),
            {"month": f"2024-{month:02}"},
        )
        for month in range(1, 9)
        for _ in range(24)
    ]


if __name__ == "__main__":
    run(draw, "compare", "--by", "month", "--ordered")
