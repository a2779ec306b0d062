"""What every backend needs: checked weights, fingerprints, a device, pictures made ready.

Nothing here imports a heavy library at the top: ``fingerprint`` is asked for by commands that open
no model at all.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from visdiff_local.errors import (
    MissingDependencyError,
    OutOfMemoryError,
    UsageError,
    VisdiffError,
    WeightsError,
)
from visdiff_local.images import decoded
from visdiff_local.models.backends.batches import is_out_of_memory
from visdiff_local.models.backends.checksums import sha256
from visdiff_local.models.backends.notes import cache_folder, recall, remember
from visdiff_local.models.backends.vetting import vet
from visdiff_local.models.specs import ModelSpec
from visdiff_local.system.threads import ahead
from visdiff_local.types import ImageRef

Item = TypeVar("Item")
Result = TypeVar("Result")

__all__ = [
    "DECODING",
    "SETTINGS",
    "WEIGHTS",
    "cache_folder",
    "defused",
    "dependency",
    "digest_of",
    "fingerprint_of",
    "opening",
    "pick_device",
    "prepared",
    "recall",
    "remember",
    "seeded",
    "sha256",
    "unique",
    "weight_files",
]

WEIGHTS = (".safetensors", ".gguf")
"""The only weight formats that are opened; pickles (.bin, .pt) run code."""
_NO_MEMORY = re.compile(
    r"cannot allocate memory|failed to map|out of memory|bad_alloc|std::bad_alloc", re.IGNORECASE
)
_SAID = 300
"""Characters of a library's own message."""
SETTINGS = (".json", ".txt", ".model", ".jinja")
"""Small files beside weights that change what a model says: configs, vocabularies, templates."""

DECODING = "draft at twice the side"
"""How pictures are decoded, for the fingerprints of models that see images."""


@contextmanager
def dependency(package: str, install: str = "") -> Iterator[None]:
    """Wraps the import of a heavy library: ``with dependency("torch"): import torch``.

    Raises:
        MissingDependencyError: it is not installed, or cannot be loaded; names the command.
    """
    try:
        yield
    except (ImportError, OSError, MemoryError) as error:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            raise OutOfMemoryError(
                f"not enough memory to load {package}; close other programs, or raise the limit "
                "(ulimit -v)"
            ) from error
        if not isinstance(error, ImportError):
            raise
        command = install or f"pip install {package}"
        raise MissingDependencyError(
            f"{package} is needed and cannot be imported ({error}); type: {command}"
        ) from error


# ---- weights -------------------------------------------------------------------------------------


def weight_files(spec: ModelSpec, folder: Path) -> tuple[Path, ...]:
    """The weight files of a model, those that models.toml names, all there and all intact.

    A model that names none (``files`` left out) has whatever weights lie in its folder.

    Raises:
        WeightsError: one is missing, has another checksum, or is in a format that runs code.
    """
    names = sorted(spec.files) or sorted(
        path.name for path in folder.glob("*") if path.suffix in WEIGHTS
    )
    if not names:
        raise WeightsError(f"{spec.name}: no weights in {folder}; {_advice(spec)}")
    for name in names:
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{spec.name}: {path} is missing; {_advice(spec)}")
        if path.suffix not in WEIGHTS and path.suffix not in SETTINGS:
            raise WeightsError(
                f"{spec.name}: {path} is not opened, only {' and '.join(WEIGHTS)} files are"
            )
        expected = spec.files.get(name, "").removeprefix("sha256:")
        # What is remembered may be damaged: nobody is told that a file is wrong without reading it.
        if expected and expected != sha256(path):
            found = sha256(path, fresh=True)
            if found == expected:
                continue
            raise WeightsError(
                f"{spec.name}: {path} is not the file that models.toml names "
                f"(sha256 {found}, expected {expected}); {_advice(spec)}"
            )
    return tuple(folder / name for name in names)


def _advice(spec: ModelSpec) -> str:
    return f"type: visdiff-local models verify {spec.name}"


