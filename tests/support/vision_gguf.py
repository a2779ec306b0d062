"""nano-llava as llama.cpp reads it, beside the transformers one that it was written from."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scripts.nano.vision.gguf_export import MMPROJ, MODEL, export
from tests.support import backend_cases
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.world import sample_scene
from visdiff_local.images import File
from visdiff_local.models.backends.huggingface import vlm
from visdiff_local.models.backends.llama import vision
from visdiff_local.models.paths import BUNDLED
from visdiff_local.models.specs import ModelSpec, load_registry
from visdiff_local.types import ImageRef

FILES = {MODEL: "", MMPROJ: ""}


@cache
def folder() -> Path:
    """Both files, as exact as the folder itself."""
    out = backend_cases.root() / "nano-llava-gguf"
    export(BUNDLED / "nano-llava", out, "F32")
    return out


def spec(**options: Any) -> ModelSpec:
    values = {
        "name": "nano-llava-gguf",
        "files": FILES,
        "chat": "template",
        "image_fit": "squash",
        "context": 512,
        "prompt": "nano-llava",
    }
    return ModelSpec(backend="llama_vision", **{**values, **options})


def opened(at: Path | None = None, **options: Any) -> Any:
    return vision.open_model(spec(**options), at or folder(), device="cpu")


@cache
def model() -> Any:
    """Open, and so past its self-test; kept for the session."""
    return opened(multi_image=True)


@cache
def reference() -> Any:
    """The same model by transformers."""
    known = load_registry().model("nano-llava").model_copy(update={"multi_image": True})
    return vlm.open_model(known, BUNDLED / "nano-llava", device="cpu")


@cache
def scenes(count: int) -> Sequence[ImageRef]:
    """Drawn scenes; every third is stretched to twice its width, every third to twice its height,
    since square pictures hide how a picture is fitted."""
    place = backend_cases.root() / f"scenes-{count}"
    place.mkdir()
    rng = np.random.default_rng(4)
    paths = []
    for number in range(count):
        drawn = render(sample_scene(rng)).image
        width, height = drawn.size
        size = ((width, height), (2 * width, height), (width, 2 * height))[number % 3]
        paths.append(place / f"{number:03d}.png")
        drawn.resize(size, Image.Resampling.BILINEAR).save(paths[-1])
    return tuple(ImageRef(sha256(path.read_bytes()).hexdigest(), File(path)) for path in paths)
