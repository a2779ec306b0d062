"""llama.cpp's low level: many sequences in one context, over one shared prefix.

The high-level ``Llama`` class runs one sequence at a time. Here all prompts of a call are cut into
what they begin with in common, which is computed once, and the rest; up to :data:`SLOTS` sequences
are decoded together, and one that is finished makes room for the next at once (continuous
batching). Keys and values of the prefix are shared, not copied: the cache is unified.

In a batch the last bits of a sequence's logits depend on its company, and quantized weights make
more of it (measured: 5e-3 of a probability, one greedy reply of 70 from a random model). That is
the price of speed on a GPU; the same call with the same prompts still gives the same replies.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from visdiff_local.backends._common import dependency
from visdiff_local.backends._llama_vocabulary import Vocabulary
from visdiff_local.errors import (
    MissingDependencyError,
    OutOfMemoryError,
    UsageError,
    WeightsError,
)
from visdiff_local.protocols import FloatArray

SLOTS = {"gpu": 64, "cpu": 1}
"""Sequences that are decoded together. On a CPU a batch gains little (2.5 times for a tiny model),
and one at a time gives the same reply in any company, to the bit."""
LEAST_REPLY = 32
"""Tokens: a prompt that leaves less of the context than this is an error, not a cut reply."""
_BATCH = 1024
"""Tokens that are decoded together."""
_TINY = 64 << 20
"""Bytes of weights below which one thread is the fastest."""
_INSTALL = "pip install llama-cpp-python"
_INSTALL_CUDA = f'CMAKE_ARGS="-DGGML_CUDA=on" {_INSTALL} --force-reinstall --no-cache-dir'


class Reader(Protocol):
    """What is done with the logits of a sequence's last token."""

    def read(self, logits: FloatArray) -> int | None:
        """The token to go on with; None when the sequence is finished.

        Args:
            logits: float32 (vocabulary,), overwritten by the next decoding.
        """
        ...


@dataclass
class _Sequence:
    """A prompt on its way: ``pending`` tokens are not decoded yet, ``position`` is the first's."""

    reader: Reader
    pending: list[int]
    position: int
    reserved: int
    slot: int = field(default=0)


