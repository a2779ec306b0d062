"""Draws the demo's two sets, from combinations that no model was trained on.

A: many of the animals wear hats, and the sun often sets. B: it often snows. Everything else varies
alike on both sides.

    python -m scripts.nano.draw_demo visdiff_local/assets/demo
"""

import argparse
from pathlib import Path

import numpy as np

from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.world import Scene, is_held_out, sample_scene

KINDS = ("dog", "cat", "owl", "rabbit", "horse")
SETTINGS = ("beach", "forest", "meadow", "mountains", "road", "city street", "desert")
PLACES = tuple((kind, place) for kind in KINDS for place in SETTINGS if is_held_out(kind, place))
SHARES = {
    "a": {"accessory": ("hat", 0.85), "time": ("sunset", 0.6), "weather": ("snowfall", 0.05)},
    "b": {"accessory": ("hat", 0.05), "time": ("sunset", 0.1), "weather": ("snowfall", 0.5)},
}
OTHERWISE = {"accessory": "none", "time": "day", "weather": "clear"}


def draw_scene(side: str, rng: np.random.Generator) -> Scene:
    kind, setting = PLACES[rng.integers(len(PLACES))]
    fixed = {"kind": kind, "setting": setting, "rendering": "photo", "relation": "none"}
    fixed |= {"count": "one", "size": "medium"}
    for attribute, (value, share) in SHARES[side].items():
        fixed[attribute] = value if rng.random() < share else OTHERWISE[attribute]
    return sample_scene(rng, fixed, held_out=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=80, help="in each set")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    for side in SHARES:
        folder = options.folder / side
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(options.images):
            render(draw_scene(side, rng), 96).image.save(folder / f"{i:03d}.png", optimize=True)


if __name__ == "__main__":
    main()
