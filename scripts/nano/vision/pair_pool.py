"""Pairs of small picture sets with a known difference: lessons for two of the proposers.

Only training combinations are in it, as in the pool of single pictures. Drawn once, memory-mapped
afterwards; purity and which pictures are shown are chosen anew in every batch.

    python -m scripts.nano.vision.pair_pool PAIRS --pairs 2500
"""

import argparse
import json
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scripts.nano.vision.pool import GRID, NAMES, SIZE, Pool, codes_of
from visdiff_local.bench.scenes.pairs import DIFFICULTIES, make_pair

SHARES = (0.5, 0.25, 0.25)
"""Of easy, medium and hard pairs: kinds and settings are many, and need the most examples."""


@dataclass(frozen=True)
class PairPool:
    """Pictures of pair ``p``: rows ``2pn … 2pn + n - 1`` are its A, the next ``n`` its B."""

    pool: Pool
    n: int
    """Pictures a side."""
    difficulties: tuple[str, ...]
    truths: tuple[tuple[str, str], ...]
    """The canonical words for A and for B, one of each a pair."""
    nuisances: tuple[tuple[str, str, str] | None, ...]
    """Attribute, the value that A leans to and the one that B leans to; hard pairs only."""

    def __len__(self) -> int:
        return len(self.truths)

    def rows(self, pair: int, side: int) -> npt.NDArray[np.intp]:
        """Rows in the pool of the pictures of A (side 0) or B (side 1)."""
        start = (2 * pair + side) * self.n
        return np.arange(start, start + self.n)


def open_pairs(folder: Path) -> PairPool:
    about = json.loads((folder / "pairs.json").read_text())
    total = 2 * about["n"] * len(about["pairs"])
    images = np.memmap(folder / "images.u8", np.uint8, "r", shape=(total, SIZE, SIZE, 3))
    codes = np.load(folder / "codes.npy").astype(np.int64)
    pool = Pool(images, codes, np.zeros((total, GRID * GRID, 3), np.uint8))
    pairs = about["pairs"]
    return PairPool(
        pool,
        about["n"],
        tuple(one["difficulty"] for one in pairs),
        tuple((one["truth_a"], one["truth_b"]) for one in pairs),
        tuple(tuple(one["nuisance"]) if one["nuisance"] else None for one in pairs),
    )


def draw_pairs(folder: Path, pairs: int, n: int, seed: int, workers: int) -> None:
    """Draws ``pairs`` pairs of ``n`` pictures a side; pair ``i`` is the same whatever the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    total = 2 * n * pairs
    images = np.memmap(folder / "images.u8", np.uint8, "w+", shape=(total, SIZE, SIZE, 3))
    codes = np.zeros((total, len(NAMES)), np.uint8)
    told = []
    jobs = [(seed, index, n) for index in range(pairs)]
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for index, (pixels, labels, about) in enumerate(pool.imap(_draw, jobs, chunksize=8)):
            where = slice(2 * n * index, 2 * n * (index + 1))
            images[where], codes[where] = pixels, labels
            told.append(about)
            if index % 250 == 0:
                pace = (index + 1) / (time.monotonic() - began)
                print(f"{index + 1}/{pairs} pairs, {pace:.1f}/s", flush=True)
    images.flush()
    np.save(folder / "codes.npy", codes)
    (folder / "pairs.json").write_text(json.dumps({"n": n, "seed": seed, "pairs": told}))


def _draw(job: tuple[int, int, int]) -> tuple[npt.NDArray[np.uint8], list[list[int]], dict]:
    from visdiff_local.bench.scenes.drawing.render import render

    seed, index, n = job
    rng = np.random.default_rng((seed, index))
    difficulty = DIFFICULTIES[int(rng.choice(len(DIFFICULTIES), p=SHARES))]
    pair = make_pair(difficulty, rng, n=n, held_out=False)
    scenes = (*pair.a, *pair.b)
    images = np.stack([np.asarray(render(scene, SIZE).image) for scene in scenes])
    nuisance = pair.nuisance
    about = {
        "difficulty": difficulty,
        "truth_a": pair.truth_a,
        "truth_b": pair.truth_b,
        "nuisance": nuisance and (nuisance.attribute, nuisance.value_a, nuisance.value_b),
    }
    return images, [codes_of(scene) for scene in scenes], about


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=2500)
    parser.add_argument("--pictures", type=int, default=10, help="a side")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    draw_pairs(options.folder, options.pairs, options.pictures, options.seed, options.workers)
