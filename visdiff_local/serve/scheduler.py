"""One queue, one worker: jobs of the same kind that wait together are computed as one batch.

A single thread touches the models, so that one GPU is never asked for two things at once. The first
job of a batch waits a moment for company; while a batch is computed, the next one gathers.
"""

import queue
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from visdiff_local.errors import UsageError

Run = Callable[[list[Any]], Sequence[Any]]

WINDOW = 0.01
"""Seconds that the first job waits for others."""
LARGEST = 64
"""Jobs in a batch."""
WAITING = 256
"""Jobs in the queue; more are refused."""


class BusyError(Exception):
    """The queue is full, or closing."""


@dataclass
class _Job:
    key: Hashable
    item: Any
    run: Run
    result: Future[Any] = field(default_factory=Future)


class Scheduler:
    """Start it with :meth:`start`; :meth:`close` finishes what waits and refuses what comes."""

    def __init__(
        self, *, window: float = WINDOW, largest: int = LARGEST, waiting: int = WAITING
    ) -> None:
        self._window = window
        self._largest = largest
        self._queue: queue.Queue[_Job | None] = queue.Queue(waiting)
        self._worker = threading.Thread(target=self._work, name="models", daemon=True)
        self._closing = False
        self.batches: list[int] = []
        """Sizes of the last batches computed, newest last."""

    def start(self) -> None:
        self._worker.start()

    def submit(self, key: Hashable, item: Any, run: Run) -> "Future[Any]":
        """The future result of ``item``.

        Args:
            key: jobs of equal keys may be computed together.
            run: items → as many results, in order; called in the worker's thread.

        Raises:
            BusyError: too many jobs wait already.
        """
        if self._closing:
            raise BusyError("the server is shutting down")
        job = _Job(key, item, run)
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            raise BusyError(f"{self._queue.maxsize} requests wait already") from None
        return job.result

    def close(self) -> None:
        """Returns when everything that waited is done."""
        self._closing = True
        if self._worker.is_alive():
            self._queue.put(None)
            self._worker.join()

    def _work(self) -> None:
        open_ = True
        while open_:
            first = self._queue.get()
            if first is None:
                return
            jobs, open_ = self._gather(first)
            for group in _by_key(jobs):
                self._compute(group)

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        """The first job and its company; False when the end of the queue was among them."""
        jobs = [first]
        deadline = time.monotonic() + self._window
        while len(jobs) < self._largest:
            try:
                job = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
        return jobs, True

    def _alone(self, job: _Job) -> None:
        try:
            job.result.set_result(job.run([job.item])[0])
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            job.result.set_exception(error)

    def _compute(self, jobs: list[_Job]) -> None:
        wanted = [job for job in jobs if job.result.set_running_or_notify_cancel()]
        if not wanted:
            return
        self.batches = [*self.batches[-99:], len(wanted)]
        try:
            results = wanted[0].run([job.item for job in wanted])
            for job, result in zip(wanted, results, strict=True):
                job.result.set_result(result)
        except UsageError as error:
            if len(wanted) == 1:
                wanted[0].result.set_exception(error)
                return
            for job in wanted:  # one client's mistake is not the others'
                self._alone(job)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits; the worker lives on
            for job in wanted:
                if not job.result.done():
                    job.result.set_exception(error)


def _by_key(jobs: list[_Job]) -> list[list[_Job]]:
    groups: dict[Hashable, list[_Job]] = {}
    for job in jobs:
        groups.setdefault(job.key, []).append(job)
    return list(groups.values())
