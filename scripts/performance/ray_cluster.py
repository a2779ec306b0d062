"""Claim: two one-core Ray workers prepare at least 1.7 times as many images a second as one, and
one worker takes at most 10 % more time than a plain prepare at 20,000 images; equal stores.

    python scripts/performance/ray_cluster.py [--images 20000] [--side 256]

Work that is bound by decoding: the models are fake. The cluster is this machine's own. Starting it
(some seconds) and its workers is told apart and not counted: the clock of each run starts with the
first unit that is answered. A machine whose cores are busy with other work shows less.
Prints both ratios last.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from _shared import FAKE_MODELS, noisy_pictures

from visdiff_local.config import RunConfig
from visdiff_local.execution import ray as engine
from visdiff_local.execution.shards import Answer, StoreSink, prepare
from visdiff_local.execution.tasks import Order, Worker, recipe_of
from visdiff_local.images import ImageSet
from visdiff_local.session import Launcher, configured
from visdiff_local.store import Store
from visdiff_local.store.content import checksum
from visdiff_local.store.parts import Answered, Recipe
from visdiff_local.types import ImageRef


class Timed:
    """Images a second from the first unit's answer to the last one's."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.began = time.perf_counter()
        self.started = 0.0
        self.images = 0

    def all(self, units: Iterator[list[ImageRef]]) -> Iterator[list[Answered]]:
        for rows in self._answer(units):
            if self.started:
                self.images += len(rows)
            self.started = self.started or time.perf_counter()
            yield rows
        self.ended = time.perf_counter()

    @property
    def rate(self) -> float:
        return self.images / (self.ended - self.started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        os.chdir(made)
        noisy_pictures(Path("set"), options.images, side=options.side)
        Path("models.toml").write_text(FAKE_MODELS)
        config = configured(a="set", b="", models=f"{made}/models.toml", profile="fake", store="s")
        refs = ImageSet.open("set").images
        with Launcher() as launcher:
            recipe = recipe_of(Order(embed=True, caption=True), config, launcher.roles(config))
        rates, sums = {}, set()
        with Worker(config, recipe, threads=1) as worker:
            rates["plain"] = run("plain", worker.all, refs, recipe, sums)
        with engine.connected(None) as ray:
            for workers in (1, 2):
                name = f"{workers} worker{'s' * (workers > 1)}"
                rates[name] = run(name, cluster(ray, config, recipe, workers), refs, recipe, sums)
    assert len(sums) == 1, "the stores differ"
    overhead = rates["plain"] / rates["1 worker"] - 1
    print(f"overhead of the engine {overhead:.1%} (claimed: at most 10 %)")
    print(f"two workers over one: {rates['2 workers'] / rates['1 worker']:.2f} (claimed: 1.7)")


def cluster(ray: object, config: RunConfig, recipe: Recipe, workers: int) -> Answer:
    return engine.Engine(ray, config, recipe, workers).all


def run(
    name: str, answer: Answer, refs: tuple[ImageRef, ...], recipe: Recipe, sums: set[str]
) -> float:
    timed = Timed(answer)
    with Store(Path(name.replace(" ", "-"))) as store:
        prepare(refs, StoreSink(store, recipe), timed.all)
        sums.add(checksum(store))
    waited = timed.started - timed.began
    print(f"{name}: {timed.rate:.0f} images a second after {waited:.1f} s of starting", flush=True)
    return timed.rate


if __name__ == "__main__":
    main()
