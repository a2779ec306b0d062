"""Several sequences at a time on a CPU, each with a cache of its own and the bits it has alone.

Weights that do not fit the processor's cache are read from memory once a decoding, however many
tokens it has. So prompts that begin alike go on together from copies of their beginning, replies
are written side by side, and one that is finished makes room for the next at once.

What company could change is which kernels multiply. That goes by the number of rows
(:class:`~visdiff_local.models.backends.llama.prefixes.Kernels`), also in the last layer, which
computes only those whose logits are wanted. So prompts are read with many rows and many logits,
alone or together, and replies written with few. And before sequences are first computed together
they are on trial: one must come out as alone, to the bit. Where it does not, on some other
processor, each is computed alone.
"""

from bisect import insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local.models.backends.llama.context import Row, Session
from visdiff_local.models.backends.llama.prefixes import (
    PIECE,
    Kernels,
    Reader,
    alike,
    common_start,
    pieces,
)
from visdiff_local.protocols import FloatArray

_LEAST_OWN = 2
"""Tokens of a prompt that are read at once at least: attention multiplies a single one by other
kernels."""
_NEW_BLOCK = 16
"""Rows that it costs, in time, to read prompts in two blocks instead of one."""
_TRIAL_TOKENS = 17
"""Of a sequence on trial."""
_TRIAL_PROMPTS = 4
"""Prompts that are read together on trial."""


@dataclass(eq=False)
class _Sequence:
    """A prompt and its reply, on their way."""

    prompt: Sequence[int]
    start: int
    """Tokens that its neighbours begin with, too."""
    reader: Reader
    lane: int = 0
    token: int | None = None
    """The last of the reply, not decoded yet; None where there is no more to come."""
    position: int = 0
    """Of that token."""

    @property
    def trunk(self) -> Sequence[int]:
        return self.prompt[: self.start]

    @property
    def own(self) -> int:
        return len(self.prompt) - self.start


