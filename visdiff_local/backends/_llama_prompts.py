"""Which prompts of a call begin alike, and how each is cut into what is computed at a time."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from visdiff_local.protocols import FloatArray

_LEAST_PIECE = {"0": 2, "1": 2, "7": 2}
_LEAST_PIECE_OF_OTHERS = 8
PIECE = 64
"""Tokens that are computed at a time where sequences come one after the other: as fast on a CPU as
any larger number, and never cut up by a context's own block (``_llama_session.BLOCK``)."""
_WORTH = 16
"""Tokens in common for which a trunk is computed first."""


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
    """Places of prompts that begin alike, and how many tokens they share; ``shared`` with a group
    of one. A prompt that would cost the others much of what they share begins a new group."""
    group: list[int] = []
    start = shared
    for place in sorted(range(len(prompts)), key=lambda place: list(prompts[place])):
        common = common_start([prompts[group[0]], prompts[place]], least) if group else 0
        if common - shared >= _WORTH and (len(group) == 1 or start - common < _WORTH):
            start = common if len(group) == 1 else min(start, common)
        else:
            if group:
                yield group, start
            group, start = [], shared
        group.append(place)
    if group:
        yield group, start


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


def least_piece(kind: str) -> int:
    """Tokens of a prompt that are computed together at least, by the GGUF's ``general.file_type``:
    2 for F32, F16 and Q8_0, else 8.

    Fewer are multiplied by other kernels, and what starts as a last bit can end as 0.1 of a logit,
    once it is rounded to 8 bits in the next layer (measured for Q4_K_M).
    """
    return _LEAST_PIECE.get(kind, _LEAST_PIECE_OF_OTHERS)
