"""CLIP, SigLIP and their kin from an open_clip folder: images and texts in one space.

The folder holds ``open_clip_config.json``, weights in safetensors and, where the config names a
Hugging Face tokenizer, that tokenizer's own files. Nothing is taken from outside the folder: not
the preprocessing, not the tokenizer, not the weights.

Texts longer than the model's context (77 tokens in CLIP) are cut by its tokenizer.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from visdiff_local.errors import SelfTestError, UsageError, WeightsError
from visdiff_local.models import domain
from visdiff_local.models.backends import selftest
from visdiff_local.models.backends.batches import Batches, quiet
from visdiff_local.models.backends.files import (
    DECODING,
    SETTINGS,
    dependency,
    fingerprint_of,
    opening,
    pick_device,
    prepared,
    unique,
    weight_files,
)
from visdiff_local.models.specs import UNPLANNED, Fit, ModelSpec
from visdiff_local.protocols import Embedder, FloatArray
from visdiff_local.system import foreign, heap
from visdiff_local.types import ImageRef

CONFIG = "open_clip_config.json"
_BATCH = {"cuda": 128, "cpu": 32}
_PREFERRED = tuple(
    f"{name}.safetensors" for name in ("open_clip_model", "open_clip_pytorch_model", "model")
)
"""What open_clip itself looks for first, in this order."""


IMPLEMENTS = (Embedder,)


def fingerprint(spec: ModelSpec, folder: Path) -> str:
    """See :func:`visdiff_local.models.backends.files.fingerprint_of`; imports nothing heavy."""
    return fingerprint_of(spec, folder, images=DECODING)


def open_model(
    spec: ModelSpec,
    folder: Path,
    *,
    device: str = "auto",
    fit: Fit = UNPLANNED,
    say: Callable[[str], None] = quiet,
) -> "OpenClip":
    """Opens the folder and tests the model.

    Args:
        fit: the batch that was planned, where it is less than the backend's own.
        say: is told when a batch is halved for want of memory.

    Raises:
        WeightsError: files are missing, not the ones expected, or do not fit each other.
        SelfTestError: the model opened and does not do what an embedder must do.
        UsageError: ``quantization`` is one that open_clip does not have.
    """
    if spec.quantization not in ("", "fp32", "fp16", "bf16"):
        raise UsageError(
            f'{spec.name}: open_clip has no quantization "{spec.quantization}"; '
            'set "fp16", "bf16" or "fp32" in models.toml'
        )
    weights = _weights(spec, folder)
    with dependency("open_clip_torch"):
        import open_clip
    place = pick_device(device)
    with opening(spec, folder), _without_pickles(folder, weights) as seen:
        network, preprocess = open_clip.create_model_from_pretrained(
            f"local-dir:{seen}", precision=spec.quantization or "fp32", device=place
        )
        tokenize = open_clip.get_tokenizer(f"local-dir:{seen}", **_tokenizer_options(folder))
    model = OpenClip(
        network.eval(),
        preprocess,
        tokenize,
        fingerprint=fingerprint(spec, folder),
        device=place,
        fit=fit,
        say=say,
        precision=spec.quantization,
    )
    selftest.once(model.fingerprint, place, lambda: check(model, folder, weights))
    return model


def _weights(spec: ModelSpec, folder: Path) -> Path:
    """The file that open_clip will read; raises where that is not the one that was checked."""
    if not (folder / CONFIG).is_file():
        raise WeightsError(
            f"{spec.name}: {folder / CONFIG} is missing; type: visdiff-local models verify "
            f"{spec.name}"
        )
    checked = [path for path in weight_files(spec, folder) if path.suffix == ".safetensors"]
    there = sorted(p.name for p in folder.glob("*.safetensors") if p.name != domain.FILE)
    if not there:
        raise WeightsError(
            f"{spec.name}: {folder} has no weights in safetensors; other formats can run code and "
            "are not opened"
        )
    chosen = next((name for name in _PREFERRED if name in there), there[0] if there else "")
    if chosen not in [path.name for path in checked]:
        raise WeightsError(
            f"{spec.name}: open_clip would read {folder / chosen}, which models.toml does not "
            f"name under files; add it there, or take it out of the folder"
        )
    return folder / chosen


@contextmanager
def _without_pickles(folder: Path, weights: Path) -> Iterator[Path]:
    """The folder as open_clip shall see it: the weights that were checked, and small settings. Of
    its own it would open a .bin or .pth, by a list of names that changes with its version."""
    with tempfile.TemporaryDirectory(prefix="visdiff-clip-") as place:
        seen = Path(place)
        settings = [path for path in folder.iterdir() if path.suffix in SETTINGS]
        for path in (weights, *settings):
            (seen / path.name).symlink_to(path.resolve())
        yield seen


def _tokenizer_options(folder: Path) -> dict[str, bool]:
    """Keeps a Hugging Face tokenizer to the folder's own files; open_clip's own is in its wheel."""
    text = _config(folder).get("model_cfg", {}).get("text_cfg", {})
    return {"local_files_only": True} if text.get("hf_tokenizer_name") else {}


def _config(folder: Path) -> dict[str, Any]:
    return foreign.json_object(foreign.read(folder / CONFIG))


class OpenClip:
    """An :class:`~visdiff_local.protocols.Embedder`. Build it with :func:`open_model`.

    Without a ``precision`` the weights are float32 and CUDA computes in mixed precision.
    """

    def __init__(
        self,
        network: Any,
        preprocess: Callable[[Image.Image], Any],
        tokenize: Callable[[list[str]], Any],
        *,
        fingerprint: str,
        device: str,
        precision: str = "",
        fit: Fit = UNPLANNED,
        say: Callable[[str], None] = quiet,
    ) -> None:
        self.fingerprint = fingerprint
        self.device = device
        self.network = network
        self.preprocess = preprocess
        self.tokenize = tokenize
        self._precision = precision
        self._batches = Batches(_BATCH[device], fit.batch, say)
        self._dimension = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Lets go of the weights, so that the memory is free for the next model."""
        self.network = None
        if self.device == "cuda":
            import torch

            torch.cuda.empty_cache()

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        if not self._dimension:
            self._dimension = int(self.embed_texts([""]).shape[1])
        return self._dimension

    def embed_images(self, images: Sequence[ImageRef]) -> FloatArray:
        """Float32 (n, d), unit length; pictures are decoded and resized ahead, in threads."""
        tensors = prepared(images, max(_image_size(self.network)), self.preprocess)
        with heap.kept() if self.device == "cpu" else nullcontext():
            return self._stacked(list(self._batches.run(tensors, self._image_rows)))

    def embed_pictures(self, pictures: Sequence[Image.Image]) -> FloatArray:
        """As :meth:`embed_images`, of RGB images in memory."""
        tensors = map(self.preprocess, pictures)
        return self._stacked(list(self._batches.run(tensors, self._image_rows)))

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Float32 (n, d), unit length; each distinct text is computed once."""
        return self._stacked(
            unique(list(texts), lambda few: list(self._batches.run(few, self._text_rows)))
        )

    def _image_rows(self, tensors: list[Any]) -> list[FloatArray]:
        import torch

        batch = torch.stack(tensors).to(self.device, self._input_dtype())
        return self._rows(lambda: self.network.encode_image(batch, normalize=False))

    def _text_rows(self, texts: list[str]) -> list[FloatArray]:
        tokens = self.tokenize(texts).to(self.device)
        return self._rows(lambda: self.network.encode_text(tokens, normalize=False))

    def _rows(self, encode: Callable[[], Any]) -> list[FloatArray]:
        import torch

        mixed = self.device == "cuda" and not self._precision
        with torch.inference_mode(), torch.autocast("cuda") if mixed else nullcontext():
            # Normalized in float32: in half precision the length is off by a thousandth.
            rows = torch.nn.functional.normalize(encode().float(), dim=-1)
        return list(rows.cpu().numpy())

    def _stacked(self, rows: list[FloatArray]) -> FloatArray:
        if not rows:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack(rows).astype(np.float32, copy=False)

    def _input_dtype(self) -> Any:
        import torch

        return {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self._precision, torch.float32)


def _image_size(network: Any) -> tuple[int, ...]:
    """(height, width) in pixels that the vision tower takes."""
    size = getattr(network.visual, "image_size", 224)
    return (size, size) if isinstance(size, int) else tuple(size)


def check(model: OpenClip, folder: Path, weights: Path) -> None:
    """The self-test; raises :class:`SelfTestError` that names the likely cause."""
    selftest.weights_are_loaded(model.network.state_dict(), weights)
    first, second = model.embed_pictures(selftest.pictures())
    selftest.images_matter(first, second, "weights that hold no trained vision tower")
    red, dog = model.embed_texts(["a red dog", "two blue birds by the sea"])
    selftest.images_matter(red, dog, "the tokenizer of another model")
    if abs(float(np.linalg.norm(first)) - 1) > 1e-4 or first.shape != red.shape:
        raise SelfTestError("image and text embeddings are not unit vectors of one space")
    _tokenizer_fits(model)
    _preprocessing_is_the_folders(model, folder)


def _tokenizer_fits(model: OpenClip) -> None:
    """Every token has a row in the text tower's embedding table."""
    table = _token_table(model.network)
    if table is None:
        return
    text = "a photo of a red dog, and of 17 other things; is there one?"
    largest = int(model.tokenize([text]).max())
    inner = getattr(model.tokenize, "tokenizer", None)
    size = len(inner) if inner is not None else int(getattr(model.tokenize, "vocab_size", table))
    # SigLIP's tokenizers know a few extra tokens that the tower has no rows for, and never use.
    if largest >= table or not table // 2 <= size <= table * 2:
        raise SelfTestError(
            f"the tokenizer knows {size} tokens and the text tower {table}; likely cause: the "
            "tokenizer files of another model lie in the folder"
        )


