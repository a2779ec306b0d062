"""llama.cpp's memory: an open GGUF and its context, which shrinks where it does not fit."""

import ctypes
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from visdiff_local.backends._batches import quiet
from visdiff_local.backends._common import dependency
from visdiff_local.backends._llama_vocabulary import Vocabulary
from visdiff_local.errors import MissingDependencyError, OutOfMemoryError, WeightsError

SLOTS = {"gpu": 64, "cpu": 1}
"""Sequences that are decoded together. On a CPU a batch gains little (measured: 1.1 to 1.2 times),
and one at a time gives the same reply in any company, to the bit."""
BATCH = 1024
"""Tokens that are decoded together."""
BLOCK = 512
"""Tokens of those that are computed at a time: the buffers of a context grow with it."""
SMALLER = (
    "set a smaller context for this model in models.toml, or choose a smaller profile "
    "(visdiff-local models plan)"
)
_LEAST_BLOCK = 64
_ALL_LAYERS = 0x7FFFFFFF
_TINY = 64 << 20
"""Bytes of weights below which one thread is the fastest."""
_SHORT_OF_MEMORY = ("out of memory", "failed to allocate", "unable to allocate", "cannot allocate")
"""What llama.cpp's log says, of a card or of main memory, where opening fails for want of it."""
_INSTALL = "pip install llama-cpp-python"
_INSTALL_CUDA = f'CMAKE_ARGS="-DGGML_CUDA=on" {_INSTALL} --force-reinstall --no-cache-dir'


class Session:
    """An open GGUF. Close it: the memory belongs to C.

    Args:
        path: the GGUF, or its first shard.
        context: most tokens of one sequence. The cache holds twice as many where several sequences
            are decoded together, shared by all.
        device: ``auto`` (a GPU when the library was built for one), ``cpu`` or ``cuda``.
        slots: sequences decoded together; :data:`SLOTS` unless given.
        most: of those, at most.
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
        slots: int | None = None,
        most: int | None = None,
        gpu_layers: int | None = None,
        say: Callable[[str], None] = quiet,
    ) -> None:
        with dependency("llama-cpp-python", _INSTALL):
            import llama_cpp
        # What the library prints to stderr goes by this logger; its own "not verbose" lets through
        # warnings.
        logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
        self.library: Any = llama_cpp
        self.context = context
        self._gpu = _gpu(llama_cpp, device)
        self._say = say
        wanted = slots or SLOTS["gpu" if self._gpu else "cpu"]
        self.slots = min(wanted, most or wanted)
        self._block = BLOCK
        self._model: Any = self._open_model(path, gpu_layers)
        self.vocabulary = Vocabulary(llama_cpp, self._model)
        self.batch: Any = llama_cpp.llama_batch_init(BATCH, 0, 1)
        self.handle: Any = self._open_context()
        while not self.handle:
            if not self.shrink():
                self.close()
                raise OutOfMemoryError(f"no memory for a context of {context} tokens; {SMALLER}")

    @property
    def pool(self) -> int:
        """Tokens that the cache holds."""
        return self.context if self.slots == 1 else 2 * self.context

    @property
    def memory(self) -> Any:
        """llama.cpp's handle of the cache."""
        return self.library.llama_get_memory(self.handle)

    def shrink(self) -> bool:
        """Opens the context anew with half the tokens at a time, at last with one sequence.

        What the cache holds is lost. The context may still not fit: ``handle`` is null then.

        Returns:
            False where it is as small as it can be.
        """
        if self._block > _LEAST_BLOCK:
            self._block //= 2
            self._say(f"not enough memory for {2 * self._block} tokens at once; {self._block} now")
        elif self.slots > 1:
            self._say(f"not enough memory for {self.slots} sequences at once; one by one now")
            self.slots = 1
        else:
            return False
        self._free_context()
        self.handle = self._open_context()
        return True

    def close(self) -> None:
        """Frees the memory; may be called twice."""
        if self._model:
            self._free_context()
            self.library.llama_batch_free(self.batch)
            self.library.llama_model_free(self._model)
            self._model = None

    def _free_context(self) -> None:
        if self.handle:
            self.library.llama_free(self.handle)
        self.handle = None

    def _open_model(self, path: Path, gpu_layers: int | None) -> Any:
        parameters = self.library.llama_model_default_params()
        layers = _ALL_LAYERS if gpu_layers is None else gpu_layers
        parameters.n_gpu_layers = layers if self._gpu else 0
        # Weights repacked for a CPU's matrix unit (AMX) crashed in batches of two tokens and more
        # (llama-cpp-python 0.3.36), and their results depend on the size of the batch.
        parameters.use_extra_bufts = False
        with _log(self.library) as told:
            model = self.library.llama_model_load_from_file(str(path).encode(), parameters)
        if model:
            return model
        if any(words in "".join(told).lower() for words in _SHORT_OF_MEMORY):
            raise OutOfMemoryError(f"{path}: no memory for its weights; {SMALLER}")
        raise WeightsError(
            f"{path}: llama.cpp cannot open it; it is damaged, or newer than the installed "
            f"llama-cpp-python (type: {_INSTALL} --upgrade)"
        )

    def _open_context(self) -> Any:
        parameters = self.library.llama_context_default_params()
        parameters.n_ctx = self.pool
        parameters.n_batch = BATCH
        parameters.n_ubatch = self._block
        parameters.n_seq_max = self.slots + 1
        parameters.kv_unified = True
        # On a CPU flash attention adds up in half precision, in an order that depends on the batch.
        flash = "AUTO" if self._gpu else "DISABLED"
        parameters.flash_attn_type = getattr(self.library, f"LLAMA_FLASH_ATTN_TYPE_{flash}")
        parameters.offload_kqv = parameters.op_offload = self._gpu
        parameters.n_threads = parameters.n_threads_batch = self._threads()
        return self.library.llama_init_from_model(self._model, parameters)

    def _threads(self) -> int:
        """Threads for the CPU: what OMP_NUM_THREADS says; one for a tiny model, where waiting for
        each other costs more than the work; else one a core of this process."""
        named = os.environ.get("OMP_NUM_THREADS", "")
        if named.isdigit() and int(named) > 0:
            return int(named)
        small = self.library.llama_model_size(self._model) < _TINY
        return 1 if small else len(os.sched_getaffinity(0))


def _gpu(library: Any, device: str) -> bool:
    able = bool(library.llama_supports_gpu_offload())
    if device == "cuda" and not able:
        raise MissingDependencyError(
            f"this llama-cpp-python was built without CUDA; type: {_INSTALL_CUDA}"
        )
    return able and device != "cpu"


@contextmanager
def _log(library: Any) -> Iterator[list[str]]:
    """What the library logs meanwhile, in place of its printing it: it gives no other reason."""
    from llama_cpp import _logger

    told: list[str] = []

    @library.llama_log_callback  # type: ignore[untyped-decorator]
    def hear(level: int, text: bytes, _: object) -> None:
        told.append(text.decode("utf-8", "replace"))

    library.llama_log_set(hear, ctypes.c_void_p(0))
    try:
        yield told
    finally:
        library.llama_log_set(_logger.llama_log_callback, ctypes.c_void_p(0))
