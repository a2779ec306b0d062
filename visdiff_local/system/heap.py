"""Large buffers that are used again, instead of going back to the system after each use.

glibc gives every block above 32 MB to the system when it is freed, and gets the next one from it
page by page, zeroed. A vision network on a CPU does so for every layer of every batch: half of the
time of embedding photographs was the kernel's (1.1 million page faults for 128 of them).
"""

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Of mallopt, as malloc.h numbers them."""
_KEPT = 1 << 30
"""Bytes at the end of the heap that are kept meanwhile."""
_USUAL = {_TRIM_THRESHOLD: 128 << 10, _MMAP_MAX: 65536}
_lock = threading.Lock()
_holders = 0
"""Blocks of :func:`kept` that are open."""


@contextmanager
def kept() -> Iterator[None]:
    """Freed blocks stay with this process for as long as the block lasts; then they are given back.

    Where one lies within another, or beside it in another thread, the last to end gives them back.
    Where the C library is not glibc, nothing changes.
    """
    global _holders
    library = _glibc()
    if library is None:
        yield
        return
    with _lock:
        _holders += 1
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if not _holders:
                for option, value in _USUAL.items():
                    library.mallopt(option, value)
                library.malloc_trim(0)


@cache
def _glibc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    found = all(
        hasattr(library, name) for name in ("mallopt", "malloc_trim", "gnu_get_libc_version")
    )
    return library if found else None
