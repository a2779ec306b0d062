"""Self-tests: does a model that opened also do what its kind must do?

Each check catches one way in which the libraries go wrong without an error: an image that never
reaches the language model, a random model, the preprocessing or the tokenizer of another model,
padding that leaks into the result. They run when a model is opened; a model that passed is not
tested again until its files, its settings or a library change.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from visdiff_local.errors import SelfTestError, VisdiffError
from visdiff_local.models.backends.batches import is_out_of_memory
from visdiff_local.models.backends.files import digest_of, in_short, recall, remember
from visdiff_local.system import foreign

Floats = npt.NDArray[np.float32]
_LIBRARIES = ("torch", "transformers", "bitsandbytes", "open_clip_torch", "llama-cpp-python")


def once(fingerprint: str, device: str, checks: Callable[[], None]) -> None:
    """Runs ``checks`` unless this very model passed them before, on this device.

    Raises:
        SelfTestError: from a check, or because the model failed in one; nothing is remembered then.
    """
    key = digest_of([fingerprint, device, {name: _version(name) for name in _LIBRARIES}])
    note = Path("self-tests") / key
    if recall(note) != "passed":
        _at_work(checks)
        remember(note, "passed")


def _at_work(checks: Callable[[], None]) -> None:
    try:
        checks()
    except (VisdiffError, ImportError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise SelfTestError(
            f"it failed at its first work ({in_short(error)}); likely cause: its settings (*.json) "
            "and its weights do not belong together"
        ) from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def pictures() -> tuple[Image.Image, Image.Image]:
    """Two RGB test pictures, 96 x 96 and 144 x 96 pixels, that nothing would take for the same."""
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, size=(6, 6, 3), dtype=np.uint8)
    stripes = np.zeros((96, 144, 3), dtype=np.uint8)
    stripes[:, ::12] = stripes[:, 1::12] = (255, 230, 0)
    return Image.fromarray(noise).resize((96, 96), Image.Resampling.NEAREST), Image.fromarray(
        stripes
    )


def images_matter(first: Floats, second: Floats, cause: str) -> None:
    """``first`` and ``second``: what the model says (logits, embedding) of two unlike pictures."""
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise SelfTestError(
            "the model's output is not finite; likely cause: a precision that it was not made for "
            '(try quantization = "bf16" or "fp32") or broken weights'
        )
    # A lost image gives the very same numbers; the margin only absorbs rounding in the batch.
    if np.abs(first - second).max() <= 1e-5 * max(1.0, float(np.abs(first).max())):
        raise SelfTestError(f"two unlike images give the same output; likely cause: {cause}")


def image_tokens(found: int, wanted: int, cause: str) -> None:
    """The prompt holds one placeholder for each vector that the vision side delivers."""
    if found != wanted:
        raise SelfTestError(
            f"the prompt holds {found} image tokens where the model delivers {wanted} image "
            f"vectors; likely cause: {cause}"
        )


def padding_is_harmless(alone: Floats, padded: Floats, tolerance: float) -> None:
    """Logits of one prompt alone and beside a longer one, as a share of their own range."""
    spread = float(alone.max() - alone.min()) or 1.0
    worst = float(np.abs(alone - padded).max()) / spread
    if not worst <= tolerance:
        raise SelfTestError(
            f"a prompt's logits change by {worst:.1%} when it is padded in a batch; likely cause: "
            "the tokenizer pads on the right, or the attention mask is not used"
        )


def tokenizer_fits(
    encode: Callable[[str], Sequence[int]],
    decode: Callable[[Sequence[int]], str],
    *,
    rows: int,
    size: int,
) -> None:
    """The tokenizer is the one that the model was trained with, as far as that can be seen.

    Args:
        encode: text to ids; decode: ids to text.
        rows: of the model's embedding table.
        size: the tokenizer's vocabulary. Tables are often padded up, never to twice the size.
    """
    text = "is there a red dog? yes or no"
    ids = list(encode(text))
    other = "the tokenizer files of another model lie in the folder"
    if size > rows or size < rows // 2:
        raise SelfTestError(
            f"the tokenizer knows {size} tokens and the model {rows}; likely cause: {other}"
        )
    if not ids or max(ids) >= rows:
        raise SelfTestError(
            f"the tokenizer gives token {max(ids, default=-1)} where the model knows {rows}; "
            f"likely cause: {other}"
        )
    kept = {word for word in ("yes", "no") if word in decode(ids).lower()}
    if kept != {"yes", "no"}:
        raise SelfTestError(
            f'the tokenizer turns "{text}" into "{decode(ids)}"; likely cause: {other}'
        )


def answer_comes_next(prompt: str) -> None:
    """The model goes on from the prompt with its answer, not with a thought or a channel's name."""
    bare = prompt.rstrip()
    if bare.endswith(("<think>", "<|start|>assistant")):
        raise SelfTestError(
            f"the chat template ends in {bare[-20:]!r}, so that the model's next word is not its "
            "answer; likely cause: a template that opens a thought whatever it is told"
        )


def yes_and_no(options: Sequence[Sequence[int]]) -> None:
    """Both answers have tokens of their own, so that P(yes) can be read off the logits."""
    if any(not ids for ids in options):
        raise SelfTestError(
            'the tokenizer has no token of its own for "yes" or "no"; likely cause: the tokenizer '
            "files of another model lie in the folder"
        )


def weights_are_loaded(
    state: Mapping[str, Any], path: Path, *, limit: int = 8, tolerance: float = 1e-2
) -> None:
    """Spot check that tensors in memory are those in the file, not a random initialisation.

    Args:
        state: the open model's ``state_dict()``, unquantized.
        path: a .safetensors file whose names are (some of) those in ``state``.
        limit: how many tensors are compared, the large ones first.
        tolerance: largest difference as a share of the tensor's largest value (half precision).
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as stored:
        sizes = {
            name: int(np.prod(stored.get_slice(name).get_shape()))
            for name in stored.keys()  # noqa: SIM118 - safe_open has keys() and is no mapping
            if name in state
        }
        names = sorted(sizes, key=lambda name: -sizes[name])[:limit]
        for name in names:
            want = stored.get_tensor(name).float()
            have = state[name].detach().float().cpu()
            far = want.shape != have.shape or bool(
                (want - have).abs().max() > tolerance * want.abs().max().clamp(min=1e-6)
            )
            if far:
                raise SelfTestError(
                    f"{name} in memory is not the one in {path}; likely cause: the weights were "
                    "not loaded and the model is a random one"
                )
    if not names:
        raise SelfTestError(f"{path} holds none of the model's weights; it belongs to another one")


def obeys_json(text: str) -> None:
    """A completion under a JSON grammar parses."""
    try:
        foreign.json_value(text)
    except ValueError as error:
        raise SelfTestError(
            f"a reply under a JSON grammar is not JSON ({text!r}); likely cause: this version of "
            "llama-cpp-python applies grammars in another way"
        ) from error
