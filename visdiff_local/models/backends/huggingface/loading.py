"""Hugging Face models: opening a folder, quantizing, answers read off the logits.

Shared by the BLIP-2 and the VLM backend. transformers 5 is spoken to here and there only.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from visdiff_local.errors import MissingDependencyError, UsageError, WeightsError
from visdiff_local.models.backends.files import dependency, opening, pick_device, weight_files
from visdiff_local.models.specs import ModelSpec
from visdiff_local.protocols import FloatArray
from visdiff_local.system import clock, foreign

IMAGE_BACKEND = "pil"
"""Pinned, since torchvision resizes to slightly other pixels; part of the fingerprint."""


WIDE = ("gemma", "t5gemma")
"""Kinds of models whose activations go beyond what float16 holds (65,504)."""
_PIL_CLASS = re.compile(r"^class (\w+Pil)\b", re.MULTILINE)


@cache
def _pil_classes() -> frozenset[str]:
    """The image processors that this transformers has for Pillow, read from its files: importing it
    takes seconds, and a fingerprint must not."""
    spec = find_spec("transformers")
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        return frozenset()
    files = Path(next(iter(folders))).glob("models/*/image_processing_pil_*.py")
    return frozenset(
        name for file in files for name in _PIL_CLASS.findall(file.read_text(encoding="utf-8"))
    )


def image_class(folder: Path) -> str:
    """What prepares this folder's pictures, for fingerprints: :data:`IMAGE_BACKEND`, or the name of
    the class where transformers has none for Pillow and silently takes torchvision's."""
    named = ""
    for file in ("processor_config.json", "preprocessor_config.json"):
        with suppress(OSError, ValueError):
            told = foreign.json_value(foreign.read(folder / file))
            if isinstance(told, dict):
                inner = told.get("image_processor", told)
                named = named or str(inner.get("image_processor_type", ""))
    base = named.removesuffix("Fast").removesuffix("Pil")
    known = _pil_classes()
    return IMAGE_BACKEND if not base or not known or f"{base}Pil" in known else base


@dataclass
class Opened:
    """An open model with its processor; ``dtype`` is what it computes in."""

    model: Any
    processor: Any
    device: str
    dtype: Any

    @property
    def tokenizer(self) -> Any:
        return self.processor.tokenizer

    def close(self) -> None:
        """Lets go of the weights, so that the memory is free for the next model."""
        self.model = None
        if self.device == "cuda":
            import torch

            torch.cuda.empty_cache()


def open_folder(
    spec: ModelSpec, folder: Path, device: str, whole: Callable[[Any], list[str]]
) -> Opened:
    """Opens model and processor from the folder alone.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        whole: config → names of the modules that are not quantized.

    Raises:
        WeightsError: files are missing or corrupt, or do not fit the model.
        MissingDependencyError: transformers, torch or bitsandbytes is not installed.
    """
    weight_files(spec, folder)
    with dependency("transformers"):
        import transformers
    place = pick_device(device)
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with opening(spec, folder), _quiet():
        config = transformers.AutoConfig.from_pretrained(folder, **local)
        dtype = _dtype(spec, place, str(config.model_type))
        processor = _processor(transformers, folder, local)
        # Named here and not above, where a video processor would be asked for it and has none.
        processor.image_processor = transformers.AutoImageProcessor.from_pretrained(
            folder, backend=IMAGE_BACKEND, **local
        )
        _same_class(spec, folder, type(processor.image_processor).__name__)
        if spec.image_budget:
            _budget(spec, processor.image_processor)
        model, loading = transformers.AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": 0 if place == "cuda" else "cpu"},
            quantization_config=_quantization(spec, dtype, whole(config)),
            use_safetensors=True,
            output_loading_info=True,
            **local,
        )
    absent = sorted(loading["missing_keys"]) + sorted(map(str, loading["mismatched_keys"]))
    if absent:
        raise WeightsError(
            f"{spec.name}: {len(absent)} tensors are not in {folder}, the first is {absent[0]}; "
            f"type: visdiff-local models verify {spec.name}"
        )
    processor.tokenizer.padding_side = "left"
    if processor.tokenizer.pad_token_id is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return Opened(model.eval(), processor, place, dtype)


def _processor(transformers: Any, folder: Path, local: dict[str, Any]) -> Any:
    """Raises :class:`MissingDependencyError` where the family's own processor needs a package."""
    try:
        return transformers.AutoProcessor.from_pretrained(folder, **local)
    except ImportError as error:
        extra = "smolvlm" if "num2words" in str(error) else "dev"
        raise MissingDependencyError(
            f"{folder}: its processor needs a package that is not installed "
            f"({' '.join(str(error).split())}); type: pip install 'visdiff_local[{extra}]'"
        ) from error


