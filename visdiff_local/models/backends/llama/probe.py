"""A GGUF that was never opened on this machine is opened in a process of its own first.

Where an assertion of llama.cpp's fails, the process ends; that one's end is not ours. A vision
model is its two files together, and sees a picture there.
"""

from pathlib import Path

from visdiff_local.errors import OutOfMemoryError, WeightsError
from visdiff_local.models.backends.checksums import sha256
from visdiff_local.models.backends.notes import recall, remember

_SECONDS = 300.0
_ROOM = 8 << 30
"""Bytes of address space beside the files themselves."""
_CODE = """
import ctypes, sys
import llama_cpp
@llama_cpp.llama_log_callback
def hush(level, text, data): pass
llama_cpp.llama_log_set(hush, ctypes.c_void_p(0))
parameters = llama_cpp.llama_model_default_params()
parameters.n_gpu_layers = 0
parameters.use_extra_bufts = False
paths = [path.encode(errors="surrogateescape") for path in sys.argv[1:]]
model = llama_cpp.llama_model_load_from_file(paths[0], parameters)
if not model: sys.exit(0)
wanted = llama_cpp.llama_context_default_params()
wanted.n_ctx = wanted.n_batch = wanted.n_ubatch = 64
wanted.n_threads = wanted.n_threads_batch = 1
context = llama_cpp.llama_init_from_model(model, wanted)
if not context: sys.exit(0)
vocabulary = llama_cpp.llama_model_get_vocab(model)
ids = (ctypes.c_int32 * 32)()
count = llama_cpp.llama_tokenize(vocabulary, b"a dog", 5, ids, 32, True, True)
for token in range(min(llama_cpp.llama_vocab_n_tokens(vocabulary), 100000)):
    llama_cpp.llama_vocab_get_attr(vocabulary, token)
if count > 0: llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(ids, count))
if len(paths) < 2: sys.exit(0)
from llama_cpp import mtmd_cpp as mtmd
mtmd.mtmd_helper_log_set(hush, ctypes.c_void_p(0))
seeing = mtmd.mtmd_context_params_default()
seeing.use_gpu = seeing.print_timings = seeing.warmup = False
seeing.n_threads = 1
tower = mtmd.mtmd_init_from_file(paths[1], model, seeing)
if not tower or not mtmd.mtmd_support_vision(tower): sys.exit(0)
pixels = (ctypes.c_uint8 * (96 * 64 * 3))()
bitmap = mtmd.mtmd_bitmap_init(96, 64, pixels)
marker = mtmd.mtmd_get_marker(tower)
text = mtmd.mtmd_input_text(marker, len(marker), False, True)
chunks = mtmd.mtmd_input_chunks_init()
bitmaps = (ctypes.c_void_p * 1)(bitmap)
if mtmd.mtmd_tokenize(tower, chunks, ctypes.byref(text), bitmaps, 1): sys.exit(0)
for place in range(mtmd.mtmd_input_chunks_size(chunks)):
    mtmd.mtmd_encode_chunk(tower, mtmd.mtmd_input_chunks_get(chunks, place))
"""
"""What the program itself does with a model; where the library refuses, it will say so to us too.
"""


def open_elsewhere(path: Path, mmproj: Path | None = None) -> None:
    """Opens the file in a process of its own, once for each file; then it is known not to end one.

    Args:
        mmproj: the other file of a vision model; the two are opened together.

    Raises:
        WeightsError: that process crashed, or did not come to an end.
        OutOfMemoryError: the system killed it for want of memory.
    """
    import resource
    import subprocess

    from visdiff_local.system import processes

    files = [path, *([mmproj] if mmproj else [])]
    note = Path("opened") / "-".join([*(sha256(file)[:40] for file in files), _library()])
    if recall(note) == "opened":
        return
    named = " with ".join(map(str, files))
    size = sum(file.stat().st_size for file in files)
    limits = {resource.RLIMIT_AS: size * 3 + _ROOM, resource.RLIMIT_CORE: 0}
    try:
        done = processes.run_python(_CODE, *map(str, files), timeout=_SECONDS, limits=limits)
    except subprocess.TimeoutExpired as error:
        raise WeightsError(
            f"{named}: llama.cpp does not come to an end with it ({_SECONDS:g} s); it is "
            "damaged, and is not opened"
        ) from error
    if done.returncode == -9:
        raise OutOfMemoryError(f"{named}: not enough memory to open it")
    if done.returncode < 0:
        raise WeightsError(f"{named}: llama.cpp crashes on it; it is damaged, and is not opened")
    remember(note, "opened")


def _library() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("llama-cpp-python")
    except PackageNotFoundError:
        return ""