class Lanes:
    """Decodes in the sequences 1, 2, … of a session that is laid out in streams; sequence 0 holds
    what the next prompts begin with."""

    def __init__(self, session: Session, kernels: Kernels) -> None:
        self._session = session
        self._least, self._most = kernels.least, kernels.most
        self._held: Sequence[int] = ()
        self._tried: dict[tuple[int, bool], bool] = {}

    def run(
        self, prompts: Sequence[Sequence[int]], readers: Sequence[Reader], lanes: int, *, room: int
    ) -> None:
        """As :meth:`Engine.run`, in so many lanes, long enough for any prompt and its reply."""
        together = self._same(min(lanes, _TRIAL_PROMPTS), reading=True)
        abreast = self._abreast(lanes) if room > 1 else 1
        self._clear()
        waiting = deque(
            _Sequence(prompts[place], start, readers[place])
            for places, start in alike(prompts, 0, _LEAST_OWN)
            for place in sorted(places, key=lambda place: len(prompts[place]))
        )
        free, writing = list(range(1, lanes + 1)), list[_Sequence]()
        while waiting or writing:
            while waiting and free:
                begun = self._next(waiting, free if together else free[:1])
                del free[: len(begun)]
                self._read(begun)
                writing += begun
                self._end(writing, free)
            for start in range(0, len(writing), abreast):
                self._write(writing[start : start + abreast])
            self._end(writing, free)

    def _end(self, writing: list[_Sequence], free: list[int]) -> None:
        """Takes out what is finished; the others are in the order of their lanes."""
        for one in [one for one in writing if one.token is None]:
            writing.remove(one)
            self._session.forget(one.lane)
            insort(free, one.lane)
        writing.sort(key=lambda one: one.lane)

    def _clear(self) -> None:
        self._session.clear()
        self._held = ()

    # ---- prompts ---------------------------------------------------------------------------------

    def _next(self, waiting: deque[_Sequence], free: Sequence[int]) -> list[_Sequence]:
        """What is read at once: sequences that begin alike and are about as long, in neighbouring
        lanes (llama.cpp computes no others in one go)."""
        begun: list[_Sequence] = []
        for lane in free:
            chosen = [*begun, waiting[0]]
            rows = self._rows_each(chosen)
            if begun and not (
                lane == begun[-1].lane + 1
                and waiting[0].trunk == begun[0].trunk
                and rows <= PIECE
                and rows * len(chosen) <= self._session.block
                and (rows - begun[-1].own) * len(begun) <= _NEW_BLOCK
                and all(self._can_be_cut(one, rows) for one in chosen)
            ):
                break
            begun.append(waiting.popleft())
            begun[-1].lane = lane
            if not waiting:
                break
        return begun

    def _can_be_cut(self, one: _Sequence, rows: int) -> bool:
        """Whether it can be read from there on, and alone would be with as many rows."""
        return max(rows, self._least) <= len(one.prompt) <= rows + one.start

    def _rows_each(self, chosen: Sequence[_Sequence]) -> int:
        """Tokens of each that are read: as many as the longest has of its own, and enough for the
        kernels of many rows. The others compute some of the trunk again."""
        return max(_LEAST_OWN, -(-self._least // len(chosen)), *(one.own for one in chosen))

    def _read(self, begun: Sequence[_Sequence]) -> None:
        """Decodes their prompts behind the trunk; several as one block."""
        self._hold(begun[0].trunk)
        each, wanted = self._rows_each(begun), -(-self._least // len(begun))
        blocks: list[list[Row]] = [[]]
        for one in begun:
            end = len(one.prompt)
            start = max(0, end - each)
            if one.start:
                self._session.copy(0, one.lane)
            if start < one.start and not self._session.forget(one.lane, start):
                self._session.forget(one.lane)
                start = 0
            rows = [
                (token, place, one.lane, place >= end - wanted)
                for place, token in enumerate(one.prompt[start:], start)
            ]
            if len(begun) == 1:
                parts = pieces(0, len(rows), self._least)
                blocks = [rows[first:last] for first, last in parts]
            else:
                blocks[0] += rows
        for block in blocks:
            self._session.decode(block)
        for number, one in enumerate(begun, 1):
            self._take(one, len(blocks[-1]) * number // len(begun) - 1)

    def _hold(self, trunk: Sequence[int]) -> None:
        """Brings these tokens into sequence 0; what it holds of them already, it keeps."""
        if not trunk or trunk == self._held:
            return
        held = common_start([self._held, trunk], self._least)
        if not held or not self._session.forget(0, held):
            self._session.forget(0)
            held = 0
        for start, end in pieces(held, len(trunk), self._least):
            part = enumerate(trunk[start:end], start)
            self._session.decode([(token, place, 0, False) for place, token in part])
        self._held = trunk

    # ---- replies ---------------------------------------------------------------------------------

    def _write(self, abreast: Sequence[_Sequence]) -> None:
        """Decodes the last token of each reply."""
        self._session.decode(
            [(one.token, one.position, one.lane, True) for one in abreast if one.token is not None]
        )
        for row, one in enumerate(abreast):
            self._take(one, row)

    def _take(self, one: _Sequence, row: int) -> None:
        """Hands the logits to the reader, which may go on as long as there is context."""
        one.position = one.position + 1 if one.position else len(one.prompt)
        following = one.reader.read(self._session.logits(row))
        one.token = following if one.position < self._session.context else None

    # ---- trials ----------------------------------------------------------------------------------

    def _abreast(self, lanes: int) -> int:
        """How many replies are written at once."""
        most = min(lanes, self._most)
        return most if self._same(most) else 1

    def _same(self, company: int, *, reading: bool = False) -> bool:
        """Whether a sequence comes out of ``company`` as alone, read or written."""
        if company == 1:
            return True
        if (company, reading) not in self._tried:
            alone, other = (self._tried_out(n, reading=reading) for n in (1, company))
            self._tried[company, reading] = np.array_equal(alone, other)
        return self._tried[company, reading]

    def _tried_out(self, company: int, *, reading: bool) -> FloatArray:
        """The first of ``company`` sequences' last logits; NaN, which equals nothing, where the
        model cannot drop a part of a sequence."""
        wanted = -(-self._least // company) if reading else 1
        rows = max(_LEAST_OWN, wanted) if reading else 1
        size = self._session.vocabulary.size
        tokens = [(5 + 7 * i) % size for i in range(_TRIAL_TOKENS + company)]
        self._clear()
        self._hold(tokens[: _TRIAL_TOKENS - 1])
        block: list[Row] = []
        for lane in range(1, company + 1):
            self._session.copy(0, lane)
            if rows > 1 and not self._session.forget(lane, _TRIAL_TOKENS - rows):
                return np.array([np.nan])
            # They differ in the last token alone.
            own = [
                *tokens[_TRIAL_TOKENS - rows : _TRIAL_TOKENS - 1],
                tokens[_TRIAL_TOKENS + lane - 2],
            ]
            block += [
                (token, place, lane, place >= _TRIAL_TOKENS - wanted)
                for place, token in enumerate(own, _TRIAL_TOKENS - rows)
            ]
        self._session.decode(block)
        return self._session.logits(rows - 1).copy()
