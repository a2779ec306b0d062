"""A GGUF language model in this process, by llama-cpp-python.

Prompts of one call share the computation of what they begin with, and are decoded together; see
:mod:`visdiff_local.models.backends.llama.engine`. Where memory runs out meanwhile, less is
computed at a time and the call is made again.
"""

import codecs
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from visdiff_local.errors import OutOfMemoryError, SelfTestError, UsageError, WeightsError
from visdiff_local.models.backends import answers, selftest
from visdiff_local.models.backends.batches import quiet
from visdiff_local.models.backends.files import (
    fingerprint_of,
    opening,
    seeded,
    unique,
    weight_files,
)
from visdiff_local.models.backends.llama import header, mmproj, probe
from visdiff_local.models.backends.llama.chat import (
    Asked,
    Chat,
    Format,
    Generated,
    TokenChances,
    Turn,
    chat_format,
)
from visdiff_local.models.backends.llama.context import Session
from visdiff_local.models.backends.llama.engine import Engine
from visdiff_local.models.backends.llama.prefixes import Reader
from visdiff_local.models.backends.llama.sampling import (
    MIN_P,
    Chances,
    Choice,
    Grammar,
    Next,
    Reply,
    gbnf_of,
)
from visdiff_local.models.paths import BUNDLED
from visdiff_local.models.specs import UNPLANNED, Fit, ModelSpec
from visdiff_local.protocols import FloatArray, TextModel

AnyReader = TypeVar("AnyReader", bound=Reader)


IMPLEMENTS = (TextModel,)


def fingerprint(spec: ModelSpec, folder: Path, **more: object) -> str:
    """See :func:`visdiff_local.models.backends.files.fingerprint_of`; imports nothing heavy.

    Args:
        more: settings of a model that sees pictures, too.
    """
    return fingerprint_of(spec, folder, chat=spec.chat, min_p=MIN_P, **more)


def open_model(
    spec: ModelSpec,
    folder: Path,
    *,
    device: str = "auto",
    fit: Fit = UNPLANNED,
    say: Callable[[str], None] = quiet,
) -> "LlamaCpp":
    """Opens the GGUF (its first shard) and tests the model.

    Args:
        fit: the sequences that are decoded together, where that is less than the backend's own;
            and how many layers go to the GPU.
        say: is told when less is computed at a time for want of memory.

    Raises:
        WeightsError: it is missing or damaged, or has no chat template although one is asked for.
        SelfTestError: the model opened and does not do what a language model must do.
        UsageError: ``chat`` or ``quantization`` has no meaning here.
    """
    refuse_quantization(spec)
    files = [path for path in weight_files(spec, folder) if path.suffix == ".gguf"]
    shards = [path for path in files if not mmproj.is_mmproj(header.check(path))]
    if not shards:
        raise WeightsError(f"{spec.name}: models.toml names no .gguf of a language model in files")
    if not folder.is_relative_to(BUNDLED):
        probe.open_elsewhere(shards[0])
    with opening(spec, folder):
        session = Session(
            shards[0],
            context=spec.context,
            device=device,
            most=fit.batch,
            gpu_layers=fit.gpu_layers,
            say=say,
        )
    with ExitStack() as on_failure:
        on_failure.callback(session.close)
        said = chat_format(spec, session.vocabulary)
        own = spec.chat == "template"
        model = LlamaCpp(Engine(session), said, fingerprint(spec, folder), special=own)
        selftest.once(model.fingerprint, device, lambda: check(model))
        on_failure.pop_all()
    return model


def refuse_quantization(spec: ModelSpec) -> None:
    """Raises :class:`UsageError` where models.toml wants a GGUF quantized."""
    if spec.quantization:
        raise UsageError(
            f"{spec.name}: a GGUF is quantized already; leave quantization out in models.toml"
        )


