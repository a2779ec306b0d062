"""A GGUF language model in this process, by llama-cpp-python.

Prompts of one call share the computation of what they begin with, and are decoded together; see
:mod:`visdiff_local.backends._llama_engine`. Chat formats are applied here, since the library's own
"vicuna" drops the system message and its fallback is another model's format.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from visdiff_local.backends import _answers, selftest
from visdiff_local.backends._common import (
    defused,
    fingerprint_of,
    opening,
    seeded,
    unique,
    weight_files,
)
from visdiff_local.backends._llama_engine import Engine
from visdiff_local.backends._llama_sampling import MIN_P, Choice, Grammar, Reply, gbnf_of
from visdiff_local.errors import SelfTestError, UsageError, WeightsError
from visdiff_local.protocols import FloatArray
from visdiff_local.specs import ModelSpec

VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions. USER: {} ASSISTANT:"
)
CHATS = ("", "vicuna", "template")


def fingerprint(spec: ModelSpec, folder: Path) -> str:
    """See :func:`visdiff_local.backends._common.fingerprint_of`; imports nothing heavy."""
    return fingerprint_of(spec, folder, chat=spec.chat, min_p=MIN_P)


def open_model(spec: ModelSpec, folder: Path, *, device: str = "auto") -> "LlamaCpp":
    """Opens the GGUF (its first shard) and tests the model.

    Raises:
        WeightsError: it is missing or damaged, or has no chat template although one is asked for.
        SelfTestError: the model opened and does not do what a language model must do.
        UsageError: ``chat`` or ``quantization`` has no meaning here.
    """
    if spec.quantization:
        raise UsageError(
            f"{spec.name}: a GGUF is quantized already; leave quantization out in models.toml"
        )
    shards = [path for path in weight_files(spec, folder) if path.suffix == ".gguf"]
    if not shards:
        raise WeightsError(f"{spec.name}: models.toml names no .gguf file under files")
    with opening(spec, folder):
        engine = Engine(shards[0], context=spec.context, device=device)
    with ExitStack() as on_failure:
        on_failure.callback(engine.close)
        wrap = _chat(spec, engine)
        model = LlamaCpp(engine, wrap, fingerprint(spec, folder), special=spec.chat == "template")
        selftest.once(model.fingerprint, device, lambda: check(model))
        on_failure.pop_all()
    return model


class LlamaCpp:
    """A :class:`~visdiff_local.protocols.TextModel`. Build it with :func:`open_model`."""

    def __init__(
        self, engine: Engine, wrap: Callable[[str], str], fingerprint: str, *, special: bool
    ) -> None:
        self.fingerprint = fingerprint
        self.engine = engine
        self._wrap = wrap
        self._special = special
        self._bos = engine.vocabulary.special_token("bos")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()

    def complete(
        self,
        prompts: Sequence[str],
        *,
        grammar: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 512,
    ) -> list[str]:
        """One reply a prompt, stripped; a reply that is cut at ``max_tokens`` stays cut."""

        def replies(distinct: list[str]) -> list[str]:
            with ExitStack() as open_grammar:
                compiled = (
                    open_grammar.enter_context(self.engine.grammar(gbnf_of(grammar)))
                    if grammar
                    else None
                )
                readers = [
                    Reply(
                        self.engine.vocabulary.ends,
                        room=max_tokens,
                        temperature=temperature,
                        rng=seeded(seed, prompt),
                        grammar=Grammar(self.engine.library, compiled) if compiled else None,
                    )
                    for prompt in distinct
                ]
                self.engine.run([self.tokens(p) for p in distinct], readers, room=max_tokens)
            return [self.engine.vocabulary.text(reader.tokens).strip() for reader in readers]

        return unique(list(prompts), replies)

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """Float32 (n, k): each option as the next word, in any case and spacing.

        Raises:
            UsageError: options that begin with the same token cannot be told apart.
        """
        ids = self.option_ids(options)
        for option, own in zip(options, ids, strict=True):
            if not own:
                raise UsageError(f'no token of this model stands for the option "{option}" alone')

        def shares(distinct: list[str]) -> list[FloatArray]:
            readers = [Choice(ids) for _ in distinct]
            self.engine.run([self.tokens(prompt) for prompt in distinct], readers, room=1)
            return [reader.shares for reader in readers]

        rows = unique(list(prompts), shares)
        return np.array(rows, dtype=np.float32).reshape(len(prompts), len(options))

    def p_yes(self, prompts: Sequence[str]) -> FloatArray:
        """Float32 (n,): P("yes") against "no"."""
        return self.choose(prompts, ("yes", "no"))[:, 0]

    def tokens(self, prompt: str) -> list[int]:
        """The prompt in the model's chat format, as token ids."""
        said = self._wrap(prompt)
        # A template may write the begin-of-text token itself; twice would be once too often.
        start = not (self._special and self._bos and said.startswith(self._bos))
        return self.engine.vocabulary.tokenize(said, start=start, special=self._special)

    def option_ids(self, options: Sequence[str]) -> list[list[int]]:
        """The tokens that stand for each option alone."""
        return _answers.answer_ids(
            self.engine.vocabulary.tokenize, self.engine.vocabulary.text, options
        )


