"""Claim: bursts of near-duplicates are one witness each, with no option given.

    python scripts/performance/bursts.py [--runs 40] [--bursts 8] [--shots 10] [--seed 0]

A set is so many bursts of one scene each, shot again a little brighter or darker; bursts are dealt
to A and B at random, so nothing differs. Prints the false finds last.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import ImageEnhance

from visdiff_local.bench.null import aa_row, share
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.world import sample_scene
from visdiff_local.session import Launcher


def shot(bursts: int, shots: int, seed: int, folder: Path) -> tuple[list[Path], list[int]]:
    """Pictures of ``bursts`` scenes, and the burst of each."""
    rng = np.random.default_rng([seed, 3])
    paths, of = [], []
    for burst in range(bursts):
        scene = render(sample_scene(rng, held_out=None)).image
        for number in range(shots):
            path = folder / f"{burst:03d}-{number:02d}.png"
            ImageEnhance.Brightness(scene).enhance(0.98 + 0.04 * rng.random()).save(path)
            paths.append(path)
            of.append(burst)
    return paths, of


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--bursts", type=int, default=8, help="a set")
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    false = 0
    with tempfile.TemporaryDirectory() as scratch, Launcher() as engine:
        for run in range(options.runs):  # every run has scenes of its own
            folder = Path(scratch) / str(run)
            folder.mkdir()
            paths, of = shot(2 * options.bursts, options.shots, options.seed + run, folder)
            given = {"profile": "nano", "store": str(Path(scratch) / "store")}
            row = aa_row(paths, given, engine, folder, runs=1, seed=run, patients=of)
            false += int(row["confirmed"])
    rate, low, high = share(false, options.runs)
    print(f"{options.bursts} bursts of {options.shots} shots a set, no option given")
    print(f"false finds {false} of {options.runs}: {rate:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
