"""A number for each image: what goes with it? (The fifth application: memorability.)

    python scripts/recipes/scores.py
    python scripts/recipes/scores.py TABLE --score COLUMN

Drawn: people and things; people raise the score, and hats do.
"""

import random

from _drawn import Row, run, scene

PEOPLE = ("man", "woman", "child")


def draw(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    for _ in range(320):
        kind = rng.choice([*PEOPLE, "tree", "chair", "dog"])
        hat = kind in PEOPLE and rng.random() < 0.5
        score = 0.4 + 0.2 * (kind in PEOPLE) + 0.1 * hat + rng.gauss(0, 0.1)
        picture = scene(rng, kind, accessory="hat" if hat else "none")
        rows.append((picture, {"score": round(score, 3)}))
    return rows


if __name__ == "__main__":
    run(draw, "compare", "--score", "score")
