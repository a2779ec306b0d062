"""BLIP-2 (OPT and T5): captions, P(yes), and the paper's feature-difference proposer.

Junnan Li et al., "BLIP-2", ICML 2023. Prompts are plain text; an empty one asks for a caption.

Two traps of the processor are closed here. Without ``num_query_tokens`` it emits no image tokens
and the model then ignores the image, without a word; and a literal ``<image>`` in a prompt would
be taken for one more image.
"""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from visdiff_local.errors import WeightsError
from visdiff_local.models.backends import answers, selftest
from visdiff_local.models.backends.batches import Batches, quiet
from visdiff_local.models.backends.files import (
    DECODING,
    defused,
    fingerprint_of,
    opening,
    prepared,
)
from visdiff_local.models.backends.huggingface import loading
from visdiff_local.models.specs import UNPLANNED, Fit, ModelSpec
from visdiff_local.protocols import Captioner, FeatureProposer, FloatArray, VisualQA
from visdiff_local.types import ImageRef

_BATCH = {"cuda": 64, "cpu": 8}
_FEATURE_TOKENS = 30
_FEATURE_TOP_P = 0.9
"""As the original code of VisDiff samples from the feature difference (temperature 1)."""


IMPLEMENTS = (Captioner, VisualQA, FeatureProposer)


def fingerprint(spec: ModelSpec, folder: Path) -> str:
    """See :func:`visdiff_local.models.backends.files.fingerprint_of`; imports nothing heavy."""
    return fingerprint_of(
        spec,
        folder,
        images=[loading.IMAGE_BACKEND, DECODING],
        new_tokens=spec.max_new_tokens,
    )


def open_model(
    spec: ModelSpec,
    folder: Path,
    *,
    device: str = "auto",
    fit: Fit = UNPLANNED,
    say: Callable[[str], None] = quiet,
) -> "Blip2":
    """Opens a BLIP-2 folder and tests the model.

    Args:
        fit: the batch that was planned, where it is less than the backend's own.
        say: is told when a batch is halved for want of memory.

    Raises:
        WeightsError: files are missing, corrupt, or not BLIP-2.
        SelfTestError: the model opened and does not do what a BLIP-2 must do.
    """
    opened = loading.open_folder(
        spec, folder, device, lambda _: ["qformer", "vision_model", "lm_head"]
    )
    if opened.model.config.model_type != "blip-2":
        raise WeightsError(
            f"{spec.name}: {folder} holds a {opened.model.config.model_type} model, not BLIP-2; "
            'set backend = "vlm" in models.toml'
        )
    with opening(spec, folder):
        model = Blip2(opened, spec, fingerprint(spec, folder), fit, say)
    selftest.once(model.fingerprint, opened.device, lambda: check(model))
    return model


