"""A GGUF vision model in this process: a language model and its mmproj, by llama.cpp's mtmd.

Captions, P(yes) read off the logits, text about several images at once; and without an image it is
a language model, so that one open model plays every role but the embedder's.

For P(yes) everything up to and including the image is read once per image; its keys and values are
kept, and each question costs its own tokens. On a CPU each question is read by itself, so that
company changes nothing; on a GPU many are read together over the image that they share.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from visdiff_local.errors import OutOfMemoryError, UsageError
from visdiff_local.images import decoded
from visdiff_local.models.backends import answers, selftest
from visdiff_local.models.backends.batches import quiet
from visdiff_local.models.backends.files import DECODING, opening, prepared, seeded
from visdiff_local.models.backends.llama import mmproj, probe, vision_check
from visdiff_local.models.backends.llama import model as text
from visdiff_local.models.backends.llama.chat import chat_format
from visdiff_local.models.backends.llama.context import Session
from visdiff_local.models.backends.llama.engine import Engine
from visdiff_local.models.backends.llama.image_prefix import ImagePrefix
from visdiff_local.models.backends.llama.image_prompts import ImagePrompts, Shown
from visdiff_local.models.backends.llama.model import LlamaCpp
from visdiff_local.models.backends.llama.mtmd import Mtmd
from visdiff_local.models.backends.llama.sampling import Reply
from visdiff_local.models.backends.pictures import (
    MOST_PIXELS,
    PROPOSAL_TEMPERATURE,
    PROPOSAL_TOKENS,
    as_grid,
    within,
)
from visdiff_local.models.paths import BUNDLED
from visdiff_local.models.specs import UNPLANNED, Fit, ModelSpec
from visdiff_local.protocols import Captioner, FloatArray, ImageProposer, TextModel, VisualQA
from visdiff_local.types import ImageRef

IMPLEMENTS = (Captioner, VisualQA, ImageProposer, TextModel)
Done = TypeVar("Done")


def fingerprint(spec: ModelSpec, folder: Path) -> str:
    """Over both files, and how pictures reach mtmd; imports nothing heavy."""
    return text.fingerprint(
        spec,
        folder,
        mmproj=spec.mmproj,
        images=[DECODING, spec.image_fit, MOST_PIXELS, spec.image_budget, "class token first"],
        new_tokens=spec.max_new_tokens,
        proposals=[PROPOSAL_TOKENS, PROPOSAL_TEMPERATURE],
    )


def open_model(
    spec: ModelSpec,
    folder: Path,
    *,
    device: str = "auto",
    fit: Fit = UNPLANNED,
    say: Callable[[str], None] = quiet,
) -> "LlamaVision":
    """Opens the GGUF and its mmproj, and tests the model.

    Args:
        fit: the sequences that are decoded together, where that is less than the backend's own;
            and how many layers go to the GPU.
        say: is told when less is computed at a time for want of memory.

    Raises:
        WeightsError: a file is missing, damaged, or belongs to another model.
        SelfTestError: the model opened and does not do what a vision model must do.
        UsageError: ``chat`` or ``quantization`` has no meaning here.
    """
    text.refuse_quantization(spec)
    pair = mmproj.pair(spec, folder)
    if not folder.is_relative_to(BUNDLED):
        probe.open_elsewhere(pair.model, pair.mmproj)
    with ExitStack() as on_failure:
        with opening(spec, folder):
            session = Session(
                pair.model,
                context=spec.context,
                device=device,
                most=fit.batch,
                gpu_layers=fit.gpu_layers,
                say=say,
            )
            on_failure.callback(session.close)
            mtmd = Mtmd(
                session, pair.mmproj, budget=spec.image_budget, class_token=pair.class_token
            )
            on_failure.callback(mtmd.close)
        model = LlamaVision(Engine(session), mtmd, spec, fingerprint(spec, folder), pair.side)
        selftest.once(model.fingerprint, device, lambda: vision_check.check(model))
        on_failure.pop_all()
    return model


class LlamaVision(LlamaCpp):
    """A Captioner, VisualQA, ImageProposer and TextModel. Build it with :func:`open_model`.

    Args:
        side: pixels of the vision tower's square.
    """

    def __init__(
        self, engine: Engine, mtmd: Mtmd, spec: ModelSpec, fingerprint: str, side: int
    ) -> None:
        own = spec.chat == "template"
        super().__init__(engine, chat_format(spec, engine.vocabulary), fingerprint, special=own)
        self.mtmd = mtmd
        self.prompts = ImagePrompts(spec, engine.vocabulary)
        self.yes_no = self.option_ids(("yes", "no"))
        self._name = spec.name
        self._multi_image = spec.multi_image
        self._max_new_tokens = spec.max_new_tokens
        self._square = side if spec.image_fit == "squash" else 0
        self._prefix = ImagePrefix(engine.session, mtmd, spec.name)

    def __exit__(self, *_: object) -> None:
        self.mtmd.close()
        super().__exit__(*_)

    # ---- the protocols ---------------------------------------------------------------------------

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        """One text per image, greedy, up to the spec's ``max_new_tokens``."""
        shown = self.prompts.wrap(prompt)
        return [
            self._reply([picture], shown, room=self._max_new_tokens)
            for picture in self._pictures(images)
        ]

    def p_yes(self, images: Sequence[ImageRef], questions: Sequence[str]) -> FloatArray:
        """Float32 (n, m); NaN where neither "yes" nor "no" is at all likely."""
        table = np.full((len(images), len(questions)), np.nan, dtype=np.float32)
        if not questions:
            return table
        wrapped = [self.prompts.wrap(question) for question in questions]
        for row, picture in enumerate(self._pictures(images)):
            logits = self.question_logits(picture, wrapped)
            table[row] = answers.probabilities(logits, self.yes_no)[:, 0]
        return table

    def describe(
        self, groups: Sequence[Sequence[ImageRef]], prompt: str, *, seed: int, grid: bool
    ) -> list[str]:
        """One text a group of images, sampled; each depends on its own images and the seed alone.

        Raises:
            UsageError: several pictures are asked for and the model takes one, or they do not fit
                the context.
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
            texts.append(
                self._reply(
                    [self.fitted(one) for one in shown],
                    self.prompts.wrap(prompt, images=len(shown)),
                    room=PROPOSAL_TOKENS,
                    temperature=PROPOSAL_TEMPERATURE,
                    rng=seeded(seed, prompt),
                )
            )
        return texts

    # ---- pictures --------------------------------------------------------------------------------

    def fitted(self, picture: Image.Image) -> Image.Image:
        """The picture as mtmd is to get it: on the tower's square where ``image_fit`` says so, as
        the processor of such a model has it; else in its own shape, not too large."""
        if self._square:
            size = self._square, self._square
            return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        return within(picture)

    def _pictures(self, images: Sequence[ImageRef]) -> Iterator[Image.Image]:
        return prepared(images, self._square or None, self.fitted)

    # ---- asking ----------------------------------------------------------------------------------

    def _reply(
        self,
        pictures: Sequence[Image.Image],
        shown: Shown,
        *,
        room: int,
        temperature: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> str:
        texts, tail = self._texts(shown), self._tokens(shown.tail)

        def write() -> str:
            reader = Reply(
                self.engine.vocabulary.ends,
                room=room,
                temperature=temperature,
                rng=rng or np.random.default_rng(0),
                grammar=None,
            )
            self._prefix.write(texts, pictures, tail, reader, room)
            return self.engine.vocabulary.text(reader.tokens).strip()

        return self._with_less_memory(write)

    def question_logits(self, picture: Image.Image, wrapped: Sequence[Shown]) -> FloatArray:
        """Float32 (questions, vocabulary): what follows each question about the picture."""
        tails = [self._tokens(one.tail) for one in wrapped]
        rows: dict[int, FloatArray] = {}

        def ask() -> None:
            # Nearly every format says the same before the picture, whatever is asked.
            for head in dict.fromkeys(one.head for one in wrapped):
                places = [place for place, one in enumerate(wrapped) if one.head == head]
                asked = [tails[place] for place in places]
                texts = self._texts(wrapped[places[0]])
                rows.update(zip(places, self._prefix.answers(texts, [picture], asked), strict=True))

        self._with_less_memory(ask)
        return np.stack([rows[place] for place in range(len(wrapped))])

    def _texts(self, shown: Shown) -> list[list[int]]:
        """What stands before each picture, as token ids."""
        first, *others = shown.texts[:-1]
        return [self.text_tokens(first), *map(self._tokens, others)]

    def _tokens(self, said: str) -> list[int]:
        """What stands behind a picture: no begin-of-text token, special ones where the format is
        the model's own."""
        return self.engine.vocabulary.tokenize(said, special=self._special)

    def _with_less_memory(self, work: Callable[[], Done]) -> Done:
        """Done anew, with less computed at a time, where memory ran out meanwhile."""
        while True:
            try:
                return work()
            except OutOfMemoryError:
                if not self.engine.session.shrink():
                    raise
