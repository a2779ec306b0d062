"""Vision-language models from Hugging Face folders: LLaVA, Qwen-VL, Gemma, InternVL, SmolVLM …

Any model that ``AutoModelForImageTextToText`` opens, whose folder has a chat template. Captions,
P(yes) read off the logits, text about several images at once; and without an image it is a
language model, so that one model can play every role but the embedder's.

For P(yes) everything up to and including the image is computed once per image, and so is what all
questions begin with; each question then costs its own few tokens. Prompts of one length only share
a batch there, so that nothing is padded in front and the batch has no effect on the numbers.

Pictures: where the processor would crop to the centre, they are padded to a square first, as the
paper's LLaVA had it (``image_aspect_ratio = "pad"``).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from visdiff_local.errors import UsageError
from visdiff_local.images import decoded
from visdiff_local.models.backends import answers, selftest
from visdiff_local.models.backends.batches import Batches, quiet
from visdiff_local.models.backends.files import (
    DECODING,
    fingerprint_of,
    opening,
    prepared,
    seeded,
    unique,
)
from visdiff_local.models.backends.huggingface import caches, loading
from visdiff_local.models.backends.huggingface import inputs as vlm_inputs
from visdiff_local.models.backends.huggingface.inputs import Inputs, Wrapped
from visdiff_local.models.backends.huggingface.vlm_check import check
from visdiff_local.models.backends.pictures import (
    MOST_PIXELS,
    PROPOSAL_TEMPERATURE,
    PROPOSAL_TOKENS,
    as_grid,
)
from visdiff_local.models.specs import UNPLANNED, Fit, ModelSpec
from visdiff_local.protocols import Captioner, FloatArray, ImageProposer, TextModel, VisualQA
from visdiff_local.types import ImageRef

_BATCH = {"cuda": 16, "cpu": 4}
_QUESTIONS = {"cuda": 32, "cpu": 32}
"""Questions asked at once in a batch; each holds a copy of the image's keys and values."""

IMPLEMENTS = (Captioner, VisualQA, ImageProposer, TextModel)