class Engine:
    """An open GGUF. Close it: the memory belongs to C.

    Args:
        path: the GGUF, or its first shard.
        context: most tokens of one sequence. The cache holds twice as many where several sequences
            are decoded together, shared by all.
        device: ``auto`` (a GPU when the library was built for one), ``cpu`` or ``cuda``.
        slots: sequences decoded together; :data:`SLOTS` unless given.

    Raises:
        WeightsError: the file is no GGUF that this library reads.
        MissingDependencyError: no library, or CUDA is asked of one that was built without.
        OutOfMemoryError: the cache does not fit.
    """

    def __init__(self, path: Path, *, context: int, device: str, slots: int | None = None) -> None:
        with dependency("llama-cpp-python", _INSTALL):
            import llama_cpp
        # What the library prints to stderr goes by this logger; its own "not verbose" lets through
        # warnings.
        logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
        self.library: Any = llama_cpp
        self.context = context
        self._slots = slots or SLOTS["gpu" if _gpu(llama_cpp, device) else "cpu"]
        self._pool = context if self._slots == 1 else 2 * context
        self._model: Any = self._open_model(path, _gpu(llama_cpp, device))
        self.vocabulary = Vocabulary(llama_cpp, self._model)
        try:
            self._context: Any = self._open_context(_gpu(llama_cpp, device))
        except OutOfMemoryError:
            llama_cpp.llama_model_free(self._model)
            raise
        self._memory: Any = llama_cpp.llama_get_memory(self._context)
        self._batch: Any = llama_cpp.llama_batch_init(_BATCH, 0, 1)

    def _open_model(self, path: Path, gpu: bool) -> Any:
        parameters = self.library.llama_model_default_params()
        parameters.n_gpu_layers = 0x7FFFFFFF if gpu else 0
        # Weights repacked for a CPU's matrix unit (AMX) crashed in batches of two tokens and more
        # (llama-cpp-python 0.3.36), and their results depend on the size of the batch.
        parameters.use_extra_bufts = False
        model = self.library.llama_model_load_from_file(str(path).encode(), parameters)
        if not model:
            raise WeightsError(
                f"{path}: llama.cpp cannot open it; it is damaged, or newer than the installed "
                f"llama-cpp-python (type: {_INSTALL} --upgrade)"
            )
        return model

    def _open_context(self, gpu: bool) -> Any:
        parameters = self.library.llama_context_default_params()
        parameters.n_ctx = self._pool
        parameters.n_batch = _BATCH
        parameters.n_seq_max = self._slots + 1
        parameters.kv_unified = True
        # On a CPU flash attention adds up in half precision, in an order that depends on the batch.
        flash = "AUTO" if gpu else "DISABLED"
        parameters.flash_attn_type = getattr(self.library, f"LLAMA_FLASH_ATTN_TYPE_{flash}")
        parameters.offload_kqv = parameters.op_offload = gpu
        parameters.n_threads = parameters.n_threads_batch = self._threads()
        opened = self.library.llama_init_from_model(self._model, parameters)
        if not opened:
            raise OutOfMemoryError(
                f"no memory for a context of {self._pool} tokens; set a smaller context for this "
                "model in models.toml, or choose a smaller profile (visdiff-local models plan)"
            )
        return opened

    def _threads(self) -> int:
        """Threads for the CPU: what OMP_NUM_THREADS says; one for a tiny model, where waiting for
        each other costs more than the work; else one a core of this process."""
        named = os.environ.get("OMP_NUM_THREADS", "")
        if named.isdigit() and int(named) > 0:
            return int(named)
        small = self.library.llama_model_size(self._model) < _TINY
        return 1 if small else len(os.sched_getaffinity(0))

    def close(self) -> None:
        """Frees the memory; may be called twice."""
        if self._model:
            self.library.llama_batch_free(self._batch)
            self.library.llama_free(self._context)
            self.library.llama_model_free(self._model)
            self._model = None

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
        self.library.llama_memory_clear(self._memory, False)
        shared = _common_start(prompts)
        self._prefill(prompts[0][:shared] if prompts else [])
        waiting = deque(
            _Sequence(
                reader,
                list(prompt[shared:]),
                shared,
                reserved=min(len(prompt) + room, self.context) - shared,
            )
            for prompt, reader in zip(prompts, readers, strict=True)
        )
        self._decode_all(waiting, shared)

    def _prefill(self, prefix: Sequence[int]) -> None:
        """The shared prefix, into sequence 0."""
        for start in range(0, len(prefix), _BATCH):
            part = prefix[start : start + _BATCH]
            self._decode([(token, start + i, 0, False) for i, token in enumerate(part)])

    def _decode_all(self, waiting: deque[_Sequence], shared: int) -> None:
        free, active, used = list(range(self._slots, 0, -1)), list[_Sequence](), shared
        while waiting or active:
            while waiting and free and used + waiting[0].reserved <= self._pool:
                sequence = waiting.popleft()
                sequence.slot = free.pop()
                used += sequence.reserved
                self.library.llama_memory_seq_cp(self._memory, 0, sequence.slot, -1, -1)
                active.append(sequence)
            for sequence in self._step(active):
                self.library.llama_memory_seq_rm(self._memory, sequence.slot, -1, -1)
                free.append(sequence.slot)
                used -= sequence.reserved
                active.remove(sequence)

    def _step(self, active: list[_Sequence]) -> list[_Sequence]:
        """One decoding: a token of every reply, and as much of the new prompts as there is room.

        Returns:
            The sequences that are finished.
        """
        rows: list[tuple[int, int, int, bool]] = []
        complete: list[tuple[int, _Sequence]] = []
        for sequence in sorted(active, key=lambda one: len(one.pending) > 1):
            part = sequence.pending[: _BATCH - len(rows)]
            del sequence.pending[: len(part)]
            for token in part:
                rows.append((token, sequence.position, sequence.slot, False))
                sequence.position += 1
            if part and not sequence.pending:
                rows[-1] = (*rows[-1][:3], True)
                complete.append((len(rows) - 1, sequence))
        self._decode(rows)
        finished: list[_Sequence] = []
        for row, sequence in complete:
            following = sequence.reader.read(self._logits(row))
            if following is None or sequence.position >= self.context:
                finished.append(sequence)
            else:
                sequence.pending.append(following)
        return finished

    def _decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        """Decodes (token, position, sequence, whether its logits are wanted)."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, (token, position, slot, wanted) in enumerate(rows):
            batch.token[i] = token
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = slot
            batch.logits[i] = wanted
        code = self.library.llama_decode(self._context, batch)
        if code != 0:
            # What is reserved always fits, so only memory for the computation can be short.
            raise OutOfMemoryError(
                f"llama.cpp could not decode {len(rows)} tokens (code {code}); set a smaller "
                "context for this model in models.toml, or choose a smaller profile"
            )

    def _logits(self, row: int) -> FloatArray:
        pointer = self.library.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary.size,))


def _gpu(library: Any, device: str) -> bool:
    able = bool(library.llama_supports_gpu_offload())
    if device == "cuda" and not able:
        raise MissingDependencyError(
            f"this llama-cpp-python was built without CUDA; type: {_INSTALL_CUDA}"
        )
    return able and device != "cpu"


def _common_start(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with; each keeps two of its own, since a batch of one token
    is multiplied by other kernels. 0 for a single prompt."""
    if len(prompts) < 2:
        return 0
    lists = [list(prompt) for prompt in prompts]
    first, last = min(lists), max(lists)  # the two that differ earliest
    most = max(0, min(map(len, lists)) - 2)
    return next((i for i in range(most) if first[i] != last[i]), most)
