"""Prompts about pictures in a GGUF's chat format, cut where the pictures stand.

Templates write a placeholder for a picture (``<image>``, ``<|vision_start|><|image_pad|>…``); mtmd
writes the tokens around a picture itself. So what the template puts there is found by rendering it
with and without a picture, and the picture takes the place of its tags; a line break that the model
was trained with stays. Where a template knows no pictures, they come before the text, a line each,
as in llama.cpp's own server.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from visdiff_local.errors import UsageError, WeightsError
from visdiff_local.models.backends.files import defused
from visdiff_local.models.backends.llama.chat import CHATS, VICUNA, ChatTemplate, own_template
from visdiff_local.models.backends.llama.vocab import Vocabulary
from visdiff_local.models.backends.templates import RefusedTemplateError
from visdiff_local.models.specs import ModelSpec

_MARK = "<__media__>"
_PROBE = "probing text"
_TAGS = re.compile(r"(<[^<>\s]+>|\[[A-Z_/]+\])(.*(<[^<>\s]+>|\[[A-Z_/]+\]))?", re.DOTALL)
"""From the first tag to the last."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A prompt cut at its pictures: one text more than there are pictures."""

    texts: tuple[str, ...]

    @property
    def head(self) -> str:
        """Before the first picture."""
        return self.texts[0]

    @property
    def tail(self) -> str:
        """Behind the last picture, up to where the reply begins."""
        return self.texts[-1]


class ImagePrompts:
    """Wraps texts about pictures for one open model.

    Raises:
        UsageError: ``chat`` names a format that there is not.
        WeightsError: the template shows neither a picture nor the text.
    """

    def __init__(self, spec: ModelSpec, vocabulary: Vocabulary) -> None:
        if spec.chat not in CHATS:
            raise UsageError(
                f'{spec.name}: chat = "{spec.chat}" is unknown; choose one of: '
                + ", ".join(f'"{name}"' for name in CHATS)
            )
        self._name = spec.name
        self._frame = VICUNA if spec.chat == "vicuna" else "{}"
        self._template = own_template(spec, vocabulary) if spec.chat == "template" else None
        self._mark = (self._template and self._placeholder(self._template)) or _MARK
        self._by_parts = self._mark != _MARK
        self._special = [*vocabulary.special_tokens(), _MARK, *_tags(self._mark)]

    def wrap(self, text: str, *, images: int = 1) -> Shown:
        """``text`` behind ``images`` pictures, in the model's chat format."""
        clean = defused(text, self._special)
        if self._template is None:
            said = self._frame.replace("{}", f"{_MARK}\n" * images + clean)
        else:
            said = self._rendered(self._template, clean, images)
        texts = said.split(self._mark)
        if len(texts) != images + 1 or clean not in texts[-1]:
            raise WeightsError(
                f"{self._name}: the GGUF's chat template does not show {images} pictures and the "
                'text behind them; set chat = "vicuna" or "" in models.toml, or use another GGUF'
            )
        return Shown(tuple(texts))

    def _rendered(self, template: ChatTemplate, clean: str, images: int) -> str:
        content: Any = _parts(clean, images) if self._by_parts else f"{_MARK}\n" * images + clean
        try:
            return template.render([{"role": "user", "content": content}])
        except RefusedTemplateError as error:
            raise WeightsError(
                f"{self._name}: the GGUF's chat template refuses a question about a picture "
                f"({error})"
            ) from error

    def _placeholder(self, template: ChatTemplate) -> str:
        """What the template writes for a picture, its first tag to its last; empty where it shows
        none, or takes no message in parts."""
        try:
            without, shown = (
                template.render([{"role": "user", "content": _parts(_PROBE, count)}])
                for count in (0, 1)
            )
        except RefusedTemplateError:
            return ""
        if _PROBE not in without or _PROBE not in shown:
            return ""
        start = _alike(without, shown)
        end = _alike(without[start:][::-1], shown[start:][::-1])
        found = _TAGS.search(shown[start : len(shown) - end])
        return found[0] if found else ""


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def _parts(text: str, images: int) -> list[dict[str, str]]:
    return [*[{"type": "image"}] * images, {"type": "text", "text": text}]


def _tags(mark: str) -> Sequence[str]:
    """The tags of a placeholder, each of which a user's text must not hold."""
    return re.findall(r"<[^<>\s]+>|\[[A-Z_/]+\]", mark)
