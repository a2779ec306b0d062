"""Work done ahead of its reader by threads, in order, with a bound on what is held in memory."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD_PER_WORKER = 2
"""Results that wait for the reader, per thread: enough to hide a slow file, small in memory."""
_BEGAN = time.monotonic()


def default_workers() -> int:
    """One thread a core that this process may use, at most 16."""
    return max(1, min(16, len(os.sched_getaffinity(0))))


def free_cores() -> int:
    """Cores of this process that nothing else computes on, at least one.

    Threads that must wait for each other at every step, as a language model's do, are slower with
    two than with one where other work takes one of the cores. By the load of the last minute less
    what this process has used itself since it began.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        load = os.getloadavg()[0]
    except OSError:  # no such number on this system
        return cores
    own = time.process_time() / max(time.monotonic() - _BEGAN, 1.0)
    others = max(0.0, load - own) / (os.cpu_count() or cores)
    return max(1, cores - round(cores * others))


def ahead(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int | None = None
) -> Iterator[tuple[Item, Result]]:
    """Yields ``(item, work(item))`` in the order of ``items``.

    Threads are enough: Pillow and hashlib release the interpreter's lock. At most
    ``3 * workers`` results exist at once. An exception of ``work`` is raised at its item's turn.
    When the reader stops early, what has not begun is cancelled.
    """
    threads = workers or default_workers()
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="images")
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) > _AHEAD_PER_WORKER * threads:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
