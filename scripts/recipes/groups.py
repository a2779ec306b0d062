"""Cameras, sites, generators: what is each group's own?

    python scripts/recipes/groups.py
    python scripts/recipes/groups.py TABLE --by COLUMN

Drawn: four cameras at one road; camera 3 stands in fog.
"""

import random

from _drawn import Row, run, scene


def draw(rng: random.Random) -> list[Row]:
    return [
        (
            scene(rng, rng.choice(["car", "bus"]), "road", weather="fog" if at == 3 else "clear"),
            {"camera": f"camera {at}"},
        )
        for at in (1, 2, 3, 4)
        for _ in range(40)
    ]


if __name__ == "__main__":
    run(draw, "compare", "--by", "camera")