class Blip2:
    """A Captioner, VisualQA and FeatureProposer. Build it with :func:`open_model`."""

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
        self._max_new_tokens = spec.max_new_tokens
        self._batches = Batches(_BATCH[opened.device], fit.batch, say)
        coder = loading.token_coder(opened.tokenizer)
        self._yes_no = answers.answer_ids(*coder, ("yes", "no"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()

    # ---- the protocols ---------------------------------------------------------------------------

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        """One text per image; greedy, or as the folder's generation_config says (beams)."""
        tokens = self._text(prompt)

        def work(pixels: list[Any]) -> list[str]:
            features = self._features(self._vision(pixels))
            return self._generate(features, tokens, do_sample=False)

        return list(self._batches.run(self._pixels(images), work))

    def p_yes(self, images: Sequence[ImageRef], questions: Sequence[str]) -> FloatArray:
        """Float32 (n, m); NaN where neither "yes" nor "no" is at all likely."""
        wrapped = [self._text(as_question(question)) for question in questions]

        def work(pixels: list[Any]) -> list[FloatArray]:
            features = self._features(self._vision(pixels))
            columns = [
                answers.probabilities(self._next_logits(features, tokens), self._yes_no)[:, 0]
                for tokens in wrapped
            ]
            return list(np.stack(columns, axis=1))

        if not questions:
            return np.zeros((len(images), 0), dtype=np.float32)
        rows = list(self._batches.run(self._pixels(images), work))
        return np.array(rows, dtype=np.float32).reshape(len(images), len(questions))

    def describe_difference(
        self, a: Sequence[ImageRef], b: Sequence[ImageRef], *, samples: int, seed: int
    ) -> list[str]:
        """``samples`` texts sampled (nucleus 0.9) from mean features of A minus those of B.

        The means are of the vision encoder's output, all patches; the difference takes the place of
        an image before the Q-Former (VisDiff, section 4.1). Global random state is left as it was.
        """
        import torch

        difference = self._mean_vision(a) - self._mean_vision(b)
        features = self._features(difference.to(self.opened.device, self.opened.dtype)[None])
        devices = [0] if self.opened.device == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            return self._generate(
                features.expand(samples, -1, -1),
                self._text(""),
                do_sample=True,
                num_beams=1,
                top_p=_FEATURE_TOP_P,
                top_k=0,
                temperature=1.0,
                max_new_tokens=_FEATURE_TOKENS,
            )

    # ---- images ----------------------------------------------------------------------------------

    def _pixels(self, images: Sequence[ImageRef]) -> Any:
        size = self.opened.model.config.vision_config.image_size
        return prepared(images, size, self.preprocess)

    def preprocess(self, picture: Image.Image) -> Any:
        """An RGB picture → float32 tensor (3, side, side), as the folder's config says."""
        return self.opened.processor.image_processor(picture, return_tensors="pt").pixel_values[0]

    def _vision(self, pixels: list[Any]) -> Any:
        """Patch features (n, patches + 1, width) of the vision encoder."""
        import torch

        batch = torch.stack(pixels).to(self.opened.device, self.opened.dtype)
        with torch.inference_mode():
            return self.opened.model.vision_model(batch).last_hidden_state

    def _mean_vision(self, images: Sequence[ImageRef]) -> Any:
        """Float64 (patches + 1, width): summed in double so that the batch size has no effect."""
        rows = self._batches.run(
            self._pixels(images), lambda pixels: self._vision(pixels).double().cpu()
        )
        return sum(rows) / len(images)

    def _features(self, vision: Any) -> Any:
        """Patch features → (n, query tokens, width of the language model)."""
        import torch

        model = self.opened.model
        with torch.inference_mode():
            queries = model.qformer(
                query_embeds=model.query_tokens.expand(len(vision), -1, -1),
                encoder_hidden_states=vision,
            ).last_hidden_state
            # The Q-Former stays in float32 in every precision.
            return model.language_projection(queries.to(vision.dtype))

    # ---- text ------------------------------------------------------------------------------------

    def _text(self, prompt: str) -> Any:
        """Token ids (1, length): one placeholder a query token, then the prompt."""
        processor = self.opened.processor
        blank = Image.new("RGB", (8, 8))
        clean = defused(prompt, [*self.opened.tokenizer.all_special_tokens, "<image>"])
        return processor(images=blank, text=clean, return_tensors="pt").input_ids

    def image_token_count(self) -> int:
        """Placeholders that the processor puts into a prompt."""
        image_token = self.opened.model.config.image_token_index
        return int((self._text("") == image_token).sum())

    def _embedded(self, features: Any, tokens: Any) -> dict[str, Any]:
        """The language model's inputs: the features in place of the placeholders."""
        import torch

        model = self.opened.model
        ids = tokens.to(self.opened.device).expand(len(features), -1)
        with torch.inference_mode():
            embedded = model.get_input_embeddings()(ids)
            places = (ids == model.config.image_token_index)[..., None].expand_as(embedded)
            embedded = embedded.masked_scatter(places, features.to(embedded.dtype))
        return {"inputs_embeds": embedded, "attention_mask": torch.ones_like(ids)}

    def _generate(self, features: Any, tokens: Any, **options: Any) -> list[str]:
        """Texts (n,); ``options`` go over those of the folder's generation_config."""
        import torch

        settings = copy.deepcopy(self.opened.model.generation_config)
        settings.update(**{"max_new_tokens": self._max_new_tokens, **options})
        with torch.inference_mode():
            ids = self.opened.model.language_model.generate(
                **self._embedded(features, tokens),
                generation_config=settings,
                stopping_criteria=loading.on_the_clock(),
            )
        texts = self.opened.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _next_logits(self, features: Any, tokens: Any) -> FloatArray:
        """Float32 (n, vocabulary): logits of the first word of the reply."""
        import torch

        model = self.opened.model
        inputs = self._embedded(features, tokens)
        with torch.inference_mode():
            if model.config.use_decoder_only_language_model:
                logits = model.language_model(**inputs, logits_to_keep=1).logits
            else:
                start = model.config.text_config.decoder_start_token_id
                first = torch.full((len(features), 1), start, device=self.opened.device)
                logits = model.language_model(**inputs, decoder_input_ids=first).logits
        return loading.float_rows(logits[:, -1])

    def logits_of(self, pictures: Sequence[Image.Image], prompt: str) -> FloatArray:
        """Float32 (n, vocabulary): what follows the prompt; for the self-test."""
        features = self._features(self._vision([self.preprocess(p) for p in pictures]))
        return self._next_logits(features, self._text(prompt))


def as_question(question: str) -> str:
    """BLIP-2's own frame, unless the question stands in it already."""
    framed = question.rstrip().endswith("Answer:")
    return question if framed else f"Question: {question} Answer:"


def check(model: Blip2) -> None:
    """The self-test; raises :class:`SelfTestError` that names the likely cause."""
    network, tokenizer = model.opened.model, model.opened.tokenizer
    cause = "the processor's num_query_tokens is missing or that of another model"
    selftest.image_tokens(model.image_token_count(), network.config.num_query_tokens, cause)
    rows = network.get_input_embeddings().weight.shape[0]
    selftest.tokenizer_fits(*loading.token_coder(tokenizer), rows=rows, size=len(tokenizer))
    selftest.yes_and_no(model._yes_no)
    both = selftest.pictures()
    together = model.logits_of(both, as_question("is there a dog?"))
    selftest.images_matter(together[0], together[1], "an image that does not reach the Q-Former")
    alone = model.logits_of(both[:1], as_question("is there a dog?"))
    selftest.padding_is_harmless(alone[0], together[0], loading.tolerance(model.opened))
