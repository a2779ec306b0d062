"""A pool of drawn pictures that all vision trainings share: drawn once, memory-mapped afterwards.

Training reads pictures faster than one core draws them, so they are drawn once and seen a few
times. Only training combinations are in it (``scenes.world.is_held_out`` is False for all).
"""

import argparse
import json
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visdiff_local.bench.scenes.world import ATTRIBUTES, Scene, sample_scene

SIZE = 96
PATCH = 12
GRID = SIZE // PATCH
NAMES = tuple(ATTRIBUTES)
_CHUNK = 500


@dataclass(frozen=True)
class Pool:
    """``images`` uint8 (n, 96, 96, 3); ``codes`` int64 (n, attributes), indices into ATTRIBUTES;
    ``cover`` uint8 (n, 64, 3): share (0..255) of each patch under object, accessory, landmark."""

    images: npt.NDArray[np.uint8]
    codes: npt.NDArray[np.int64]
    cover: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.codes)

    def scene(self, index: int) -> Scene:
        """The scene of a picture (its seed, which only the renderer needs, is left 0)."""
        return scene_of(self.codes[index])


def scene_of(codes: npt.NDArray[np.int64]) -> Scene:
    values = {name: ATTRIBUTES[name][int(code)] for name, code in zip(NAMES, codes, strict=True)}
    return Scene(seed=0, **values)


def codes_of(scene: Scene) -> list[int]:
    return [ATTRIBUTES[name].index(scene.get(name)) for name in NAMES]


def open_pool(folder: Path) -> Pool:
    about = json.loads((folder / "pool.json").read_text())
    n = about["pictures"]
    images = np.memmap(folder / "images.u8", np.uint8, "r", shape=(n, SIZE, SIZE, 3))
    return Pool(
        images, np.load(folder / "codes.npy").astype(np.int64), np.load(folder / "cover.npy")
    )


def draw_pool(folder: Path, n: int, seed: int, workers: int) -> None:
    """Draws ``n`` pictures into ``folder``; picture ``i`` is the same whatever the workers."""
    folder.mkdir(parents=True, exist_ok=True)
    images = np.memmap(folder / "images.u8", np.uint8, "w+", shape=(n, SIZE, SIZE, 3))
    codes = np.zeros((n, len(NAMES)), np.uint8)
    cover = np.zeros((n, GRID * GRID, 3), np.uint8)
    starts = range(0, n, _CHUNK)
    jobs = [(seed, start, min(_CHUNK, n - start)) for start in starts]
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for start, (pixels, labels, shares) in zip(starts, pool.imap(_draw, jobs), strict=True):
            end = start + len(labels)
            images[start:end], codes[start:end], cover[start:end] = pixels, labels, shares
            if start % (20 * _CHUNK) == 0:
                print(f"{end}/{n} pictures, {end / (time.monotonic() - began):.0f}/s", flush=True)
    images.flush()
    np.save(folder / "codes.npy", codes)
    np.save(folder / "cover.npy", cover)
    (folder / "pool.json").write_text(json.dumps({"pictures": n, "seed": seed}))


def _draw(job: tuple[int, int, int]) -> tuple[npt.NDArray[np.uint8], ...]:
    from visdiff_local.bench.scenes.drawing.render import render

    seed, start, n = job
    rng = np.random.default_rng((seed, start))
    images = np.zeros((n, SIZE, SIZE, 3), np.uint8)
    codes = np.zeros((n, len(NAMES)), np.uint8)
    cover = np.zeros((n, GRID * GRID, 3), np.uint8)
    for i in range(n):
        scene = sample_scene(rng)
        drawn = render(scene, SIZE)
        images[i] = np.asarray(drawn.image)
        codes[i] = codes_of(scene)
        patches = drawn.mask.reshape(GRID, PATCH, GRID, PATCH).transpose(0, 2, 1, 3)
        flat = patches.reshape(GRID * GRID, -1)
        cover[i] = np.stack([(flat == part).mean(1) * 255 for part in (1, 2, 3)], axis=1)
    return images, codes, cover


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=150_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    draw_pool(options.folder, options.pictures, options.seed, options.workers)
