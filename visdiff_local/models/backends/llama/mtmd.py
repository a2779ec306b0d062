"""llama.cpp's mtmd: pictures as vectors between a prompt's tokens.

A picture becomes chunks: tokens that stand around and between its tiles, and the tiles themselves,
which the vision tower turns into vectors that are read like tokens. Everything is freed as soon as
it is read; what a picture has said stays in the cache of llama.cpp alone.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from visdiff_local.errors import MissingDependencyError, OutOfMemoryError, UsageError, WeightsError
from visdiff_local.models.backends.llama.class_token import ClassTokenFirst
from visdiff_local.models.backends.llama.context import SMALLER, Session
from visdiff_local.models.backends.llama.library import INSTALL, log, short_of_memory
from visdiff_local.models.backends.llama.prefixes import BATCH
from visdiff_local.protocols import FloatArray

_NEWEST = "mtmd_get_marker"
"""The youngest of the functions that are used (llama-cpp-python 0.3.36)."""
_OTHER_MODEL = "mismatch between text model"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a prompt: tokens, or (``handle`` is set) vectors of a picture."""

    tokens: tuple[int, ...]
    count: int
    """Tokens of the context that it takes."""
    handle: Any = None


class Mtmd:
    """An open mmproj over an open GGUF. Close it before the session: the memory belongs to C.

    Args:
        budget: most tokens that a picture becomes, where the model leaves the choice; 0: as the
            file has it.
        class_token: of a tower that begins with one (see
            :mod:`visdiff_local.models.backends.llama.class_token`).

    Raises:
        MissingDependencyError: the library was built without mtmd.
        WeightsError: the file is none that this library reads, or belongs to another model.
        OutOfMemoryError: there is no memory for the tower.
    """

    def __init__(
        self, session: Session, path: Path, *, budget: int, class_token: FloatArray | None
    ) -> None:
        self._session = session
        self._mtmd = _library()
        self.order = (
            ClassTokenFirst(session.library, class_token) if class_token is not None else None
        )
        self._handle: Any = self._open(path, budget)
        self._width = int(session.library.llama_model_n_embd_inp(session.model))

    def close(self) -> None:
        """Frees the memory; may be called twice."""
        if self._handle:
            self._mtmd.mtmd_free(self._handle)
            self._handle = None

    # ---- pictures --------------------------------------------------------------------------------

    @contextmanager
    def chunks(self, picture: Image.Image) -> Iterator[list[Chunk]]:
        """The picture's chunks, valid inside: resized and cut as the model wants it."""
        lib = self._mtmd
        bitmap = self._bitmap(picture)
        made = lib.mtmd_input_chunks_init()
        try:
            marker = lib.mtmd_get_marker(self._handle)
            text = lib.mtmd_input_text(marker, len(marker), False, True)
            bitmaps = (lib.mtmd_bitmap_p_ctypes * 1)(bitmap)
            code = lib.mtmd_tokenize(self._handle, made, ctypes.byref(text), bitmaps, 1)
            if code != 0:
                raise UsageError(
                    f"llama.cpp cannot prepare a picture of {picture.width} x {picture.height} "
                    f"pixels for this model (code {code})"
                )
            count = lib.mtmd_input_chunks_size(made)
            yield [self._chunk(lib.mtmd_input_chunks_get(made, place)) for place in range(count)]
        finally:
            lib.mtmd_input_chunks_free(made)
            lib.mtmd_bitmap_free(bitmap)

    def read(self, chunk: Chunk, position: int) -> int:
        """Reads a picture's vectors into sequence 0; gives the position behind them.

        Positions are not tokens: models that count rows and columns take fewer for a picture.

        Raises:
            OutOfMemoryError: there is no memory to compute them.
        """
        lib = self._mtmd
        behind = self._session.library.llama_pos(position)
        code = lib.mtmd_helper_decode_image_chunk(
            self._handle,
            self._session.handle,
            chunk.handle,
            self._encoded(chunk),
            position,
            0,
            max(BATCH, self._session.block),
            ctypes.byref(behind),
            lib.mtmd_helper_post_decode_callback(),
            None,
        )
        if code != 0:
            raise OutOfMemoryError(
                f"llama.cpp could not read a picture of {chunk.count} tokens (code {code}); "
                f"{SMALLER}"
            )
        return int(behind.value)

    def vectors(self, chunk: Chunk) -> FloatArray:
        """Float32 (tokens, width): what the language model is shown of a picture's chunk."""
        shape = chunk.count, self._width
        return np.ctypeslib.as_array(self._encoded(chunk), shape=shape).copy()

    def block(self, chunk: Chunk) -> int:
        """Tokens that must be computed in one block: a picture whose parts see each other, in
        models that read it so; 0 where it may be cut up."""
        whole = chunk.handle and self._mtmd.mtmd_decode_use_non_causal(self._handle, chunk.handle)
        return chunk.count if whole else 0

    # ---- pieces ----------------------------------------------------------------------------------

    def _encoded(self, chunk: Chunk) -> Any:
        """Pointer to the chunk's vectors, overwritten by the next."""
        code = self._mtmd.mtmd_encode_chunk(self._handle, chunk.handle)
        if code != 0:
            raise OutOfMemoryError(
                f"llama.cpp could not see a picture of {chunk.count} tokens (code {code}); "
                f"{SMALLER}"
            )
        return self._mtmd.mtmd_get_output_embd(self._handle)

    def _bitmap(self, picture: Image.Image) -> Any:
        pixels = np.ascontiguousarray(picture.convert("RGB"), dtype=np.uint8)
        pointer = pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        return self._mtmd.mtmd_bitmap_init(picture.width, picture.height, pointer)

    def _chunk(self, handle: Any) -> Chunk:
        lib = self._mtmd
        count = int(lib.mtmd_input_chunk_get_n_tokens(handle))
        if lib.mtmd_input_chunk_get_type(handle) != lib.MTMD_INPUT_CHUNK_TYPE_TEXT:
            return Chunk((), count, handle)
        size = ctypes.c_size_t()
        tokens = lib.mtmd_input_chunk_get_tokens_text(handle, ctypes.byref(size))
        return Chunk(tuple(tokens[: size.value]), count)

    def _open(self, path: Path, budget: int) -> Any:
        session, lib = self._session, self._mtmd
        wanted = lib.mtmd_context_params_default()
        wanted.use_gpu = session.on_gpu
        wanted.print_timings = wanted.warmup = False
        wanted.n_threads = session.threads
        flash = "AUTO" if session.on_gpu else "DISABLED"
        wanted.flash_attn_type = getattr(session.library, f"LLAMA_FLASH_ATTN_TYPE_{flash}")
        if budget:
            wanted.image_max_tokens = budget
        if self.order is not None:
            wanted.cb_eval = self.order.hook
        with log(session.library, lib.mtmd_helper_log_set) as told:
            handle = lib.mtmd_init_from_file(str(path).encode(), session.model, wanted)
        if handle and lib.mtmd_support_vision(handle):
            return handle
        if short_of_memory(told):
            raise OutOfMemoryError(f"{path}: no memory for the vision tower; {SMALLER}")
        if _OTHER_MODEL in "".join(told):
            raise WeightsError(
                f"{path}: this mmproj belongs to another model; put the one that was published "
                "with the GGUF beside it, and name it in models.toml"
            )
        raise WeightsError(
            f"{path}: llama.cpp cannot open this mmproj; it is damaged, or newer than the "
            f"installed llama-cpp-python (type: {INSTALL} --upgrade)"
        )


def _library() -> Any:
    try:
        from llama_cpp import mtmd_cpp
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError(
            f"this llama-cpp-python has no mtmd, which shows pictures to GGUF models ({error}); "
            f"type: {INSTALL} --upgrade --force-reinstall --no-cache-dir"
        ) from error
    if not hasattr(mtmd_cpp, _NEWEST):
        raise MissingDependencyError(
            f"this llama-cpp-python is too old to show pictures to GGUF models; type: {INSTALL} "
            "--upgrade"
        )
    return mtmd_cpp
