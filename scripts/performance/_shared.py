"""What several benches need: pictures, memory, a configuration of models without weights."""

import shutil
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

FAKE_MODELS = (
    '[models.fake]\nbackend = "fake"\n'
    '[profiles.fake]\ncaptioner = "fake"\nvlm = "fake"\nllm = "fake"\nembedder = "fake"\n'
)
"""A models.toml whose profile ``fake`` needs no weights."""


@dataclass
class Seconds:
    """What a piece of work took: on the clock, and of processor time (all threads added), which
    other work on the same machine disturbs less."""

    wall: float = 0.0
    processor: float = 0.0

    def __truediv__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.wall / other.wall, self.processor / other.processor)

    def times(self, factor: float) -> "Seconds":
        return Seconds(self.wall * factor, self.processor * factor)


def best(tries: list[Seconds]) -> Seconds:
    """The least of each: other work only ever adds to them."""
    return Seconds(min(t.wall for t in tries), min(t.processor for t in tries))


@contextmanager
def timed(into: Seconds) -> Iterator[None]:
    """Adds what the block takes."""
    wall, processor = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        into.wall += time.perf_counter() - wall
        into.processor += time.process_time() - processor


def noisy_pictures(folder: Path, count: int, *, side: int = 64, seed: int = 0) -> Path:
    """Small JPEGs, all different, of a coarse pattern with grain: quick to draw and to decode."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = rng.integers(0, 200, (4, 4, 3)).repeat(side // 4, axis=0).repeat(side // 4, axis=1)
        grainy = (coarse + rng.integers(0, 56, (side, side, 3))).astype(np.uint8)
        Image.fromarray(grainy).save(folder / f"{number:05d}.jpg", quality=90)
    return folder


SOURCES = ("folder", "tar", "parquet")


def packed(folder: Path, kind: str) -> Path:
    """The files of a folder as they are, or in a tar or a Parquet file, and no longer beside it."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if kind == "folder":
        return folder
    target = folder.with_suffix(f".{kind}")
    if kind == "tar":
        with tarfile.open(target, "w") as tar:
            for path in files:
                tar.add(path, arcname=path.name)
    else:
        rows = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
        parquet.write_table(pa.table({"image": rows}), target, row_group_size=100)
    shutil.rmtree(folder)
    return target


def anonymous_mib() -> float:
    """Memory of this process that is no file's, in MiB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no RssAnon")


@contextmanager
def peak_anonymous_mib(every: float = 0.05) -> Iterator[list[float]]:
    """Yields a list whose only number is, at the end, the most that was held meanwhile."""
    peak, over = [anonymous_mib()], threading.Event()

    def watch() -> None:
        while not over.wait(every):
            peak[0] = max(peak[0], anonymous_mib())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()
        peak[0] = max(peak[0], anonymous_mib())
