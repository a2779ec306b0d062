"""The llama-cpp-python that is installed: what it can do, and what it logs."""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from visdiff_local.errors import MissingDependencyError

INSTALL = "pip install llama-cpp-python"
_INSTALL_CUDA = f'CMAKE_ARGS="-DGGML_CUDA=on" {INSTALL} --force-reinstall --no-cache-dir'

_SHORT_OF_MEMORY = ("out of memory", "failed to allocate", "unable to allocate", "cannot allocate")


def short_of_memory(told: Sequence[str]) -> bool:
    """Whether the log says, of a card or of main memory, that opening failed for want of it."""
    return any(words in "".join(told).lower() for words in _SHORT_OF_MEMORY)


def has_gpu(library: Any, device: str) -> bool:
    """Whether it is to use a GPU; raises :class:`MissingDependencyError` where it cannot."""
    able = bool(library.llama_supports_gpu_offload())
    if device == "cuda" and not able:
        raise MissingDependencyError(
            f"this llama-cpp-python was built without CUDA; type: {_INSTALL_CUDA}"
        )
    return able and device != "cpu"


@contextmanager
def log(library: Any, set_log: Callable[[Any, Any], None] | None = None) -> Iterator[list[str]]:
    """What the library logs meanwhile, in place of its printing it: it gives no other reason.

    Args:
        set_log: of a part of the library that has a log of its own, such as mtmd.
    """
    from llama_cpp import _logger

    told: list[str] = []
    setters = [library.llama_log_set, *([set_log] if set_log else [])]

    @library.llama_log_callback  # type: ignore[untyped-decorator]
    def hear(level: int, text: bytes, _: object) -> None:
        told.append(text.decode("utf-8", "replace"))

    for setter in setters:
        setter(hear, ctypes.c_void_p(0))
    try:
        yield told
    finally:
        for setter in setters:
            setter(_logger.llama_log_callback, ctypes.c_void_p(0))
