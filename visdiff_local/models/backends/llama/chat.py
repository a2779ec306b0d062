"""How a GGUF is spoken to: as it is, as Vicuna was trained, or by the template inside it.

Chat formats are applied here, since the library's own "vicuna" drops the system message and its
fallback is another model's format.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

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
    source = vocabulary.chat_template()
    if not source:
        raise WeightsError(
            f'{spec.name}: the GGUF has no chat template; set chat = "vicuna" or "" in models.toml'
        )
    return _by_template(spec.name, source, vocabulary)


def _one_question(name: str, turns: Chat) -> str:
    if any(turn.role == "assistant" for turn in turns):
        raise UsageError(f"{name} has no chat template: ask one question, without earlier replies")
    return "\n\n".join(turn.content for turn in turns)


def _by_template(name: str, source: str, vocabulary: Vocabulary) -> Format:
    """By a Jinja2 template, within the bounds of :mod:`visdiff_local.models.backends.templates`.

    It is not told the date (``strftime_now``), which would change prompts every day.
    """
    special = vocabulary.special_tokens()
    try:
        template = Bounded(source)
    except RefusedTemplateError as error:
        raise WeightsError(f"{name}: the GGUF's chat template: {error}") from error

    def render(turns: Chat) -> str:
        return answering(
            template.render(
                messages=[{"role": t.role, "content": defused(t.content, special)} for t in turns],
                add_generation_prompt=True,
                enable_thinking=False,  # templates ignore names that they do not know
                bos_token=vocabulary.special_token("bos"),
                eos_token=vocabulary.special_token("eos"),
            )
        )

    def said(turns: Chat) -> str:
        try:
            return render(turns)
        except RefusedTemplateError as error:
            why = error
        try:
            return render(_without_system(turns))  # some templates refuse a system message
        except RefusedTemplateError:
            raise UsageError(f"{name}: its chat template refuses these messages ({why})") from why

    return said


def _without_system(turns: Chat) -> Chat:
    """What the system says, before what the user says first."""
    system = [turn.content for turn in turns if turn.role == "system"]
    others = [turn for turn in turns if turn.role != "system"]
    if not others or others[0].role != "user":
        return turns
    return [Turn("user", "\n\n".join([*system, others[0].content])), *others[1:]]
