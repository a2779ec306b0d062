"""``prepare --ray``: three nodes on this machine give what one process gives."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from visdiff_local.config import RunConfig
from visdiff_local.errors import UsageError
from visdiff_local.execution import ray as engine
from visdiff_local.execution.shards import StoreSink, prepare
from visdiff_local.execution.tasks import UNIT, Order, Worker, recipe_of
from visdiff_local.images import ImageSet
from visdiff_local.session import Launcher, configured
from visdiff_local.store import Store
from visdiff_local.store.content import checksum
from visdiff_local.store.parts import Answered, Recipe
from visdiff_local.types import ImageRef

pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = pytest.mark.slow

MODELS = (
    '[models.fake]\nbackend = "fake"\n'
    '[profiles.fake]\ncaptioner = "fake"\nvlm = "fake"\nllm = "fake"\nembedder = "fake"\n'
)
IMAGES = 12 * UNIT
NODES = 3


class Telling(Worker):
    """Writes down which units it answers, for those who count; a unit takes it a while."""

    def answer(self, refs: Sequence[ImageRef]) -> list[Answered]:
        rows = super().answer(refs)
        time.sleep(0.3)
        with Path(os.environ["TOLD"]).open("a") as told:
            told.write(" ".join(str(row.id) for row in rows) + "\n")
        return rows


@dataclass
class Case:
    refs: Sequence[ImageRef]
    config: RunConfig
    recipe: Recipe

    def store(self, name: str) -> Store:
        return Store(Path(name))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    place = tmp_path_factory.mktemp("ray")
    before = Path.cwd()
    os.chdir(place)
    os.environ["TOLD"] = str(place / "told")
    Path("models.toml").write_text(MODELS)
    rng = np.random.default_rng(0)
    Path("set").mkdir()
    for number in range(IMAGES - 1):
        pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"set/{number}.png")
    Path("set/0bad.png").write_bytes(b"no picture")
    models = str(place / "models.toml")
    config = configured(a="set", b="", models=models, profile="fake", store=str(place / "store"))
    with Launcher() as launcher:
        order = Order(embed=True, caption=True, questions=("a dog",))
        recipe = recipe_of(order, config, launcher.roles(config))
        yield Case(ImageSet.open("set").images, config, recipe)
    os.chdir(before)
    del os.environ["TOLD"]


@pytest.fixture(scope="module")
def cluster(case: Case) -> Iterator[Any]:
    engine.load()
    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    size = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={**size})
    for _ in range(NODES - 1):
        made.add_node(num_cpus=1, object_store_memory=80 << 20)
    made.wait_for_nodes()
    yield made
    made.shutdown()


def test_one_of_three_nodes_is_killed_and_the_store_is_that_of_one_process(
    case: Case, cluster: Any
) -> None:
    with case.store("plain") as store, Worker(case.config, case.recipe) as worker:
        prepare(case.refs, StoreSink(store, case.recipe), worker.all)
        expected = checksum(store)
    done: list[int] = []

    def killed() -> None:
        while sum(done) < 3 * UNIT:
            time.sleep(0.02)
        cluster.remove_node(list(cluster.worker_nodes)[-1], allow_graceful=False)

    killer = threading.Thread(target=killed, daemon=True)
    with case.store("ray") as store, engine.connected(cluster.address) as ray:
        killer.start()
        answer = engine.Engine(ray, case.config, case.recipe, NODES, Telling).all
        sink = StoreSink(store, case.recipe)
        found = prepare(case.refs, sink, answer, lambda new, _: done.append(new))
        assert checksum(store) == expected
        assert found.statuses == {"done": IMAGES - 1, "unreadable": 1}
        # What is in the store is not asked for again but for what nobody could read.
        again = prepare(case.refs, sink, answer)
    killer.join()
    assert again.computed == 1
    told = Path(os.environ["TOLD"]).read_text().split()
    times = Counter(Counter(told).values())
    twice = IMAGES - 1 - times[1]
    assert twice <= UNIT, times  # the batch in flight


def test_an_address_where_nobody_answers_is_said() -> None:
    with (
        pytest.raises(UsageError, match="no cluster answers there"),
        engine.connected("127.0.0.1:1"),
    ):
        raise AssertionError("unreachable")


_LOOKING = """
import sys
sought = []
sys.addaudithook(lambda event, given: sought.append(str(given)) if event in (
    "socket.connect", "socket.getaddrinfo") else None)
from visdiff_local.execution.ray import load
ray = load(own=True)
from ray._common.usage.usage_lib import get_cloud_from_metadata_requests
print(ray.util.get_node_ip_address(), get_cloud_from_metadata_requests())
print(*sought, sep="\\n")
"""


def test_a_cluster_of_its_own_is_on_loopback_and_asks_no_cloud() -> None:
    """Ray would ask for the way to 8.8.8.8, and the metadata servers of three clouds."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOKING], capture_output=True, text=True, check=True, timeout=300
    )
    first, *sought = done.stdout.splitlines()
    assert first == "127.0.0.1 unknown"
    assert sought
    assert all("127.0.0.1" in address for address in sought), sought
