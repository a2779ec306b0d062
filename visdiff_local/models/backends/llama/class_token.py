"""A CLIP tower's class token is put where the tower was trained with it: before the patches.

llama.cpp's graph of LLaVA's tower lays the class token behind the patches, and yet numbers the
positions, and picks the patches, as if it stood before them (llama-cpp-python 0.3.36): every patch
gets its neighbour's position, the first is lost and the class token is shown for the last. mtmd
offers a hook that sees each step of the graph; there the rows are put in order. Where a library
lays them right, nothing is moved.
"""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

from visdiff_local.protocols import FloatArray

_STEP = b"CONCAT"


class ClassTokenFirst:
    """The hook. Keep it as long as mtmd's context lives.

    Args:
        library: the ``llama_cpp`` module.
        token: float32 (width,), as the mmproj has it.
    """

    def __init__(self, library: Any, token: FloatArray) -> None:
        self._token = token
        self._ggml = _ggml(library)
        self.seen = 0
        """How many pictures it has seen the token of."""
        self.moved = 0
        """For how many of them it had to put the token first."""
        self.hook = library.ggml_backend_sched_eval_callback(self._step)

    def _step(self, tensor: int, ask: bool, _: object) -> bool:
        """``ask``: whether the step's result is wanted; else it is there."""
        if self._ggml.ggml_op_desc(tensor) != _STEP:
            return not ask
        if not ask:
            self._order(tensor)
        return True

    def _order(self, tensor: int) -> None:
        size = int(self._ggml.ggml_nbytes(tensor))
        width = len(self._token)
        if size % (4 * width):
            return
        rows = np.empty((size // (4 * width), width), dtype=np.float32)
        self._ggml.ggml_backend_tensor_get(tensor, rows.ctypes.data, 0, size)
        last, first = (bool(np.array_equal(rows[row], self._token)) for row in (-1, 0))
        self.seen += last or first
        if last and not first:
            self.moved += 1
            rows = np.ascontiguousarray(np.roll(rows, 1, axis=0))
            self._ggml.ggml_backend_tensor_set(tensor, rows.ctypes.data, 0, size)


def _ggml(library: Any) -> Any:
    """The tensor functions of the ggml that llama.cpp is linked with."""
    from llama_cpp import _ctypes_extensions

    folder = Path(library.__file__).parent / "lib"
    ggml = _ctypes_extensions.load_shared_library("ggml-base", folder)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    ggml.ggml_op_desc.argtypes, ggml.ggml_op_desc.restype = [pointer], ctypes.c_char_p
    ggml.ggml_nbytes.argtypes, ggml.ggml_nbytes.restype = [pointer], size
    for name in ("ggml_backend_tensor_get", "ggml_backend_tensor_set"):
        function = getattr(ggml, name)
        function.argtypes, function.restype = [pointer, pointer, size, size], None
    return ggml
