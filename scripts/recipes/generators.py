"""Two generators given the same prompts: how do their images differ? (The fourth application.)

    python scripts/recipes/generators.py
    python scripts/recipes/generators.py TABLE --a … --b … --paired-by prompt

Drawn: thirty prompts, three images each; the second generator likes sunsets. Two sets, so this is
an ordinary run, paired by the prompt.
"""

import random

from _drawn import SETTINGS, Row, run, scene


def draw(rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    for number in range(30):
        kind, where = rng.choice(["dog", "cat", "car", "tree"]), rng.choice(SETTINGS)
        prompt = f"a {kind} at the {where}, {number}"
        for generator in ("first", "second"):
            for _ in range(3):
                sunset = generator == "second" and rng.random() < 0.7
                picture = scene(rng, kind, where, time="sunset" if sunset else "day")
                rows.append((picture, {"generator": generator, "prompt": prompt}))
    return rows


if __name__ == "__main__":
    sides = ("--a", "generator == 'second'", "--b", "generator == 'first'")
    run(draw, "run", *sides, "--paired-by", "prompt")