def fingerprint_of(spec: ModelSpec, folder: Path, **settings: object) -> str:
    """Sha256 (hex) over all that changes what this model says, and nothing that does not.

    That is: the weights, the small files beside them (config, tokenizer, preprocessing, chat
    template), the quantization, and what the backend adds in ``settings``. Not: name, folder,
    device, batch size, versions of libraries.
    """
    files = weight_files(spec, folder)
    beside = sorted(path for path in folder.glob("*") if path.suffix in SETTINGS)
    described = {
        "backend": spec.backend,
        "quantization": spec.quantization,
        "files": {path.name: sha256(path) for path in (*files, *beside)},
        "settings": settings,
    }
    return digest_of(described)


def digest_of(value: object) -> str:
    """Sha256 (hex) of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def seeded(seed: int, *parts: object) -> np.random.Generator:
    """A generator that depends on the seed and the parts alone, not on what was asked before."""
    return np.random.default_rng(int(digest_of([seed, *map(str, parts)])[:16], 16))


# ---- devices and pictures ------------------------------------------------------------------------


def pick_device(device: str) -> str:
    """``cuda`` or ``cpu`` for torch; ``auto`` takes a GPU where there is one.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.


    Raises:
        UsageError: CUDA is asked for and there is none.
    """
    with dependency("torch"):
        import torch
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UsageError("--device cuda: torch sees no CUDA GPU; use --device auto or cpu")
    return "cuda" if available and device != "cpu" else "cpu"


def prepared(
    images: Sequence[ImageRef], side: int | None, prepare: Callable[[Image.Image], Result]
) -> Iterator[Result]:
    """Each picture decoded and made ready for a model, in order, ahead of the reader, in threads.

    Args:
        side: pixels that the model looks at, where that is fixed. JPEGs are decoded at twice that
            or more, which changes pixels a little: :data:`DECODING` is in the fingerprints for it.
    """
    hint = 2 * side if side else None
    pictures = (picture for _, picture in decoded(images, size_hint=hint))
    return (ready for _, ready in ahead(prepare, pictures))


def unique(
    items: Sequence[Item], compute: Callable[[list[Item]], Sequence[Result]]
) -> list[Result]:
    """``compute`` of the distinct (hashable) items alone, spread over all of them again."""
    distinct = list(dict.fromkeys(items))
    results = dict(zip(distinct, compute(distinct), strict=True))
    return [results[item] for item in items]


def defused(text: str, special: Sequence[str]) -> str:
    """The text with every special token in it broken by a space: ``<image>`` → ``< image>``.

    What a user or a caption says then cannot stand for an image, an end of turn or a role.
    """
    longest_first = sorted((token for token in set(special) if len(token) > 1), key=len)[::-1]
    if not longest_first:
        return text
    found = re.compile("|".join(map(re.escape, longest_first)))
    return found.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)


@contextmanager
def opening(spec: ModelSpec, folder: Path) -> Iterator[None]:
    """Turns what a library raises over unusable weights into one error that says what to type.

    Over settings that do not fit the weights or are no settings at all, libraries raise whatever
    their next line happens to raise: AssertionError, TypeError, a bare Exception.
    """
    vet(spec, folder)
    try:
        yield
    except (VisdiffError, ImportError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError(
                f"{spec.name}: not enough memory to open it; choose a smaller profile "
                "(visdiff-local models plan)"
            ) from error
        raise WeightsError(
            f"{spec.name}: {folder} cannot be opened ({in_short(error)}); its settings (*.json) "
            f"and its weights may not belong together: {_advice(spec)}"
        ) from error


def in_short(error: Exception) -> str:
    """What a library said, on one line; with the kind of error, where that says more."""
    said = " ".join(str(error).split())
    said = said if len(said) <= _SAID else f"{said[:_SAID]} …"
    plain = isinstance(error, OSError | RuntimeError) and said
    return said if plain else f"{type(error).__name__}: {said}".removesuffix(": ")
