"""Claim: images in tar shards and in Parquet are read at 0.9 of a folder's speed or more, each
byte hashed and each picture decoded and measured; a warm repeat reads none of them.

    python scripts/performance/read_archives.py [--images 100000] [--bare]

With --bare nothing is measured, so that reading alone is compared: a stricter ratio. Processor
time of this process, listing included; the sources are read in turns, so that a busy machine is
busy for all. Prints the lowest ratio last.
"""

import argparse
import io
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from visdiff_local.images import ImageSet, ReadSet, read_set
from visdiff_local.images.reading import Measure
from visdiff_local.measure import Measurement, measure
from visdiff_local.store import Store

SHARD = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    looked = bare if options.bare else measure
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        sources = written(place, options.images, options.side)
        seconds: dict[str, float] = {}
        found: dict[str, set[str]] = {}
        for repeat in range(options.repeats):
            for kind, source in sources.items():
                with Store(place / f"store-{kind}-{repeat}") as store:
                    spent, ids, count = timed(source, store, looked)
                    assert count == options.images, f"{count} of {kind} were read"
                    warm, again, count = timed(source, store, looked)
                    assert count == 0, f"a warm repeat reads {count} of {kind}"
                    assert again == ids
                seconds[kind] = min(spent, seconds.get(kind, spent))
                found[kind] = ids
                print(
                    f"{kind}: {spent:.1f} s for {options.images:,}; again {warm:.1f} s", flush=True
                )
        assert found["tar"] == found["folder"] == found["parquet"]
    ratios = {kind: seconds["folder"] / spent for kind, spent in seconds.items()}
    told = ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in ratios.items() if kind != "folder")
    print(f"speed over a folder's: {told}")
    print(f"lowest ratio {min(ratios.values()):.2f} (claimed: 0.9 or more)")


def bare(image: Image.Image, raw: bytes) -> Measurement:
    return Measurement((0.0,), 0, "")


def timed(source: Path, store: Store, looked: Measure) -> tuple[float, set[str], int]:
    began = time.process_time()
    found: ReadSet = read_set(
        ImageSet.open(source), measure=looked, version="bench", memory=store.files
    )
    spent = time.process_time() - began
    return spent, {ref.id for ref in found.images.images}, found.read


def written(place: Path, count: int, side: int) -> dict[str, Path]:
    """The same JPEGs in a folder, in shards and in Parquet files."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(100):
        stream = io.BytesIO()
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(stream, "JPEG")
        pictures.append(stream.getvalue())
    sources = {kind: place / kind for kind in ("folder", "tar", "parquet")}
    for folder in sources.values():
        folder.mkdir()
    for start in range(0, count, SHARD):
        numbers = range(start, min(start + SHARD, count))
        # The number behind the end of the picture makes its bytes its own.
        raws = [pictures[n % len(pictures)] + n.to_bytes(8, "big") for n in numbers]
        with tarfile.open(sources["tar"] / f"{start:08}.tar", "w") as tar:
            for number, raw in zip(numbers, raws, strict=True):
                (sources["folder"] / f"{number:08}.jpg").write_bytes(raw)
                info = tarfile.TarInfo(f"{number:08}.jpg")
                info.size = len(raw)
                tar.addfile(info, io.BytesIO(raw))
        image = pa.table({"image": [{"bytes": raw, "path": None} for raw in raws]})
        parquet.write_table(image, sources["parquet"] / f"{start:08}.parquet", row_group_size=1000)
    return sources


if __name__ == "__main__":
    main()
