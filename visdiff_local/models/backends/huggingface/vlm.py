"""Vision-language models from Hugging Face folders: LLaVA-1.5, LLaVA-NeXT, Qwen2.5-VL, SmolVLM …

Any model that ``AutoModelForImageTextToText`` opens, whose folder has a chat template. Captions,
P(yes) read off the logits, and text about several images at once.

For P(yes) everything up to and including the image is computed once per image, and so is what all
questions begin with; each question then costs its own few tokens. Prompts of one length only share
a batch there, so that nothing is padded in front and the batch has no effect on the numbers.

Pictures: where the processor would crop to the centre, they are padded to a square first, as the
paper's LLaVA had it (``image_aspect_ratio = "pad"``).
"""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from visdiff_local.errors import SelfTestError, UsageError
from visdiff_local.images import decoded
from visdiff_local.models.backends import answers, selftest
from visdiff_local.models.backends.batches import Batches, is_out_of_memory, quiet
from visdiff_local.models.backends.files import DECODING, fingerprint_of, prepared
from visdiff_local.models.backends.huggingface import inputs as vlm_inputs
from visdiff_local.models.backends.huggingface import loading
from visdiff_local.models.backends.huggingface.inputs import Inputs, Wrapped
from visdiff_local.models.specs import UNPLANNED, Fit, ModelSpec
from visdiff_local.protocols import Captioner, FloatArray, ImageProposer, VisualQA
from visdiff_local.types import ImageRef

_BATCH = {"cuda": 16, "cpu": 4}
_QUESTIONS = {"cuda": 32, "cpu": 32}
"""Questions asked at once in a batch; each holds a copy of the image's keys and values."""
_PROPOSAL_TOKENS = 400
_PROPOSAL_TEMPERATURE = 0.7


IMPLEMENTS = (Captioner, VisualQA, ImageProposer)


def fingerprint(spec: ModelSpec, folder: Path) -> str:
    """See :func:`visdiff_local.models.backends.files.fingerprint_of`; imports nothing heavy."""
    return fingerprint_of(
        spec,
        folder,
        images=[loading.IMAGE_BACKEND, DECODING, "pad", vlm_inputs.MOST_PIXELS],
        new_tokens=spec.max_new_tokens,
        proposals=[_PROPOSAL_TOKENS, _PROPOSAL_TEMPERATURE],
    )


def open_model(
    spec: ModelSpec,
    folder: Path,
    *,
    device: str = "auto",
    fit: Fit = UNPLANNED,
    say: Callable[[str], None] = quiet,
) -> "Vlm":
    """Opens the folder and tests the model.

    Args:
        fit: the batch that was planned, where it is less than the backend's own.
        say: is told when a batch is halved for want of memory.

    Raises:
        WeightsError: files are missing, corrupt, or do not fit each other.
        SelfTestError: the model opened and does not do what a VLM must do.
    """
    opened = loading.open_folder(spec, folder, device, _kept_whole)
    model = Vlm(opened, spec, fingerprint(spec, folder), fit, say)
    selftest.once(model.fingerprint, opened.device, lambda: check(model))
    return model


def _kept_whole(_: object) -> list[str]:
    """Vision towers and projectors by the names that the architectures have for them. Quantizing
    them saves little and costs accuracy; a name must be the whole path or it matches nothing."""
    parts = ("vision_tower", "vision_model", "visual", "multi_modal_projector", "connector")
    return ["lm_head", *(f"model.{part}" for part in parts)]


