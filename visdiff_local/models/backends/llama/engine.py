"""llama.cpp's low level: many sequences in one context, over prefixes that they share.

The high-level ``Llama`` class runs one sequence at a time. Here what prompts of a call begin with
in common is computed once (:mod:`visdiff_local.models.backends.llama.prefixes`), and many
sequences are decoded together; one that is finished makes room for the next at once
(continuous batching).

On a GPU keys and values of a prefix are shared, not copied: the cache is unified. In such a batch
the last bits of a sequence's logits depend on its company, and quantized weights make more of it
(measured: 5e-3 of a probability, one greedy reply of 70 from a random model). That is the price of
speed there; the same call with the same prompts still gives the same replies. On a CPU company
changes nothing, to the bit: sequences have caches of their own
(:mod:`visdiff_local.models.backends.llama.cpu_batching`), or are decoded one after the other.
"""

import ctypes
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from visdiff_local.errors import UsageError
from visdiff_local.models.backends.llama.context import Row, Session
from visdiff_local.models.backends.llama.cpu_batching import Lanes
from visdiff_local.models.backends.llama.prefixes import (
    BATCH,
    Branch,
    Kernels,
    Reader,
    common_start,
    pieces,
    planned,
)

LEAST_REPLY = 32
"""Tokens: a prompt that leaves less of the context than this is an error, not a cut reply."""


class Engine:
    """Decodes in an open GGUF. Close it: the memory belongs to C."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.library = session.library
        self.vocabulary = session.vocabulary
        self.context = session.context
        kind = ctypes.create_string_buffer(16)
        model = self.library.llama_get_model(session.handle)
        self.library.llama_model_meta_val_str(model, b"general.file_type", kind, len(kind))
        kernels = Kernels.of(kind.value.decode())
        self._least = kernels.least
        self._lanes = Lanes(session, kernels)

    def close(self) -> None:
        """Frees the memory; may be called twice."""
        self.session.close()

    @contextmanager
    def grammar(self, gbnf: str) -> Iterator[Any]:
        """The compiled grammar, a llama.cpp sampler; clone it for each sequence.

        Raises:
            UsageError: it is not valid GBNF.
        """
        sampler = self.library.llama_sampler_init_grammar(
            self.vocabulary.handle, gbnf.encode(), b"root"
        )
        if not sampler:
            raise UsageError(f"llama.cpp cannot read this grammar: {gbnf[:200]}")
        try:
            yield sampler
        finally:
            self.library.llama_sampler_free(sampler)

    # ---- decoding --------------------------------------------------------------------------------

    def run(
        self, prompts: Sequence[Sequence[int]], readers: Sequence[Reader], *, room: int
    ) -> None:
        """Decodes every prompt and hands the logits behind it to its reader, until that has enough.

        Args:
            room: most tokens that a reader goes on with; fewer where the context ends before.

        Raises:
            UsageError: a prompt leaves no room for a reply in the context; names the numbers.
        """
        longest = max((len(prompt) for prompt in prompts), default=0)
        least = min(room, LEAST_REPLY)
        if longest + least > self.context:
            raise UsageError(
                f"a prompt of {longest} tokens and a reply of at least {least} do not fit a "
                f"context of {self.context}; raise context for this model in models.toml, or use "
                "fewer or shorter captions (--samples)"
            )
        if any(not prompt for prompt in prompts):
            raise UsageError("a prompt is empty")
        if self.session.layout == "streams" and prompts:
            lanes = self.session.arrange(len(prompts), min(longest + room, self.context))
            if lanes:
                self._lanes.run(prompts, readers, lanes, room=room)
                return
        self.session.clear()
        if self.session.layout == "single":
            self._in_turn(prompts, readers)
            return
        shared = common_start(prompts, self._least)
        self._prefill(prompts[0][:shared] if prompts else [])
        self._decode_all(planned(prompts, readers, shared, room, self._least, self.context), shared)

    def _in_turn(self, prompts: Sequence[Sequence[int]], readers: Sequence[Reader]) -> None:
        """One sequence after the other, those that begin alike next to each other: what a prompt
        has in common with the one before is in the cache already."""
        before: Sequence[int] = ()
        for place in sorted(range(len(prompts)), key=lambda place: list(prompts[place])):
            prompt = prompts[place]
            held = common_start([before, prompt], self._least)
            if not held or not self.session.forget(0, held):
                self.session.clear()
                held = 0
            for start, end in pieces(held, len(prompt), self._least):
                self.session.go_on(prompt[start:end])
            token, length = readers[place].read(self.session.logits(-1)), len(prompt)
            while token is not None and length < self.context:
                self.session.go_on([token])
                token, length = readers[place].read(self.session.logits(-1)), length + 1
            before = prompt  # not the reply: its tokens were decoded singly

    def _prefill(self, prefix: Sequence[int]) -> None:
        """The shared prefix, into sequence 0."""
        for start in range(0, len(prefix), BATCH):
            part = prefix[start : start + BATCH]
            self.session.decode([(token, start + i, 0, False) for i, token in enumerate(part)])

    def _decode_all(self, waiting: deque[Branch], shared: int) -> None:
        free, active, used = list(range(self.session.slots, 0, -1)), list[Branch](), shared
        while waiting or active:
            while (
                waiting
                and free
                and used + waiting[0].reserved <= self.session.pool
                and waiting[0].ready
            ):
                branch = waiting.popleft()
                branch.slot = free.pop()
                used += branch.reserved
                parent = branch.trunk.slot if branch.trunk else 0
                self.session.copy(parent, branch.slot)
                active.append(branch)
            for branch in self._step(active):
                active.remove(branch)
                for done in branch.over():
                    self.session.forget(done.slot)
                    free.append(done.slot)
                    used -= done.reserved

    def _step(self, active: list[Branch]) -> list[Branch]:
        """One decoding: a token of every reply, and as much of the new prompts as there is room.

        Returns:
            The branches that go no further.
        """
        rows: list[Row] = []
        complete: list[tuple[int, Branch]] = []
        for branch in sorted(active, key=lambda one: len(one.pending) > 1):
            part = branch.pending[: BATCH - len(rows)]
            del branch.pending[: len(part)]
            for token in part:
                rows.append((token, branch.position, branch.slot, False))
                branch.position += 1
            if part and not branch.pending:
                rows[-1] = (*rows[-1][:3], branch.reader is not None)
                complete.append((len(rows) - 1, branch))
        self.session.decode(rows)
        finished: list[Branch] = []
        for row, branch in complete:
            following = branch.reader.read(self.session.logits(row)) if branch.reader else None
            if following is None or branch.position >= self.context:
                finished.append(branch)
            else:
                branch.pending.append(following)
        return finished
