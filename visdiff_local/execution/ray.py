"""The same units on a Ray cluster: Ray Data maps them over actors that hold the models.

Each unit is a block of its own, so that a node that dies costs the units in flight and no more: the
driver keeps every answer as it comes (in the store, or in parts), and the same command asks for
what is lacking. Ray is imported here only (the extra ``ray``). Usage statistics and the dashboard
are off, and without an address the cluster is this machine, on the loopback interface.
"""

import logging
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from visdiff_local.config import RunConfig
from visdiff_local.errors import MissingDependencyError, UsageError
from visdiff_local.execution.tasks import Worker
from visdiff_local.models.registry import gpu_present
from visdiff_local.store import parts
from visdiff_local.store.parts import Answered, Recipe
from visdiff_local.system import heap, offline
from visdiff_local.types import ImageRef

if TYPE_CHECKING:
    import pyarrow as pa

SWITCHES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_enable_metrics_collection": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
"""Read by Ray when it is imported, hence set before."""
_NOWHERE = "http://127.0.0.1:9"
OWN_CLUSTER = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), _NOWHERE),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost,::1"),
}
"""Likewise, without an address. Ray finds a machine's own address by asking the system for the way
to one in the internet, and listens there; where it knows of no clusters, as on those systems, that
is 127.0.0.1. One of its processes asks the metadata servers of three clouds where it runs, also
with usage statistics off: through a proxy that is not there it gets no further than loopback."""
LOOPBACK = "127.0.0.1"
ANSWER_SECONDS = 10
"""Within which a cluster must take a connection."""
OBJECTS_BYTES = 512 << 20
"""Shared memory for units and answers on their way, on a machine's own cluster."""
UNITS_AT_ONCE = 4096
"""Units that are handed to the cluster together: what the driver holds of the listing beside it."""


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Ray, connected to a cluster; to one of this machine's own where ``address`` is None.

    An address beyond this machine is the one exception to "nothing leaves it": it is what the user
    typed, and images' names and answers travel there. Each worker is offline again.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: there is no cluster.
    """
    ray = load(own=address is None)
    local = address is None or offline.is_local(address.removeprefix("ray://").rpartition(":")[0])
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if address is None:
        options |= {"_node_ip_address": LOOPBACK, "include_dashboard": False}
        options |= {"num_cpus": len(os.sched_getaffinity(0))}
        options |= {"object_store_memory": OBJECTS_BYTES}
    else:
        options |= {"address": address}
    with offline.enforced() if local else offline.beyond_this_machine():
        already = ray.is_initialized()
        try:
            if not already:
                if address is not None and address != "auto":
                    _answers(address)
                ray.init(**options)
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UsageError(
                f"--ray {address or ''}: no cluster answers there ({reason}); start one with: "
                "ray start --head --node-ip-address 127.0.0.1 --disable-usage-stats, "
                "or leave the address out"
            ) from error
        try:
            yield ray
        finally:
            if not already:
                ray.shutdown()


def _answers(address: str) -> None:
    """Raises OSError or ValueError where nobody listens: Ray itself would ask for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:
        raise ValueError("an address is HOST:PORT")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS):
        pass


def load(*, own: bool = False) -> Any:
    """The library; raises :class:`MissingDependencyError`.

    Args:
        own: for a cluster of this machine alone.
    """
    os.environ.update(SWITCHES | (OWN_CLUSTER if own else {}))
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError("--ray needs Ray: pip install 'visdiff_local[ray]'") from error
    return ray


@dataclass(frozen=True)
class Engine:
    """Answers units on a connected cluster.

    Args:
        ray: of :func:`connected`.
        workers: how many processes hold the models; where it is None, one a GPU, or one a core of
            a cluster without any.
        worker: the class of what each of them does.
    """

    ray: Any
    config: RunConfig
    recipe: Recipe
    workers: int | None = None
    worker: type[Worker] = Worker

    def all(self, units: Iterable[list[ImageRef]]) -> Iterator[list[Answered]]:
        """The rows of each unit, in the order in which they are done."""
        data = self.ray.data
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.actor_init_retry_on_errors = False
        _quiet()
        stream = iter(units)
        while wave := _taken(stream, UNITS_AT_ONCE):
            items = [{"unit": unit} for unit in wave]
            answered = data.from_items(items, override_num_blocks=len(items)).map_batches(
                Actor,
                fn_constructor_args=(self.worker, self.config, self.recipe),
                compute=data.ActorPoolStrategy(size=self._size(len(items))),
                batch_size=None,
                **self._resources(),
            )
            for table in answered.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            ):
                yield list(parts.rows_of(table))

    def _size(self, most: int) -> int:
        there = self.ray.cluster_resources()
        held = int(there.get("GPU", 0)) or int(there.get("CPU", 1))
        return max(1, min(self.workers or held, most))

    def _resources(self) -> dict[str, int]:
        gpu = int(self.ray.cluster_resources().get("GPU", 0)) > 0
        return {"num_gpus": 1} if gpu else {"num_cpus": 1}


class Actor:
    """One process of the cluster: opens the models once, answers unit after unit."""

    def __init__(self, worker: type[Worker], config: RunConfig, recipe: Recipe) -> None:
        offline.enforce()
        threads = None if gpu_present() else 1  # there, as many actors as cores
        self._worker = worker(config, recipe, threads=threads)
        self._recipe = recipe

    def __call__(self, batch: dict[str, Any]) -> "pa.Table":
        """A part's table: Ray writes Python objects out as text before it pickles them."""
        with heap.kept():
            rows = [row for unit in batch["unit"] for row in self._worker.answer(list(unit))]
        return parts.as_table(rows, self._recipe)


def _taken(stream: Iterator[list[ImageRef]], count: int) -> list[list[ImageRef]]:
    return list(islice(stream, count))


def _quiet() -> None:
    """Ray's own log lines have their files; progress is told as everywhere else."""
    for name in ("ray", "ray.data", "ray.data._internal"):
        logging.getLogger(name).setLevel(logging.ERROR)