def fingerprint(spec: ModelSpec, folder: Path) -> str:
    """See :func:`visdiff_local.models.backends.files.fingerprint_of`; imports nothing heavy."""
    return fingerprint_of(
        spec,
        folder,
        images=[loading.image_class(folder), DECODING, "pad", MOST_PIXELS],
        new_tokens=spec.max_new_tokens,
        proposals=[PROPOSAL_TOKENS, PROPOSAL_TEMPERATURE],
        **({"image_budget": spec.image_budget} if spec.image_budget else {}),
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
    with opening(spec, folder):
        model = Vlm(opened, spec, fingerprint(spec, folder), fit, say)
    selftest.once(model.fingerprint, opened.device, lambda: check(model))
    return model


def _kept_whole(_: object) -> list[str]:
    """Vision towers and projectors by the names that the architectures have for them. Quantizing
    them saves little and costs accuracy; a name must be the whole path or it matches nothing."""
    parts = "vision_tower vision_model visual multi_modal_projector connector embed_vision merger"
    return ["lm_head", *(f"model.{part}" for part in parts.split())]


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
        return list(self._batches.run(ready, self._captions))

    def _captions(self, batch: list[Inputs]) -> list[str]:
        texts: dict[int, str] = {}
        for places in vlm_inputs.same_shape(batch, self._kind, length=False):
            said = self._generate([batch[place] for place in places])
            texts.update(zip(places, said, strict=True))
        return [texts[place] for place in range(len(batch))]

    @property
    def _kind(self) -> str:
        return str(self.opened.model.config.model_type)

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
            shown = [as_grid(pictures)] if grid else pictures
            text = self.make.wrap(prompt, images=len(shown)).whole
            texts += self._generate([self.make.inputs(text, shown)], seed=seed)
        return texts

    # ---- generating ------------------------------------------------------------------------------

    def _generate(
        self,
        batch: list[Inputs],
        *,
        seed: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Texts (n,); greedy without a seed. Global random state is left as it was."""
        import torch

        inputs = loading.to_device(vlm_inputs.collate(batch, self._pad), self.opened)
        settings: dict[str, Any] = {"max_new_tokens": self._max_new_tokens, "do_sample": False}
        if seed is not None:
            settings = {
                "max_new_tokens": PROPOSAL_TOKENS,
                "do_sample": True,
                "temperature": PROPOSAL_TEMPERATURE,
            }
        settings |= {**(options or {}), "stopping_criteria": loading.on_the_clock()}
        devices = [0] if self.opened.device == "cuda" else []
        with torch.inference_mode(), torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed or 0)
            ids = self.opened.model.generate(**inputs, pad_token_id=self._pad, **settings)
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
        for places in vlm_inputs.same_shape(batch, self._kind, length=True):
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
                **loading.to_device(prefix, self.opened), use_cache=True, **self._keep(1)
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
        copied = caches.repeated(cache, count, len(tails))
        wanted, where = torch.unique(last, return_inverse=True)
        keep = self._keep(wanted.to(self.opened.device))
        with torch.inference_mode():
            logits = self.opened.model(
                input_ids=ids.repeat(count, 1).to(self.opened.device),
                past_key_values=copied,
                use_cache=True,
                **keep,
            ).logits
        if not keep:  # all rows came, not only those that are wanted
            where = last
        rows = logits[torch.arange(len(logits)), where.repeat(count).to(logits.device)]
        return loading.float_rows(rows).reshape(count, len(tails), -1)

    def _keep(self, rows: Any) -> dict[str, Any]:
        """Which logits are to be computed; a model that cannot be told computes all of them."""
        able = vlm_inputs.forward_takes(self.opened.model, "logits_to_keep")
        return {"logits_to_keep": rows} if able else {}

    # ---- as a language model ---------------------------------------------------------------------

    def complete(
        self,
        prompts: Sequence[str],
        *,
        grammar: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 512,
    ) -> list[str]:
        """One reply a prompt, each by itself, so that company changes nothing.

        Raises:
            UsageError: a grammar is given, which transformers cannot hold a model to.
        """
        if grammar is not None:
            raise UsageError(f"{self._name} cannot be held to a grammar; use a GGUF as llm")

        def replies(distinct: list[str]) -> list[str]:
            return [
                self._generate(
                    [self.make.text_inputs(self.make.wrap(prompt, images=0))],
                    seed=text_seed(seed, prompt) if temperature > 0 else None,
                    options={"max_new_tokens": max_tokens}
                    | ({"temperature": temperature} if temperature > 0 else {}),
                )[0]
                for prompt in distinct
            ]

        return unique(list(prompts), replies)

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """Float32 (n, k): each option as the next word, in any case and spacing."""
        ids = answers.answer_ids(*loading.token_coder(self.opened.tokenizer), options)

        def shares(distinct: list[str]) -> list[FloatArray]:
            rows = []
            for prompt in distinct:
                inputs = self.make.text_inputs(self.make.wrap(prompt, images=0))
                rows.append(answers.probabilities(self.direct_logits([inputs]), ids)[0])
            return rows

        found = unique(list(prompts), shares)
        return np.array(found, dtype=np.float32).reshape(len(prompts), len(options))

    def text_p_yes(self, prompts: Sequence[str]) -> FloatArray:
        """Float32 (n,): P("yes") against "no"."""
        return self.choose(prompts, ("yes", "no"))[:, 0]

    # ---- for the self-test -----------------------------------------------------------------------

    def direct_logits(self, items: list[Inputs]) -> FloatArray:
        """Float32 (n, vocabulary): the next token after whole prompts, padded on the left."""
        import torch

        rows: dict[int, FloatArray] = {}
        for places in vlm_inputs.same_shape(items, self._kind, length=False):
            batch = vlm_inputs.collate([items[place] for place in places], self._pad)
            with torch.inference_mode():
                inputs = loading.to_device(batch, self.opened)
                logits = self.opened.model(**inputs, **self._keep(1)).logits
            rows.update(zip(places, loading.float_rows(logits[:, -1]), strict=True))
        return np.stack([rows[place] for place in range(len(items))])

    def shared_logits(self, pictures: Sequence[Image.Image], wrapped: list[Wrapped]) -> FloatArray:
        """Float32 (n, m, vocabulary): the same by way of the prefix that questions share."""
        tails = [self.make.tail_ids(one) for one in wrapped]
        items = [self.make.inputs(wrapped[0].head, [picture]) for picture in pictures]
        rows: dict[int, FloatArray] = {}
        for places in vlm_inputs.same_shape(items, self._kind, length=True):
            prefix = vlm_inputs.collate([items[place] for place in places], self._pad)
            rows.update(zip(places, self._tail_logits(prefix, tails), strict=True))
        return np.stack([rows[place] for place in range(len(items))])


def text_seed(seed: int, prompt: str) -> int:
    """Of a prompt's random numbers: by the seed and the prompt, not by what else is asked."""
    return int(seeded(seed, prompt).integers(2**31))
