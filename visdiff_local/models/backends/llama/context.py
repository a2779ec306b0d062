"""llama.cpp's memory: an open GGUF and its context, which shrinks where it does not fit."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from visdiff_local.errors import OutOfMemoryError, WeightsError
from visdiff_local.models.backends.batches import quiet
from visdiff_local.models.backends.files import dependency
from visdiff_local.models.backends.llama.library import INSTALL, has_gpu, log, short_of_memory
from visdiff_local.models.backends.llama.prefixes import BATCH
from visdiff_local.models.backends.llama.vocab import Vocabulary
from visdiff_local.protocols import FloatArray
from visdiff_local.system import clock
from visdiff_local.system.threads import free_cores

Layout = Literal["unified", "streams", "single"]
"""How sequences share the cache. ``unified``: cells are anyone's, a prefix is shared, not copied,
which a GPU decodes fastest. ``streams``: each sequence has a part of its own and computes with
nothing else, so that on a CPU it comes to the same bits in any company. ``single``: only one."""
SLOTS: Mapping[Layout, int] = {"unified": 64, "streams": 32, "single": 1}
"""Sequences that are decoded together."""
Row = tuple[int, int, int, bool]
"""A token to decode: its id, position and sequence, and whether its logits are wanted."""
BLOCK = 512
"""Tokens of those that are computed at a time: the buffers of a context grow with it."""
SMALLER = (
    "set a smaller context for this model in models.toml, or choose a smaller profile "
    "(visdiff-local models plan)"
)
_LEAST_BLOCK = 64
_ALL_LAYERS = 0x7FFFFFFF
_CELLS = 256
"""A stream has a multiple of so many tokens (llama.cpp rounds up to it)."""
_TINY = 64 << 20
"""Bytes of weights below which one thread and one sequence at a time are the fastest on a CPU: they
stay in its cache, so that several sequences have no reading of them to share."""


class Session:
    """An open GGUF. Close it: the memory belongs to C.

    Args:
        path: the GGUF, or its first shard.
        context: most tokens of one sequence. The cache holds twice as many where several sequences
            are decoded together, shared by all.
        device: ``auto`` (a GPU when the library was built for one), ``cpu`` or ``cuda``.
        layout: unless given ``unified`` on a GPU; on a CPU ``streams``, and ``single`` for a model
            that fits its cache.
        most: sequences decoded together, where that is less than :data:`SLOTS`.
        gpu_layers: layers on the GPU; all of them unless given.
        say: is told when less is computed at a time for want of memory.

    Raises:
        WeightsError: the file is no GGUF that this library reads.
        MissingDependencyError: no library, or CUDA is asked of one that was built without.
        OutOfMemoryError: the weights do not fit, or not even the smallest context beside them.
    """

    def __init__(
        self,
        path: Path,
        *,
        context: int,
        device: str,
        layout: Layout | None = None,
        most: int | None = None,
        gpu_layers: int | None = None,
        say: Callable[[str], None] = quiet,
    ) -> None:
        with dependency("llama-cpp-python", INSTALL):
            import llama_cpp
        # What the library prints to stderr goes by this logger; its own "not verbose" lets through
        # warnings.
        logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
        self.library: Any = llama_cpp
        self.context = context
        self._gpu = has_gpu(llama_cpp, device)
        self._say = say
        self.block = BLOCK
        self._least_block = _LEAST_BLOCK
        self.handle: Any = None
        self._model: Any = self._open_model(path, gpu_layers)
        self.layout: Layout = layout or self._usual_layout()
        self.slots = min(SLOTS[self.layout], most or SLOTS[self.layout])
        if self.slots == 1:
            self.layout = "single"
        self._streams = 1, _whole(context)
        self.vocabulary = Vocabulary(llama_cpp, self._model)
        self._batch: Any = llama_cpp.llama_batch_init(BATCH, 0, 1)
        self._open()

    @property
    def pool(self) -> int:
        """Tokens that the cache holds."""
        if self.layout == "streams":
            count, tokens = self._streams
            return (count + 1) * tokens
        return self.context if self.slots == 1 else 2 * self.context

    @property
    def memory(self) -> Any:
        """llama.cpp's handle of the cache."""
        return self.library.llama_get_memory(self.handle)

    @property
    def model(self) -> Any:
        """llama.cpp's handle of the weights."""
        return self._model

    @property
    def on_gpu(self) -> bool:
        """Whether the library may use one."""
        return self._gpu

    @property
    def recurrent(self) -> bool:
        """Whether some layers keep states, so that no part of a sequence can be dropped."""
        lib, model = self.library, self._model
        return bool(lib.llama_model_is_recurrent(model) or lib.llama_model_is_hybrid(model))

    # ---- computing -------------------------------------------------------------------------------

    def decode(self, rows: Sequence[Row]) -> None:
        """Decodes :data:`BATCH` tokens at most; raises :class:`OutOfMemoryError`."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, (token, position, slot, wanted) in enumerate(rows):
            batch.token[i] = token
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = slot
            batch.logits[i] = wanted
        self._compute(batch, len(rows))

    def go_on(self, tokens: Sequence[int]) -> None:
        """Decodes what follows in sequence 0, the only one; the last token's logits are wanted."""
        several = (self.library.llama_token * len(tokens))(*tokens)
        self._compute(self.library.llama_batch_get_one(several, len(tokens)), len(tokens))

    def logits(self, row: int) -> FloatArray:
        """Float32 (vocabulary,) of a row of the last decoding, overwritten by the next."""
        pointer = self.library.llama_get_logits_ith(self.handle, row)
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary.size,))

    def copy(self, slot: int, into: int) -> None:
        """The second sequence, which must be empty, begins with all that the first holds."""
        self.library.llama_memory_seq_cp(self.memory, slot, into, -1, -1)

    def forget(self, slot: int, start: int = -1) -> bool:
        """Drops a sequence from a position on; False where the model cannot drop a part."""
        return bool(self.library.llama_memory_seq_rm(self.memory, slot, start, -1))

    def clear(self) -> None:
        """Drops all sequences."""
        self.library.llama_memory_clear(self.memory, False)

    def _compute(self, batch: Any, count: int) -> None:
        clock.check()
        code = self.library.llama_decode(self.handle, batch)
        if code != 0:
            # What is reserved always fits, so only memory for the computation can be short.
            raise OutOfMemoryError(
                f"llama.cpp could not decode {count} tokens (code {code}); {SMALLER}"
            )

    # ---- memory ----------------------------------------------------------------------------------

    def arrange(self, sequences: int, tokens: int) -> int:
        """Cuts the cache for ``sequences`` of up to ``tokens`` each beside sequence 0: opens the
        context anew unless it is cut so already. What it holds is lost.

        Returns:
            How many sequences there is room for; they are 1, 2, … 0 where memory is so short that
            there is but sequence 0.

        Raises:
            OutOfMemoryError: not even the smallest context fits.
        """
        tokens = _whole(tokens)
        fitting = max(1, min(self.slots, 2 * _whole(self.context) // tokens - 1))
        count, length = self._streams
        if count < min(sequences, fitting) or length < tokens:
            self._free_context()
            self._streams = fitting, tokens
            self._open()
        return min(sequences, self._streams[0]) if self.layout == "streams" else 0

    def widen(self, tokens: int) -> None:
        """Sees to it that as many tokens are always computed in one block; what the cache holds is
        lost where the context is opened anew for it.

        Raises:
            OutOfMemoryError: there is no memory for a block of that size.
        """
        self._least_block = max(self._least_block, _whole(tokens))
        if tokens <= self.block:
            return
        self._free_context()
        self.block = self._least_block
        self._open()

    def shrink(self) -> bool:
        """Opens the context anew with half the tokens at a time, at last with one sequence.

        What the cache holds is lost.

        Returns:
            False where it is as small as it can be.

        Raises:
            OutOfMemoryError: not even the smallest context fits.
        """
        if not self._lessen():
            return False
        self._free_context()
        self._open()
        return True

    def _lessen(self) -> bool:
        if self.block > self._least_block:
            before, self.block = self.block, max(self.block // 2, self._least_block)
            self._say(f"not enough memory for {before} tokens at once; {self.block} now")
            return True
        if self.slots > 1:
            self._say(f"not enough memory for {self.slots} sequences at once; one by one now")
            self.slots, self.layout = 1, "single"
            return True
        return False

    def close(self) -> None:
        """Frees the memory; may be called twice."""
        if self._model:
            self._free_context()
            self.library.llama_batch_free(self._batch)
            self.library.llama_model_free(self._model)
            self._model = None

    def _free_context(self) -> None:
        if self.handle:
            self.library.llama_free(self.handle)
        self.handle = None

    def _open(self) -> None:
        """A context, as large as fits."""
        self.handle = self._open_context()
        while not self.handle:
            if not self._lessen():
                self.close()
                raise OutOfMemoryError(
                    f"no memory for a context of {self.context} tokens; {SMALLER}"
                )
            self.handle = self._open_context()

    def _usual_layout(self) -> Layout:
        if self._gpu:
            return "unified"
        return "single" if self._tiny else "streams"

    @property
    def _tiny(self) -> bool:
        return int(self.library.llama_model_size(self._model)) < _TINY

    def _open_model(self, path: Path, gpu_layers: int | None) -> Any:
        parameters = self.library.llama_model_default_params()
        layers = _ALL_LAYERS if gpu_layers is None else gpu_layers
        parameters.n_gpu_layers = layers if self._gpu else 0
        # Weights repacked for a CPU's matrix unit (AMX) crashed in batches of two tokens and more
        # (llama-cpp-python 0.3.36), and their results depend on the size of the batch.
        parameters.use_extra_bufts = False
        with log(self.library) as told:
            model = self.library.llama_model_load_from_file(str(path).encode(), parameters)
        if model:
            return model
        if short_of_memory(told):
            raise OutOfMemoryError(f"{path}: no memory for its weights; {SMALLER}")
        raise WeightsError(
            f"{path}: llama.cpp cannot open it; it is damaged, or newer than the installed "
            f"llama-cpp-python (type: {INSTALL} --upgrade)"
        )

    def _open_context(self) -> Any:
        parameters = self.library.llama_context_default_params()
        parameters.n_ctx = self.pool
        parameters.n_batch = max(BATCH, self.block)
        parameters.n_ubatch = self.block
        streams = self.layout == "streams"
        parameters.n_seq_max = 1 + (self._streams[0] if streams else self.slots)
        parameters.kv_unified = not streams
        # On a CPU flash attention adds up in half precision, in an order that depends on the batch.
        flash = "AUTO" if self._gpu else "DISABLED"
        parameters.flash_attn_type = getattr(self.library, f"LLAMA_FLASH_ATTN_TYPE_{flash}")
        parameters.offload_kqv = parameters.op_offload = self._gpu
        parameters.n_threads = parameters.n_threads_batch = self.threads
        return self.library.llama_init_from_model(self._model, parameters)

    @property
    def threads(self) -> int:
        """Threads for the CPU: what OMP_NUM_THREADS says; one for a tiny model, where waiting for
        each other costs more than the work; else one a core that other work leaves free."""
        named = os.environ.get("OMP_NUM_THREADS", "")
        if named.isdigit() and int(named) > 0:
            return int(named)
        return 1 if self._tiny else free_cores()


def _whole(tokens: int) -> int:
    """As many as a stream of at least ``tokens`` has."""
    return -(-tokens // _CELLS) * _CELLS
