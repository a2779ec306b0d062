"""Claim: images are decoded and measured at 200 a second or more on two cores (512-pixel JPEGs).

    python scripts/performance/measure.py [--images 200] [--workers 2] [--folder DIR]

Without a folder it draws its own pictures, 512 pixels on the longer side, at quality 90. Prints
the rate last.
"""

import argparse
import io
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.world import sample_scene
from visdiff_local.measure import measure


def decode_and_measure(raw: bytes) -> float:
    """Seconds of processor time that one image takes."""
    start = time.process_time()
    measure(Image.open(io.BytesIO(raw)).convert("RGB"), raw)
    return time.process_time() - start


def drawn(count: int) -> list[bytes]:
    """A few pictures, over and over, with the grain that photographs have."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(min(count, 20)):
        picture = np.asarray(render(sample_scene(rng), 512).image, np.float32)[:384]
        grainy = (picture + 4 * rng.standard_normal(picture.shape)).clip(0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(grainy).save(buffer, "JPEG", quality=90)
        files.append(buffer.getvalue())
    return [files[i % len(files)] for i in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.folder:
        found = [path.read_bytes() for path in sorted(options.folder.rglob("*.jpg"))]
        files = [found[i % len(found)] for i in range(options.images)]
    else:
        files = drawn(options.images)
    with ProcessPoolExecutor(options.workers) as pool:
        list(pool.map(decode_and_measure, files[: 4 * options.workers]))  # start and import
        times = []
        for _ in range(options.repeats):
            start = time.perf_counter()
            spent = list(pool.map(decode_and_measure, files, chunksize=8))
            times.append(time.perf_counter() - start)
    print(f"{len(files)} JPEGs, {options.workers} processes, best of {options.repeats}")
    print(f"{1000 * np.mean(spent):.1f} ms of processor time an image")
    print(f"{len(files) / min(times):.0f} images a second (claimed: at least 200)")


if __name__ == "__main__":
    main()
