"""Which prompts of a call begin alike, and how each is cut into what is computed at a time."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from visdiff_local.protocols import FloatArray

BATCH = 1024
"""Tokens that are decoded together."""
PIECE = 64
"""Tokens that are computed at a time where sequences come one after the other: as fast on a CPU as
any larger number, and never cut up by a context's own block (``_llama_session.BLOCK``)."""
_WORTH = 24
"""Tokens that a trunk must save, and be long, to be computed first."""


class Reader(Protocol):
    """What is done with the logits of a sequence's last token."""

    def read(self, logits: FloatArray) -> int | None:
        """The token to go on with; None when the sequence is finished.

        Args:
            logits: float32 (vocabulary,), overwritten by the next decoding.
        """
        ...


@dataclass(eq=False)
class Branch:
    """A prompt on its way, or a trunk: what several prompts begin with, computed for all of them.

    ``pending`` tokens are not decoded yet, ``position`` is the first's.
    """

    reader: Reader | None
    """None: a trunk."""
    pending: list[int]
    position: int
    reserved: int
    """Tokens of the cache that it may come to need."""
    trunk: "Branch | None" = None
    open_branches: int = 0
    """Of a trunk, those that are not finished: they use what it computed."""
    slot: int = field(default=0)

    @property
    def ready(self) -> bool:
        """Whether all that it goes on from is computed."""
        return self.trunk is None or not self.trunk.pending

    def over(self) -> list["Branch"]:
        """What nobody needs any more when this goes no further."""
        if self.reader is None:
            return []
        if self.trunk is None:
            return [self]
        self.trunk.open_branches -= 1
        return [self] if self.trunk.open_branches else [self, self.trunk]


def planned(
    prompts: Sequence[Sequence[int]],
    readers: Sequence[Reader],
    shared: int,
    room: int,
    least: int,
    context: int,
) -> deque[Branch]:
    """Branches in the order they are started in, each behind its trunk.

    Args:
        shared: tokens that all prompts begin with, computed already.
        room: most tokens of a reply.
        least: tokens that every prompt keeps for itself.
        context: most tokens of prompt and reply.
    """
    queue: deque[Branch] = deque()
    for group, start in alike(prompts, shared, least):
        trunk = None
        if start > shared:
            own = list(prompts[group[0]][shared:start])
            trunk = Branch(None, own, shared, reserved=len(own), open_branches=len(group))
            queue.append(trunk)
        for place in group:
            prompt = prompts[place]
            reserved = min(len(prompt) + room, context) - start
            queue.append(Branch(readers[place], list(prompt[start:]), start, reserved, trunk))
    return queue


def alike(
    prompts: Sequence[Sequence[int]], shared: int, least: int
) -> Iterator[tuple[list[int], int]]:
    """Places of prompts that begin alike, and how many tokens they have in common; ``shared`` where
    no more is worth while. A group that goes on from another's beginning comes after it.

    The prompts are the leaves of a tree, whose branches are what some have in common. From the root
    on, a branch gets a group of its own where that saves its prompts enough.
    """
    order = sorted(range(len(prompts)), key=lambda place: list(prompts[place]))
    with_next = np.array(
        [common_start([prompts[a], prompts[b]], least) for a, b in pairwise(order)], dtype=np.int64
    )
    groups: list[tuple[list[int], int]] = [([], shared)]
    branches = [(0, len(order), 0)] if order else []
    while branches:
        first, end, group = branches.pop()
        if end - first == 1:
            groups[group][0].append(order[first])
            continue
        inside = with_next[first : end - 1]
        common = int(inside.min())
        saved = (common - groups[group][1]) * (end - first - 1)
        if common >= _WORTH and saved >= _WORTH:
            groups.append(([], common))
            group = len(groups) - 1
        cuts = [first, *(first + 1 + np.flatnonzero(inside == common)).tolist(), end]
        branches += [(*part, group) for part in pairwise(cuts)][::-1]
    for places, start in groups:
        if places:
            yield places, start


def pieces(start: int, end: int, least: int) -> Iterator[tuple[int, int]]:
    """Cuts a prompt into parts of ``least`` tokens and more, where it has as many."""
    while start < end:
        stop = min(start + PIECE, end)
        if 0 < end - stop < least:
            stop = end - least
        yield start, stop
        start = stop


def common_start(prompts: Sequence[Sequence[int]], least: int) -> int:
    """How many tokens all prompts begin with; each keeps ``least`` of its own. 0 for a single
    prompt."""
    if len(prompts) < 2:
        return 0
    lists = [list(prompt) for prompt in prompts]
    first, last = min(lists), max(lists)  # the two that differ earliest
    most = max(0, min(map(len, lists)) - least)
    return next((i for i in range(most) if first[i] != last[i]), most)


@dataclass(frozen=True, slots=True)
class Kernels:
    """How many rows llama.cpp multiplies by which kernels on a CPU. What starts as a last bit there
    can end as 0.1 of a logit, once it is rounded to 8 bits in the next layer."""

    least: int
    """From so many on always the same: prompts are read with these."""
    most: int
    """Up to so many always the same: replies are written with these."""

    @classmethod
    def of(cls, kind: str) -> "Kernels":
        """By the GGUF's ``general.file_type``; measured for F16, Q8_0 and Q4_K_M."""
        return _KERNELS.get(kind, cls(8, 7))


_KERNELS = {"0": Kernels(2, 1), "1": Kernels(2, 1), "7": Kernels(2, BATCH)}
"""F32, F16 and Q8_0; of the last, one row comes to the same as many."""
