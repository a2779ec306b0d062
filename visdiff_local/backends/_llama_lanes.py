"""Several sequences at a time on a CPU, each with a cache of its own and the bits it has alone.

Weights that do not fit the processor's cache are read from memory once a decoding, however many
tokens it has. So prompts that begin alike go on together from copies of their beginning, replies
are written side by side, and one that is finished makes room for the next at once.

What company could change is which kernels multiply. That goes by the number of rows: fewer than
:func:`~visdiff_local.backends._llama_prompts.least_piece` are multiplied by others, also in the
last layer, which computes only those rows whose logits are wanted. So prompts are read with as many
rows and as many logits at least, and replies written with fewer rows. And before sequences are
first computed together they are on trial: one must come out as alone, to the bit. Where it does
not, on some other processor or with other weights, each is computed alone.
"""

from bisect import insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visdiff_local.backends._llama_prompts import PIECE, Reader, alike, common_start, pieces
from visdiff_local.backends._llama_session import Row, Session
from visdiff_local.protocols import FloatArray

_TRIAL_BEGINS = 16
"""Tokens that all sequences on trial begin with."""
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
    what the next prompts begin with.

    Args:
        least: rows from which on all decodings use the same kernels.
    """

    def __init__(self, session: Session, least: int) -> None:
        self._session = session
        self._least = least
        self._held: Sequence[int] = ()
        self._tried: dict[tuple[int, int], bool] = {}

    def run(
        self, prompts: Sequence[Sequence[int]], readers: Sequence[Reader], lanes: int, *, room: int
    ) -> None:
        """As :meth:`Engine.run`, in so many lanes, long enough for any prompt and its reply."""
        together = self._same(min(lanes, _TRIAL_PROMPTS), self._least)
        abreast = self._abreast(lanes) if room > 1 else 1
        self._clear()
        waiting = deque(
            _Sequence(prompts[place], start, readers[place])
            for places, start in alike(prompts, 0, self._least)
            for place in places
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
        """What is read at once: sequences that begin alike and can all be cut to what the longest
        has of its own, in neighbouring lanes (llama.cpp computes no others in one go)."""
        begun: list[_Sequence] = []
        for lane in free:
            chosen = [*begun, waiting[0]]
            longest = max(one.own for one in chosen)
            if begun and not (
                lane == begun[-1].lane + 1
                and waiting[0].trunk == begun[0].trunk
                and longest <= PIECE
                and longest * len(chosen) <= self._session.block
                and all(0 <= len(one.prompt) - longest <= one.start for one in chosen)
            ):
                break
            begun.append(waiting.popleft())
            begun[-1].lane = lane
            if not waiting:
                break
        return begun

    def _read(self, begun: Sequence[_Sequence]) -> None:
        """Decodes their prompts behind the trunk. Several are one block, in which each has as many
        tokens as the longest: the others compute some of the trunk again."""
        self._hold(begun[0].trunk)
        for one in begun:
            if one.start:
                self._session.copy(0, one.lane)
        if len(begun) == 1:
            (one,) = begun
            for start, end in pieces(one.start, len(one.prompt), self._least):
                rows = self._rows(one, start, end, self._least if end == len(one.prompt) else 0)
                self._session.decode(rows)
            self._take(one, len(rows) - 1)
            return
        longest, wanted = max(one.own for one in begun), -(-self._least // len(begun))
        rows = []
        for one in begun:
            start = len(one.prompt) - longest
            if start < one.start:
                self._session.forget(one.lane, start)
            rows += self._rows(one, start, len(one.prompt), wanted)
        self._session.decode(rows)
        for number, one in enumerate(begun, 1):
            self._take(one, number * longest - 1)

    def _rows(self, one: _Sequence, start: int, end: int, wanted: int) -> list[Row]:
        """A part of a prompt, of which the logits of the last ``wanted`` tokens are wanted."""
        part = enumerate(one.prompt[start:end], start)
        return [(token, place, one.lane, place >= end - wanted) for place, token in part]

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
        return next(n for n in (lanes, min(lanes, self._least - 1), 1) if self._same(n, 1))

    def _same(self, company: int, rows: int) -> bool:
        """Whether one of ``company`` sequences, each of so many rows, comes out as alone."""
        if company == 1:
            return True
        if (company, rows) not in self._tried:
            alone = self._tried_out(1, rows)
            in_company = self._tried_out(company, rows)
            self._tried[company, rows] = np.array_equal(alone, in_company)
        return self._tried[company, rows]

    def _tried_out(self, company: int, rows: int) -> FloatArray:
        """The first of ``company`` sequences' last logits; NaN, which equals nothing, where the
        model cannot drop a part of a sequence."""
        size = self._session.vocabulary.size
        tokens = [(5 + 7 * i) % size for i in range(_TRIAL_BEGINS + company + rows)]
        self._clear()
        self._hold(tokens[:_TRIAL_BEGINS])
        wanted = -(-self._least // company) if rows > 1 else 1
        block: list[Row] = []
        for lane in range(1, company + 1):
            self._session.copy(0, lane)
            if not self._session.forget(lane, _TRIAL_BEGINS - 1):
                return np.array([np.nan])
            own = tokens[_TRIAL_BEGINS - 2 + lane :][:rows]
            block += [
                (token, _TRIAL_BEGINS - 1 + place, lane, place >= rows - wanted)
                for place, token in enumerate(own)
            ]
        self._session.decode(block)
        return self._session.logits(rows - 1).copy()
