"""One queue, one worker: jobs of the same kind that wait together are computed as one batch.

A single thread touches the models, so that one GPU is never asked for two things at once. The first
job of a batch waits a moment for company; while a batch is computed, the next one gathers. Every
job has a clock from when it is taken: one that is over is not begun, and a batch ends where all of
its jobs are over, or nobody waits for them any more.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from visdiff_local.errors import LateError, UsageError
from visdiff_local.system import clock

Run = Callable[[list[Any]], Sequence[Any]]

WINDOW = 0.01
"""Seconds that the first job waits for others."""
LARGEST = 64
"""Jobs in a batch."""
WAITING = 256
"""Jobs in the queue; more are refused."""
SECONDS = 600.0
"""From when a job is taken to its end, waiting included."""


class BusyError(Exception):
    """The queue is full, or closing."""


class Answer(Future[Any]):
    """The future result of a job.

    Args:
        until: by :func:`time.monotonic`; afterwards it is not computed any more.
    """

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until
        self._unwanted = False

    @property
    def over(self) -> bool:
        """Whether nobody waits for it, or it is too late."""
        return self._unwanted or time.monotonic() >= self.until

    def give_up(self) -> None:
        """Nobody waits for it any more; also while it is computed."""
        self._unwanted = True
        self.cancel()


@dataclass
class _Job:
    key: Hashable
    item: Any
    run: Run
    result: Answer


class Scheduler:
    """Start it with :meth:`start`; :meth:`close` finishes what waits and refuses what comes.

    Args:
        window: see :data:`WINDOW`; so the others.
    """

    def __init__(
        self,
        *,
        window: float = WINDOW,
        largest: int = LARGEST,
        waiting: int = WAITING,
        seconds: float = SECONDS,
    ) -> None:
        self._window = window
        self.largest = largest
        self._most = waiting
        self.seconds = seconds
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._worker = threading.Thread(target=self._work, name="models", daemon=True)
        self._closing = False
        self.batches: list[int] = []
        """Sizes of the last batches computed, newest last."""

    def start(self) -> None:
        self._worker.start()

    def submit(self, key: Hashable, item: Any, run: Run, *, until: float | None = None) -> Answer:
        """The future result of ``item``; a :class:`LateError` where its time is over before.

        Args:
            key: jobs of equal keys may be computed together.
            run: items → as many results, in order; called in the worker's thread.
            until: by :func:`time.monotonic`; ``seconds`` from now unless given.

        Raises:
            BusyError: too many jobs wait already.
        """
        end = time.monotonic() + self.seconds if until is None else until
        job = _Job(key, item, run, Answer(end))
        with self._changed:
            if self._closing:
                raise BusyError("the server is shutting down")
            if len(self._waiting) >= self._most:
                self._forget_what_is_over()
            if len(self._waiting) >= self._most:
                raise BusyError(f"{self._most} requests wait already")
            self._waiting.append(job)
            self._changed.notify()
        return job.result

    def close(self) -> None:
        """Returns when everything that waited is done."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._worker.is_alive():
            self._worker.join()

    def _forget_what_is_over(self) -> None:
        over = [job for job in self._waiting if job.result.over]
        self._waiting = deque(job for job in self._waiting if not job.result.over)
        for job in over:
            _begun(job)

    def _work(self) -> None:
        while jobs := self._gather():
            for group in _by_key(jobs):
                self._compute(group)

    def _gather(self) -> list[_Job]:
        """The first job and its company; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            deadline = time.monotonic() + self._window
            while len(self._waiting) < self.largest and not self._closing:
                if not self._changed.wait(deadline - time.monotonic()):
                    break
                if time.monotonic() >= deadline:
                    break
            return [self._waiting.popleft() for _ in range(min(self.largest, len(self._waiting)))]

    def _alone(self, job: _Job) -> None:
        if job.result.over:
            job.result.set_exception(_late())
            return
        try:
            with clock.until(lambda: job.result.over):
                job.result.set_result(job.run([job.item])[0])
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            job.result.set_exception(error)

    def _compute(self, jobs: list[_Job]) -> None:
        wanted = [job for job in jobs if _begun(job)]
        if not wanted:
            return
        self.batches = [*self.batches[-99:], len(wanted)]
        try:
            with clock.until(lambda: all(job.result.over for job in wanted)):
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


def _begun(job: _Job) -> bool:
    """Marks it as being computed; False where nobody waits for it any more."""
    if not job.result.set_running_or_notify_cancel():
        return False
    if job.result.over:
        job.result.set_exception(_late())
        return False
    return True


def _late() -> LateError:
    return LateError("it waited longer than a request may take")


def _by_key(jobs: list[_Job]) -> list[list[_Job]]:
    groups: dict[Hashable, list[_Job]] = {}
    for job in jobs:
        groups.setdefault(job.key, []).append(job)
    return list(groups.values())
