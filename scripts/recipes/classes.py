"""Two versions of a data set: which classes changed, and how? (The paper's first application.)

    python scripts/recipes/classes.py
    python scripts/recipes/classes.py TABLE --each label --a "version == 1" --b "version == 2"

Drawn: dogs, cats and cars; in version 2 dogs wear hats and cars drive at night.
"""

import random

from _drawn import Row, run, scene

CHANGED = {"dog": {"accessory": "hat"}, "car": {"time": "night"}}


def draw(rng: random.Random) -> list[Row]:
    return [
        (
            scene(rng, kind, **(CHANGED.get(kind, {}) if version == 2 else {})),
            {"version": version, "label": kind},
        )
        for version in (1, 2)
        for kind in ("dog", "cat", "car")
        for _ in range(40)
    ]


if __name__ == "__main__":
    run(draw, "compare", "--each", "label", "--a", "version == 1", "--b", "version == 2")