class LlamaCpp:
    """A :class:`~visdiff_local.protocols.TextModel`. Build it with :func:`open_model`."""

    def __init__(self, engine: Engine, said: Format, fingerprint: str, *, special: bool) -> None:
        self.fingerprint = fingerprint
        self.engine = engine
        self._said = said
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
            found = self.generate(
                [Asked((Turn("user", prompt),)) for prompt in distinct],
                grammar=grammar,
                seed=seed,
                temperature=temperature,
                max_tokens=max_tokens,
            )
            return [one.text for one in found]

        return unique(list(prompts), replies)

    def generate(
        self,
        asked: Sequence[Asked],
        *,
        grammar: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 512,
        likeliest: int = 0,
    ) -> list[Generated]:
        """As :meth:`complete`, of whole chats, with all that a server tells of a reply.

        Args:
            likeliest: how many alternatives are listed for each token; 0 lists none.
        """
        with ExitStack() as open_grammar:
            compiled = (
                open_grammar.enter_context(self.engine.grammar(gbnf_of(grammar)))
                if grammar
                else None
            )

            def reader(one: Asked) -> Reply:
                return Reply(
                    self.engine.vocabulary.ends,
                    room=max_tokens,
                    temperature=temperature,
                    rng=seeded(seed, one.seed_text),
                    grammar=Grammar(self.engine.library, compiled) if compiled else None,
                    likeliest=likeliest,
                    told=self._teller(one),
                )

            prompts = [self.chat_tokens(one.turns) for one in asked]
            readers = self._read(prompts, lambda: [reader(one) for one in asked], max_tokens)
        return [
            Generated(
                text=self.engine.vocabulary.text(done.tokens).strip(),
                prompt_tokens=len(prompt),
                reply_tokens=len(done.tokens),
                ended=done.ended,
                tokens=tuple(self._chances(token) for token in done.chances),
            )
            for done, prompt in zip(readers, prompts, strict=True)
        ]

    def _teller(self, one: Asked) -> Callable[[int], None] | None:
        """Hands on the reply so far, up to its last whole letter, stripped as the whole will be."""
        tell = one.tell
        if tell is None:
            return None
        letters = codecs.getincrementaldecoder("utf-8")("replace")
        text = ""

        def hear(token: int) -> None:
            nonlocal text
            text += letters.decode(self.engine.vocabulary.piece(token))
            tell(text.strip())

        return hear

    def _chances(self, token: Chances) -> TokenChances:
        text = self.engine.vocabulary.text
        others = tuple((text([other]), logprob) for other, logprob in token.likeliest)
        return TokenChances(text([token.token]), token.logprob, others)

    def _read(
        self, prompts: list[list[int]], readers: Callable[[], list[AnyReader]], room: int
    ) -> list[AnyReader]:
        """The readers when they are done; asked for anew where memory ran out meanwhile."""
        while True:
            current = readers()
            try:
                self.engine.run(prompts, current, room=room)
            except OutOfMemoryError:
                if not self.engine.session.shrink():
                    raise
            else:
                return current

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
            asked = [self.tokens(prompt) for prompt in distinct]
            readers = self._read(asked, lambda: [Choice(ids) for _ in asked], room=1)
            return [reader.shares for reader in readers]

        rows = unique(list(prompts), shares)
        return np.array(rows, dtype=np.float32).reshape(len(prompts), len(options))

    def following(self, prompts: Sequence[str]) -> FloatArray:
        """Float32 (n, vocabulary): the probability of every token to come next."""
        asked = [self.tokens(prompt) for prompt in prompts]
        readers = self._read(asked, lambda: [Next() for _ in asked], room=1)
        return np.stack([reader.probabilities for reader in readers])

    def text_p_yes(self, prompts: Sequence[str]) -> FloatArray:
        """Float32 (n,): P("yes") against "no"."""
        return self.choose(prompts, ("yes", "no"))[:, 0]

    def tokens(self, prompt: str) -> list[int]:
        """The prompt in the model's chat format, as token ids."""
        return self.chat_tokens((Turn("user", prompt),))

    def said(self, prompt: str) -> str:
        """The prompt in the model's chat format, up to where its reply begins."""
        return self._said((Turn("user", prompt),))

    def chat_tokens(self, turns: Chat) -> list[int]:
        """A chat in the model's format, up to where its reply begins, as token ids."""
        return self.text_tokens(self._said(turns))

    def text_tokens(self, said: str) -> list[int]:
        """What a prompt begins with, in the model's format, as token ids."""
        # A template may write the begin-of-text token itself; twice would be once too often.
        start = not (self._special and self._bos and said.startswith(self._bos))
        return self.engine.vocabulary.tokenize(said, start=start, special=self._special)

    def option_ids(self, options: Sequence[str]) -> list[list[int]]:
        """The tokens that stand for each option alone."""
        return answers.answer_ids(
            self.engine.vocabulary.tokenize, self.engine.vocabulary.text, options
        )


def check(model: LlamaCpp) -> None:
    """The self-test; raises :class:`SelfTestError` that names the likely cause."""
    engine = model.engine
    size = engine.vocabulary.size
    selftest.tokenizer_fits(
        engine.vocabulary.tokenize, engine.vocabulary.text, rows=size, size=size
    )
    selftest.yes_and_no(model.option_ids(("yes", "no")))
    selftest.answer_comes_next(model.said("Is there a red dog in the picture?"))
    prompts = ["Is there a red dog in the picture? Answer:", "Is there a bird? Answer:", "1 2 3"]
    together = model.following(prompts)
    alone = np.concatenate([model.following([prompt]) for prompt in prompts])
    if not np.abs(together - alone).max() <= 0.02:
        raise SelfTestError(
            "a prompt gets another answer in company than alone; likely cause: an architecture "
            "whose cache llama.cpp cannot share between sequences"
        )
    schema = '{"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}'
    selftest.obeys_json(model.complete(prompts[:1], grammar=schema, max_tokens=40)[0])
