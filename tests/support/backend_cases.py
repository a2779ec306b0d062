"""The tiny checkpoints, made once a session, and how models.toml would name each."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support import tiny
from visdiff_local.images import File
from visdiff_local.models.pool import ModelHandle
from visdiff_local.models.registry import BACKENDS
from visdiff_local.models.specs import ModelSpec
from visdiff_local.types import ImageRef

SAFETENSORS = {"model.safetensors": ""}
CASES: dict[str, tuple[str, Callable[[Path], Path], dict[str, Any]]] = {
    "blip2-opt": ("blip2", tiny.blip2, {}),
    "blip2-t5": ("blip2", lambda folder: tiny.blip2(folder, text="t5"), {}),
    "blip2-nf4": ("blip2", tiny.blip2, {"quantization": "nf4"}),
    "llava": ("vlm", tiny.llava, {}),
    "llava-plain": ("vlm", lambda folder: tiny.llava(folder, template=False), {}),
    "llava-nf4": ("vlm", tiny.llava, {"quantization": "nf4"}),
    "llava-next": ("vlm", tiny.llava_next, {}),
    "qwen": ("vlm", tiny.qwen, {"multi_image": True}),
    "smolvlm": ("vlm", tiny.smolvlm, {}),
    "clip": ("open_clip", tiny.open_clip, {"files": {"open_clip_model.safetensors": ""}}),
    "siglip": (
        "open_clip",
        lambda folder: tiny.open_clip(folder, siglip=True),
        {"files": {"open_clip_model.safetensors": ""}},
    ),
    "siglip2": ("open_clip", tiny.siglip2, {"files": {"open_clip_model.safetensors": ""}}),
    "pe-core": ("open_clip", tiny.pe_core, {"files": {"open_clip_model.safetensors": ""}}),
    "llama-f16": ("llama_cpp", tiny.gguf, {"chat": "template"}),
    "llama-q8_0": ("llama_cpp", lambda folder: tiny.gguf(folder, kind="Q8_0"), {}),
    "llama-q4_k_m": (
        "llama_cpp",
        lambda folder: tiny.gguf(folder, kind="Q4_K_M"),
        {"chat": "vicuna"},
    ),
    "fake": ("fake", lambda folder: folder, {"files": {}}),
}
CAPTIONERS = [name for name, case in CASES.items() if case[0] in ("blip2", "vlm", "fake")]
VLMS = [name for name, case in CASES.items() if case[0] in ("vlm", "fake")]
FEATURES = [name for name, case in CASES.items() if case[0] in ("blip2", "fake")]
EMBEDDERS = [name for name, case in CASES.items() if case[0] in ("open_clip", "fake")]
TEXTS = [name for name, case in CASES.items() if case[0] in ("llama_cpp", "fake")]


@cache
def root() -> Path:
    """A folder that goes when the tests are over."""
    folder = Path(tempfile.mkdtemp(prefix="tiny-models-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def folder_of(name: str) -> Path:
    """The checkpoint, made on first use; variants of one recipe share it."""
    recipe = CASES[name][1]
    first = next(other for other, case in CASES.items() if case[1] is recipe)
    return recipe(root() / first) if first == name else folder_of(first)


def spec_of(name: str, **changes: Any) -> ModelSpec:
    backend, _, options = CASES[name]
    files = {"model.gguf": ""} if backend == "llama_cpp" else SAFETENSORS
    values = {"name": name, "files": files, "context": 320, "max_new_tokens": 8}
    return ModelSpec(backend=backend, **{**values, **options, **changes})


def handle(name: str, folder: Path | None = None, **changes: Any) -> ModelHandle:
    """As the registry would hand it out."""
    assert CASES[name][0] in BACKENDS
    return ModelHandle(spec_of(name, **changes), folder or folder_of(name), device="cpu")


@cache
def model(name: str) -> Any:
    """The open model, kept for the session."""
    return handle(name).open()


def copied(name: str, place: Path) -> Path:
    """A copy of the checkpoint, to be damaged."""
    return Path(shutil.copytree(folder_of(name), place / name))


@cache
def images() -> Sequence[ImageRef]:
    """Six pictures of three shapes."""
    paths = tiny.pictures(root() / "pictures")
    return tuple(ImageRef(sha256(path.read_bytes()).hexdigest(), File(path)) for path in paths)