def _token_table(network: Any) -> int | None:
    """Rows of the token embedding; None for a text tower that is no open_clip transformer."""
    tower = getattr(network, "text", network)
    table = getattr(tower, "token_embedding", None)
    return None if table is None else int(table.weight.shape[0])


def _preprocessing_is_the_folders(model: OpenClip, folder: Path) -> None:
    """Mean and standard deviation, seen through a black and a white picture, are the config's."""
    wanted = _config(folder).get("preprocess_cfg", {})
    height, width = _image_size(model.network)
    black, white = (
        model.preprocess(Image.new("RGB", (width, height), shade)).numpy()
        for shade in ("black", "white")
    )
    if black.shape != (3, height, width):
        raise SelfTestError(
            f"preprocessing gives {black.shape}, the vision tower takes {(3, height, width)}; "
            f"likely cause: the {CONFIG} of another model"
        )
    scale = 1 / (white - black).mean(axis=(1, 2))
    offset = -black.mean(axis=(1, 2)) * scale
    for name, have in (("mean", offset), ("std", scale)):
        want = wanted.get(name)
        if want is not None and not np.allclose(have, want, atol=1e-3):
            raise SelfTestError(
                f"preprocessing uses {name} {np.round(have, 3).tolist()}, {CONFIG} says {want}; "
                "likely cause: the preprocessing of another model"
            )
