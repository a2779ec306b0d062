"""How a GGUF is spoken to: as it is, as Vicuna was trained, or by the template inside it.

Chat formats are applied here, since the library's own "vicuna" drops the system message and its
fallback is another model's format.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from visdiff_local.errors import UsageError, WeightsError
from visdiff_local.models.backends.answers import answering
from visdiff_local.models.backends.files import defused
from visdiff_local.models.backends.llama.vocab import Vocabulary
from visdiff_local.models.backends.templates import Bounded, RefusedTemplateError
from visdiff_local.models.specs import ModelSpec

VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions. USER: {} ASSISTANT:"
)
CHATS = ("", "vicuna", "template")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says in a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


Chat = Sequence[Turn]


@dataclass(frozen=True, slots=True)
class Asked:
    """A chat to be gone on with. ``tell`` hears the reply so far, again and again."""

    turns: Chat
    tell: Callable[[str], None] | None = None

    @property
    def seed_text(self) -> str:
        """What the reply's random numbers depend on, beside the seed."""
        return "\n\n".join(turn.content for turn in self.turns)


@dataclass(frozen=True, slots=True)
class TokenChances:
    """A token as text, with its log-probability and that of the likeliest tokens there."""

    text: str
    logprob: float
    likeliest: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Generated:
    """A reply. ``ended``: the model ended it; else it was cut. ``tokens``: where asked for."""

    text: str
    prompt_tokens: int | None = None
    """None where the model does not count; so also ``reply_tokens``."""
    reply_tokens: int | None = None
    ended: bool = True
    tokens: tuple[TokenChances, ...] = ()


Format = Callable[[Chat], str]
"""Turns → the text that the model goes on from; raises :class:`UsageError` for what it has not."""


def chat_format(spec: ModelSpec, vocabulary: Vocabulary) -> Format:
    """The format that models.toml names for the model.

    Raises:
        UsageError: it names one that there is not.
        WeightsError: the GGUF has no chat template although one is asked for.
    """
    if spec.chat in ("", "vicuna"):
        frame = "{}" if spec.chat == "" else VICUNA
        return lambda turns: frame.replace("{}", _one_question(spec.name, turns))
    if spec.chat != "template":
        raise UsageError(
            f'{spec.name}: chat = "{spec.chat}" is unknown; choose one of: '
            + ", ".join(f'"{name}"' for name in CHATS)
        )
    return own_template(spec, vocabulary).of_turns


def own_template(spec: ModelSpec, vocabulary: Vocabulary) -> "ChatTemplate":
    """The template inside the GGUF; raises :class:`WeightsError` where there is none."""
    source = vocabulary.chat_template()
    if not source:
        raise WeightsError(
            f'{spec.name}: the GGUF has no chat template; set chat = "vicuna" or "" in models.toml'
        )
    return ChatTemplate(spec.name, source, vocabulary)


def _one_question(name: str, turns: Chat) -> str:
    if any(turn.role == "assistant" for turn in turns):
        raise UsageError(f"{name} has no chat template: ask one question, without earlier replies")
    return "\n\n".join(turn.content for turn in turns)


class ChatTemplate:
    """A GGUF's own Jinja2 template, within the bounds of
    :mod:`visdiff_local.models.backends.templates`.

    It is not told the date (``strftime_now``), which would change prompts every day.

    Raises:
        WeightsError: it cannot be used.
    """

    def __init__(self, name: str, source: str, vocabulary: Vocabulary) -> None:
        self.special = vocabulary.special_tokens()
        self._name = name
        self._ends = vocabulary.special_token("bos"), vocabulary.special_token("eos")
        try:
            self._template = Bounded(source)
        except RefusedTemplateError as error:
            raise WeightsError(f"{name}: the GGUF's chat template: {error}") from error
        self._in_parts = self._wants_parts()

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Up to where the reply begins; raises :class:`RefusedTemplateError`."""
        bos, eos = self._ends
        return answering(
            self._template.render(
                messages=messages,
                add_generation_prompt=True,
                enable_thinking=False,  # templates ignore names that they do not know
                bos_token=bos,
                eos_token=eos,
            )
        )

    def _wants_parts(self) -> bool:
        """Whether a message's content is a list of parts here, as in many vision models' templates:
        they read a plain text letter by letter, and silently leave all of it out."""
        probe = "probing text"

        def shown(content: object) -> bool:
            try:
                return probe in self.render([{"role": "user", "content": content}])
            except RefusedTemplateError:
                return False

        return not shown(probe) and shown([{"type": "text", "text": probe}])

    def of_turns(self, turns: Chat) -> str:
        """Raises :class:`UsageError` for turns that the template refuses."""
        try:
            return self._of_turns(turns)
        except RefusedTemplateError as error:
            why = error
        try:
            return self._of_turns(_without_system(turns))  # some refuse a system message
        except RefusedTemplateError:
            raise UsageError(
                f"{self._name}: its chat template refuses these messages ({why})"
            ) from why

    def _of_turns(self, turns: Chat) -> str:
        texts = [(turn.role, defused(turn.content, self.special)) for turn in turns]
        return self.render(
            [
                {"role": role, "content": [{"type": "text", "text": t}] if self._in_parts else t}
                for role, t in texts
            ]
        )


def _without_system(turns: Chat) -> Chat:
    """What the system says, before what the user says first."""
    system = [turn.content for turn in turns if turn.role == "system"]
    others = [turn for turn in turns if turn.role != "system"]
    if not others or others[0].role != "user":
        return turns
    return [Turn("user", "\n\n".join([*system, others[0].content])), *others[1:]]
