"""Batches that shrink when memory runs out, and what "memory ran out" looks like."""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from visdiff_local.errors import OutOfMemoryError
from visdiff_local.system import clock

Item = TypeVar("Item")
Result = TypeVar("Result")


def quiet(_: str) -> None:
    """Where nobody is to be told."""


class Batches:
    """Cuts work into batches and halves them when memory runs out; the smaller size is kept.

    Args:
        size: items at first.
        planned: what ``models plan`` found to fit, where that is less.
        say: is told of each halving.
    """

    def __init__(
        self, size: int, planned: int | None = None, say: Callable[[str], None] = quiet
    ) -> None:
        self.size = min(size, planned or size)
        self._say = say

    def run(
        self, items: Iterable[Item], work: Callable[[list[Item]], Iterable[Result]]
    ) -> Iterator[Result]:
        """One result an item, in order; ``items`` is read only as fast as it is worked off.

        Raises:
            OutOfMemoryError: not even one item fits.
            LateError: nobody waits for it any more (:mod:`visdiff_local.system.clock`).
        """
        stream = iter(items)
        while batch := list(islice(stream, self.size)):
            yield from self._shrinking(batch, work)

    def _shrinking(
        self, batch: list[Item], work: Callable[[list[Item]], Iterable[Result]]
    ) -> list[Result]:
        clock.check()
        try:
            return list(work(batch))
        except (OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise OutOfMemoryError(
                    "not enough memory for a batch of one; choose a smaller profile "
                    "(visdiff-local models plan) or --device cpu"
                ) from error
        # Outside the except block: the traceback keeps the failed batch's tensors alive.
        empty_cuda_cache()
        middle = len(batch) // 2
        if len(batch) - middle < self.size:
            self.size = len(batch) - middle
            self._say(f"not enough memory for {len(batch)} at once; goes on with {self.size}")
        return self._shrinking(batch[:middle], work) + self._shrinking(batch[middle:], work)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the GPU or on the CPU."""
    if isinstance(error, MemoryError | OutOfMemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def empty_cuda_cache() -> None:
    """Gives back what torch holds of the GPU's memory without using it."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
