"""Two models' predictions: where does one fail and the other not? (The second application.)

    python scripts/recipes/predictions.py
    python scripts/recipes/predictions.py TABLE --models label,model_1,model_2

Drawn: dogs and cats; model 1 fails in snow, model 2 on hats.
"""

import random

from _drawn import SETTINGS, Row, run, scene


def draw(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    for _ in range(320):
        kind, snow, hat = rng.choice(["dog", "cat"]), rng.random() < 0.4, rng.random() < 0.4
        other = "cat" if kind == "dog" else "dog"
        fails = [rng.random() < (0.7 if hard else 0.1) for hard in (snow, hat)]
        said = {f"model_{n}": other if wrong else kind for n, wrong in enumerate(fails, 1)}
        where = "snow" if snow else rng.choice(SETTINGS)
        worn = "hat" if hat else "none"
        rows.append((scene(rng, kind, where, accessory=worn), {"label": kind, **said}))
    return rows


if __name__ == "__main__":
    run(draw, "compare", "--models", "label,model_1,model_2")