class Vlm:
    """A Captioner, VisualQA and ImageProposer. Build it with :func:`open_model`."""

    def __init__(
        self,
        opened: loading.Opened,
        spec: ModelSpec,
        fingerprint: str,
        fit: Fit = UNPLANNED,
        say: Callable[[str], None] = quiet,
    ) -> None:
        self.fingerprint = fingerprint
        self.opened = opened
        self.make = vlm_inputs.InputMaker(opened)
        self._name = spec.name
        self._multi_image = spec.multi_image
        self._max_new_tokens = spec.max_new_tokens
        self._batches = Batches(_BATCH[opened.device], fit.batch, say)
        self._questions = Batches(_QUESTIONS[opened.device], say=say)
        self.yes_no = answers.answer_ids(*loading.token_coder(opened.tokenizer), ("yes", "no"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()

    # ---- the protocols ---------------------------------------------------------------------------

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        """One text per image, greedy, up to the spec's ``max_new_tokens``."""
        text = self.make.wrap(prompt).whole
        ready = prepared(images, self.make.side, lambda p: self.make.inputs(text, [p]))
        return list(self._batches.run(ready, lambda batch: self._generate(batch)))

    def p_yes(self, images: Sequence[ImageRef], questions: Sequence[str]) -> FloatArray:
        """Float32 (n, m); NaN where neither "yes" nor "no" is at all likely."""
        if not questions:
            return np.zeros((len(images), 0), dtype=np.float32)
        wrapped = [self.make.wrap(question) for question in questions]
        ready = prepared(images, self.make.side, lambda p: self.make.inputs(wrapped[0].head, [p]))
        tails = [self.make.tail_ids(one) for one in wrapped]
        rows = self._batches.run(ready, lambda batch: self._answers(batch, tails))
        return np.array(list(rows), dtype=np.float32).reshape(len(images), len(questions))

    def describe(
        self, groups: Sequence[Sequence[ImageRef]], prompt: str, *, seed: int, grid: bool
    ) -> list[str]:
        """One text a group of images, sampled; each depends on its own images and the seed alone.

        Raises:
            UsageError: several pictures are asked for and the model takes one.
        """
        if not grid and not self._multi_image:
            raise UsageError(
                f"{self._name} takes one image at a time; show it a grid, or choose a model with "
                "multi_image = true"
            )
        texts = []
        for group in groups:
            pictures = [picture for _, picture in decoded(group)]
            shown = [vlm_inputs.grid(pictures)] if grid else pictures
            text = self.make.wrap(prompt, images=len(shown)).whole
            texts += self._generate([self.make.inputs(text, shown)], seed=seed)
        return texts

    # ---- generating ------------------------------------------------------------------------------

    def _generate(self, batch: list[Inputs], *, seed: int | None = None) -> list[str]:
        """Texts (n,); greedy without a seed. Global random state is left as it was."""
        import torch

        inputs = loading.to_device(vlm_inputs.collate(batch, self._pad), self.opened)
        options: dict[str, Any] = {"max_new_tokens": self._max_new_tokens, "do_sample": False}
        if seed is not None:
            options = {
                "max_new_tokens": _PROPOSAL_TOKENS,
                "do_sample": True,
                "temperature": _PROPOSAL_TEMPERATURE,
            }
        devices = [0] if self.opened.device == "cuda" else []
        with torch.inference_mode(), torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed or 0)
            ids = self.opened.model.generate(**inputs, pad_token_id=self._pad, **options)
        new = ids[:, inputs["input_ids"].shape[1] :]
        texts = self.opened.tokenizer.batch_decode(new, skip_special_tokens=True)
        return [text.strip() for text in texts]

    @property
    def _pad(self) -> int:
        return int(self.opened.tokenizer.pad_token_id)

    # ---- P(yes) ----------------------------------------------------------------------------------

    def _answers(self, batch: list[Inputs], tails: list[list[int]]) -> list[FloatArray]:
        """P(yes) of every question: one (m,) an image, in the order of the batch."""
        shared = vlm_inputs.common_start(tails)
        own = [tail[shared:] for tail in tails]
        rows: dict[int, FloatArray] = {}
        for places in vlm_inputs.same_length(batch):
            items = [vlm_inputs.extend(batch[place], tails[0][:shared]) for place in places]
            logits = self._tail_logits(vlm_inputs.collate(items, self._pad), own)
            for place, of_image in zip(places, logits, strict=True):
                rows[place] = answers.probabilities(of_image, self.yes_no)[:, 0]
        return [rows[place] for place in range(len(batch))]

    def _tail_logits(self, prefix: Inputs, tails: list[list[int]]) -> FloatArray:
        """Float32 (images, questions, vocabulary): what follows each question.

        The prefix is run once and its keys and values are repeated for the questions.
        """
        import torch

        with torch.inference_mode():
            done = self.opened.model(
                **loading.to_device(prefix, self.opened), use_cache=True, logits_to_keep=1
            )
        count = prefix["input_ids"].shape[0]
        cache = done.past_key_values
        del done
        per_question = self._questions.run(
            tails, lambda some: self._continued(cache, count, some).swapaxes(0, 1)
        )
        return np.stack(list(per_question), axis=1)

    def _continued(self, cache: Any, count: int, tails: list[list[int]]) -> FloatArray:
        """Float32 (count, len(tails), vocabulary), from a cache that is left as it was.

        Short tails are padded behind, where a causal model does not look.
        """
        import torch

        last = torch.tensor([len(tail) - 1 for tail in tails])
        longest = int(last.max()) + 1
        ids = torch.tensor([tail + [self._pad] * (longest - len(tail)) for tail in tails])
        copied = copy.deepcopy(cache)
        copied.batch_repeat_interleave(len(tails))
        wanted, where = torch.unique(last, return_inverse=True)
        with torch.inference_mode():
            logits = self.opened.model(
                input_ids=ids.repeat(count, 1).to(self.opened.device),
                past_key_values=copied,
                use_cache=True,
                logits_to_keep=wanted.to(self.opened.device),
            ).logits
        rows = logits[torch.arange(len(logits)), where.repeat(count).to(logits.device)]
        return loading.float_rows(rows).reshape(count, len(tails), -1)

    # ---- for the self-test -----------------------------------------------------------------------

    def direct_logits(self, items: list[Inputs]) -> FloatArray:
        """Float32 (n, vocabulary): the next token after whole prompts, padded on the left."""
        import torch

        inputs = loading.to_device(vlm_inputs.collate(items, self._pad), self.opened)
        with torch.inference_mode():
            return loading.float_rows(self.opened.model(**inputs, logits_to_keep=1).logits[:, -1])

    def shared_logits(self, picture: Image.Image, wrapped: list[Wrapped]) -> FloatArray:
        """Float32 (m, vocabulary): the same by way of the shared prefix."""
        tails = [self.make.tail_ids(one) for one in wrapped]
        prefix = vlm_inputs.collate([self.make.inputs(wrapped[0].head, [picture])], self._pad)
        logits: FloatArray = self._tail_logits(prefix, tails)[0]
        return logits


def check(model: Vlm) -> None:
    """The self-test; raises :class:`SelfTestError` that names the likely cause."""
    tokenizer = model.opened.tokenizer
    rows = model.opened.model.get_input_embeddings().weight.shape[0]
    selftest.tokenizer_fits(*loading.token_coder(tokenizer), rows=rows, size=len(tokenizer))
    selftest.yes_and_no(model.yes_no)
    asked = [model.make.wrap(f"is there a {thing}?") for thing in ("dog", "big red dog")]
    first, second = selftest.pictures()
    try:
        items = [
            model.make.inputs(asked[0].whole, [first]),
            model.make.inputs(asked[1].whole, [second]),  # longer: the first one is padded
        ]
        _image_tokens(model, items[0])
        alone = np.concatenate([model.direct_logits([item]) for item in items])
        together = model.direct_logits(items)
        other = model.direct_logits([model.make.inputs(asked[0].whole, [second])])
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise SelfTestError(
            f"the processor and the model do not fit ({error}); likely cause: a processor_config "
            "or preprocessor_config of another model, or an incomplete one"
        ) from error
    selftest.images_matter(alone[0], other[0], "the image tokens are not those of the model")
    tolerance = loading.tolerance(model.opened)
    selftest.padding_is_harmless(alone[0], together[0], tolerance)
    selftest.padding_is_harmless(alone[1], together[1], tolerance)
    by_prefix = model.shared_logits(first, asked)
    if np.abs(by_prefix[0] - alone[0]).max() > tolerance * np.ptp(alone[0]):
        raise SelfTestError(
            "a question asked over a shared prefix gets another answer than asked alone; likely "
            "cause: an architecture whose cache cannot be repeated"
        )


def _image_tokens(model: Vlm, item: Inputs) -> None:
    """The prompt's placeholders are the model's, and as many as it has image vectors."""
    wanted_id = model.opened.model.config.image_token_id
    cause = "patch_size or num_additional_image_tokens in processor_config.json is wrong or missing"
    found = int((item["input_ids"] == wanted_id).sum())
    import torch

    inputs = loading.to_device(item, model.opened)
    known = ("pixel_values", "image_sizes", "image_grid_thw", "pixel_attention_mask")
    seen = {name: inputs[name] for name in known if name in inputs}
    with torch.inference_mode():
        features = model.opened.model.get_image_features(**seen).pooler_output
    vectors = sum(int(np.prod(one.shape[:-1])) for one in features)
    selftest.image_tokens(found, vectors, cause)