def _chat(spec: ModelSpec, engine: Engine) -> Callable[[str], str]:
    """How a prompt is wrapped: as it is, as Vicuna was trained, or by the GGUF's own template."""
    if spec.chat == "":
        return str
    if spec.chat == "vicuna":
        return VICUNA.format
    if spec.chat != "template":
        raise UsageError(
            f'{spec.name}: chat = "{spec.chat}" is unknown; choose one of: '
            + ", ".join(f'"{name}"' for name in CHATS)
        )
    source = engine.vocabulary.chat_template()
    if not source:
        raise WeightsError(
            f'{spec.name}: the GGUF has no chat template; set chat = "vicuna" or "" in models.toml'
        )
    return _by_template(spec.name, source, engine)


def _by_template(name: str, source: str, engine: Engine) -> Callable[[str], str]:
    """A prompt as the user's turn of the template, which cannot reach out of its sandbox.

    The template is not told the date (``strftime_now``), which would change prompts every day.
    """
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)

    def refuse(why: str) -> None:
        raise TemplateError(why)

    special = engine.vocabulary.special_tokens()
    try:
        template = environment.from_string(source, globals={"raise_exception": refuse})
    except TemplateError as error:
        raise WeightsError(f"{name}: the GGUF's chat template is no Jinja2 ({error})") from error

    def wrap(prompt: str) -> str:
        return template.render(
            messages=[{"role": "user", "content": defused(prompt, special)}],
            add_generation_prompt=True,
            bos_token=engine.vocabulary.special_token("bos"),
            eos_token=engine.vocabulary.special_token("eos"),
        )

    return wrap


def check(model: LlamaCpp) -> None:
    """The self-test; raises :class:`SelfTestError` that names the likely cause."""
    engine = model.engine
    size = engine.vocabulary.size
    selftest.tokenizer_fits(
        engine.vocabulary.tokenize, engine.vocabulary.text, rows=size, size=size
    )
    selftest.yes_and_no(model.option_ids(("yes", "no")))
    prompts = ["Is there a red dog in the picture? Answer:", "Is there a bird? Answer:", "1 2 3"]
    together = model.choose(prompts, ("yes", "no"))
    alone = np.concatenate([model.choose([prompt], ("yes", "no")) for prompt in prompts])
    if not np.allclose(together, alone, atol=0.02, equal_nan=True):
        raise SelfTestError(
            "a prompt gets another answer in company than alone; likely cause: an architecture "
            "whose cache llama.cpp cannot share between sequences"
        )
    schema = '{"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}'
    selftest.obeys_json(model.complete(prompts[:1], grammar=schema, max_tokens=40)[0])
