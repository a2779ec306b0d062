"""The mmproj beside a GGUF, by the headers of both files: which it is, and whether they fit.

llama.cpp reads a vision model from two files: the language model, and the vision tower with its
projector, published as ``mmproj-….gguf``. Of an mmproj that belongs to another model it says so in
its log alone; here it is an error that says what to type, before either file is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from visdiff_local.errors import WeightsError
from visdiff_local.models.backends.files import weight_files
from visdiff_local.models.backends.llama import header
from visdiff_local.models.backends.llama.header import Header
from visdiff_local.models.specs import ModelSpec
from visdiff_local.protocols import FloatArray

ARCHITECTURE = "clip"
CLASS_TOKEN = "v.class_embd"  # noqa: S105 - a tensor's name
_LLAVA = frozenset(("mlp", "ldp", "ldpv2"))
"""Projectors whose tower may begin with a class token, which the language model is not shown."""
_WIDTHS: Mapping[str, tuple[str, int]] = {
    "mlp": ("mm.2.weight", 1),
    "ldpv2": ("mm.model.peg.0.bias", 0),
}
"""The tensor, and its side, that is as wide as the language model: converters of old wrote the
tower's own width as ``projection_dim``."""
_UNSURE = frozenset(("ldp", "resampler", "adapter"))
"""Old projectors whose width no field tells; mtmd compares it when it opens them."""
_FLOATS: Mapping[int, str] = {0: "<f4", 1: "<f2"}


@dataclass(frozen=True, slots=True)
class Pair:
    """The two files of a vision model."""

    model: Path
    """The language model, or its first shard."""
    mmproj: Path
    side: int
    """Pixels of the tower's square, or of a tile."""
    class_token: FloatArray | None = field(repr=False)
    """Float32 (width,): of a tower of LLaVA's kind that begins with one."""


def is_mmproj(found: Header) -> bool:
    """Whether the file is the vision side of a model, and no language model."""
    return found.architecture == ARCHITECTURE


def pair(spec: ModelSpec, folder: Path) -> Pair:
    """The model's two files, which belong together as far as their headers tell.

    Raises:
        WeightsError: one is missing, damaged, or of another model; says what to type.
    """
    ggufs = [path for path in weight_files(spec, folder) if path.suffix == ".gguf"]
    headers = {path: header.check(path) for path in ggufs}
    mmproj = _mmproj(spec, folder, headers)
    models = [path for path in ggufs if not is_mmproj(headers[path])]
    if not models:
        raise WeightsError(
            f"{spec.name}: {mmproj.name} is the vision side alone; name the language model's GGUF "
            "beside it under files in models.toml"
        )
    projector = _projector(spec, mmproj, headers[mmproj])
    wanted, found = _embedding(headers[models[0]]), _width(projector, headers[mmproj])
    if wanted and found and wanted != found:
        raise WeightsError(
            f"{spec.name}: {mmproj.name} gives vectors of {found:,} numbers and {models[0].name} "
            f"reads {wanted:,}: it belongs to another model; put the mmproj that was published "
            f"with {models[0].name} into {folder} and name it in models.toml "
            f"(type: visdiff-local models fetch {spec.name} --to DIR)"
        )
    has_token = projector in _LLAVA and CLASS_TOKEN in headers[mmproj].tensors
    token = _vector(mmproj, headers[mmproj], CLASS_TOKEN) if has_token else None
    return Pair(
        models[0], mmproj, int(headers[mmproj].values.get("clip.vision.image_size", 0)), token
    )


def _mmproj(spec: ModelSpec, folder: Path, headers: Mapping[Path, Header]) -> Path:
    if spec.mmproj:
        path = folder / spec.mmproj
        if path in headers and not is_mmproj(headers[path]):
            raise WeightsError(
                f"{spec.name}: {path.name} is no mmproj but a language model "
                f"({headers[path].architecture}); set mmproj to the other file in models.toml"
            )
        if path in headers:
            return path
        raise WeightsError(
            f"{spec.name}: {path} is missing; type: visdiff-local models fetch {spec.name} --to DIR"
        )
    found = [path for path, one in headers.items() if is_mmproj(one)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise WeightsError(
            f"{spec.name}: there are {len(found)} mmproj files ({names}); name one in models.toml: "
            f'mmproj = "{found[0].name}"'
        )
    if not found:
        names = ", ".join(path.name for path in headers) or "none"
        raise WeightsError(
            f"{spec.name}: none of its GGUF files ({names}) is an mmproj, and without one it sees "
            f"no pictures; put the mmproj that was published with the model into {folder} and "
            "name it under files in models.toml, or use it as language model alone "
            '(backend = "llama_cpp")'
        )
    return found[0]


def _projector(spec: ModelSpec, path: Path, found: Header) -> str:
    """The projector's type; raises :class:`WeightsError` where the file is of another modality."""
    if not found.values.get("clip.has_vision_encoder"):
        raise WeightsError(
            f"{spec.name}: {path.name} has no vision tower (it is for sound, perhaps); name the "
            "mmproj for pictures in models.toml"
        )
    own = found.values.get("clip.projector_type")
    return str(own or found.values.get("clip.vision.projector_type", ""))


def _embedding(found: Header) -> int:
    """Numbers of a token's vector; 0 where the header does not say."""
    return int(found.values.get(f"{found.architecture}.embedding_length", 0))


def _width(projector: str, found: Header) -> int:
    """Numbers of an image's vector; 0 where the header does not say."""
    if projector in _UNSURE:
        return 0
    if projector in _WIDTHS:
        name, side = _WIDTHS[projector]
        shape = found.tensors.get(name, ((), 0, 0))[0]
        return int(shape[side]) if len(shape) > side else 0
    return int(found.values.get("clip.vision.projection_dim", 0))


def _vector(path: Path, found: Header, name: str) -> FloatArray:
    """A tensor of floats in 32 or 16 bits, flat."""
    shape, kind, offset = found.tensors[name]
    if kind not in _FLOATS:
        raise WeightsError(f"{path}: the tensor {name!r} has an unexpected type ({kind})")
    values = np.fromfile(path, _FLOATS[kind], int(np.prod(shape)), offset=found.data_at + offset)
    return np.asarray(values, dtype=np.float32)