def _same_class(spec: ModelSpec, folder: Path, used: str) -> None:
    """The class in use is the one that the fingerprint names."""
    expected = image_class(folder)
    by_pillow = used.endswith("Pil")
    if by_pillow != (expected == IMAGE_BACKEND):
        raise WeightsError(
            f"{spec.name}: pictures are prepared by {used}, where its files name {expected}; this "
            "version of transformers has another class for them (type: visdiff-local doctor)"
        )


def _budget(spec: ModelSpec, images: Any) -> None:
    """Sets how many tokens a picture may become, under the name that the processor has for it.

    Raises:
        UsageError: it has none.
    """
    if hasattr(images, "max_soft_tokens"):  # Gemma 4
        images.max_soft_tokens = spec.image_budget
    elif hasattr(images, "max_image_tokens"):  # LFM2-VL
        images.max_image_tokens = spec.image_budget
    elif hasattr(images, "merge_size") and hasattr(images, "patch_size"):  # Qwen-VL
        most = spec.image_budget * (images.patch_size * images.merge_size) ** 2
        shortest = min(int(images.size["shortest_edge"]), most)
        images.size = {"shortest_edge": shortest, "longest_edge": most}
    else:
        raise UsageError(
            f"{spec.name}: {type(images).__name__} has no image budget; leave image_budget out in "
            "models.toml"
        )


def _dtype(spec: ModelSpec, device: str, kind: str) -> Any:
    """What the unquantized parts compute in: half precision on CUDA, float32 on a CPU.

    Args:
        kind: the configuration's ``model_type``.

    Raises:
        UsageError: models.toml asks for one in which a model of this kind says nothing.
    """
    import torch

    wide = kind.startswith(WIDE)
    if wide and spec.quantization in ("fp16", "int8"):
        raise UsageError(
            f"{spec.name}: a {kind} overflows in 16-bit floats with a small exponent, which "
            f'{spec.quantization} computes in, and its text is empty; set quantization = "nf4", '
            '"bf16" or "fp32" in models.toml'
        )
    named = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if spec.quantization in named:
        return named[spec.quantization]
    if spec.quantization == "int8":
        return torch.float16  # what bitsandbytes multiplies in, whatever it is handed
    if device == "cpu":
        return torch.float32
    # bfloat16 where the GPU has it: FLAN-T5 overflows in float16.
    if torch.cuda.is_bf16_supported(False):
        return torch.bfloat16
    return torch.float32 if wide else torch.float16


def _quantization(spec: ModelSpec, dtype: Any, whole: list[str]) -> Any:
    """The bitsandbytes configuration; None where the weights stay as they are."""
    if spec.quantization not in ("nf4", "int8"):
        return None
    with dependency("bitsandbytes"):
        import bitsandbytes  # noqa: F401 - transformers imports it later, with a worse message
    from transformers import BitsAndBytesConfig

    if spec.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=whole)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_use_double_quant=True,
        llm_int8_skip_modules=whole,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars or advice from transformers while a model is opened."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def token_coder(tokenizer: Any) -> tuple[Callable[[str], Sequence[int]], Callable[..., str]]:
    """``encode`` without special tokens and ``decode`` of a Hugging Face tokenizer."""

    def encode(text: str) -> Sequence[int]:
        ids: Sequence[int] = tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids)))

    return encode, decode


def to_device(inputs: Any, opened: Opened) -> dict[str, Any]:
    """A processor's output on the device; pixels in the model's dtype, ids as they are."""
    return {
        name: value.to(opened.device, opened.dtype)
        if value.is_floating_point()
        else value.to(opened.device)
        for name, value in inputs.items()
    }


def squared(image: Image.Image, mean: Sequence[float]) -> Image.Image:
    """The picture centred on a square of the normalisation's mean colour ("pad" in LLaVA).

    Haotian Liu et al., LLaVA-1.5, `image_aspect_ratio = "pad"`: nothing is cropped away.

    Args:
        mean: of red, green, blue, 0 … 1.
    """
    width, height = image.size
    if width == height:
        return image
    side = max(width, height)
    red, green, blue = (int(value * 255) for value in mean)
    square = Image.new("RGB", (side, side), (red, green, blue))
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    return square


def float_rows(logits: Any) -> FloatArray:
    """A torch tensor as a float32 array on the CPU."""
    rows: FloatArray = logits.float().cpu().numpy()
    return rows


def tolerance(opened: Opened) -> float:
    """How far the same logits may lie apart in two batches, as a share of their range."""
    import torch

    quantized = getattr(opened.model, "is_quantized", False)
    return 1e-3 if opened.dtype == torch.float32 and not quantized else 0.1


def on_the_clock() -> Any:
    """Criteria for ``generate`` that stop nothing, and raise where nobody waits any more."""
    import torch
    from transformers import StoppingCriteriaList

    def look(ids: Any, _: Any, **__: Any) -> Any:
        clock.check()
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    return StoppingCriteriaList([look])
