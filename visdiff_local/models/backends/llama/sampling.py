"""Readers of logits: an answer's probabilities, or a reply token by token under a grammar.

Sampling is done here and not in llama.cpp, so that it draws from a generator of its own for every
prompt: a reply does not depend on what else is being decoded.
"""

import ctypes
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visdiff_local.errors import UsageError
from visdiff_local.models.backends import answers
from visdiff_local.protocols import FloatArray
from visdiff_local.system import foreign

MIN_P = 0.05
"""Tokens less likely than this share of the likeliest are never sampled (llama.cpp's default)."""

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""llama_token_data."""


def gbnf_of(grammar: str) -> str:
    """GBNF as it is; a JSON schema (a text that is a JSON object) turned into GBNF.

    Raises:
        UsageError: llama.cpp cannot express the schema.
    """
    if not grammar.lstrip().startswith("{"):
        return grammar
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        return str(json_schema_to_gbnf(json.dumps(foreign.json_object(grammar))))
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise UsageError(f"this JSON schema cannot be made a grammar ({error})") from error


class Choice:
    """Reads the probabilities of the options (k,) and asks for no further token."""

    def __init__(self, options: Sequence[Sequence[int]]) -> None:
        self._options = options
        self.shares = np.full(len(options), np.nan, dtype=np.float32)

    def read(self, logits: FloatArray) -> None:
        self.shares = answers.probabilities(logits[None], self._options)[0]


class Next:
    """Reads the probability of every token (vocabulary,) and asks for no further one."""

    def __init__(self) -> None:
        self.probabilities = np.zeros(0, dtype=np.float32)

    def read(self, logits: FloatArray) -> None:
        mass = np.exp(logits - logits.max(), dtype=np.float64)
        self.probabilities = (mass / mass.sum()).astype(np.float32)


class Grammar:
    """A llama.cpp grammar on its way through one reply."""

    def __init__(self, library: Any, compiled: Any) -> None:
        self._lib = library
        self._sampler = library.llama_sampler_clone(compiled)

    def __del__(self) -> None:
        self._lib.llama_sampler_free(self._sampler)

    def allows(self, token: int) -> bool:
        """Whether the grammar goes on with this token."""
        return bool(np.isfinite(self._applied(np.array([token]), np.zeros(1, np.float32)))[0])

    def masked(self, logits: FloatArray) -> FloatArray:
        """The logits, -inf where the grammar forbids the token."""
        return self._applied(np.arange(len(logits)), logits)

    def accept(self, token: int) -> None:
        """Goes on by the token."""
        self._lib.llama_sampler_accept(self._sampler, token)

    def _applied(self, ids: Any, logits: FloatArray) -> FloatArray:
        rows = np.zeros(len(ids), dtype=_CANDIDATE)
        rows["id"], rows["logit"] = ids, logits
        pointer = rows.ctypes.data_as(self._lib.llama_token_data_p)
        candidates = self._lib.llama_token_data_array(pointer, len(rows), -1, False)
        self._lib.llama_sampler_apply(self._sampler, ctypes.byref(candidates))
        found: FloatArray = rows["logit"]
        return found


@dataclass(frozen=True, slots=True)
class Chances:
    """A token of a reply, and what else it could have been: log-probabilities before sampling."""

    token: int
    logprob: float
    likeliest: tuple[tuple[int, float], ...]


class Reply:
    """Reads a reply: the likeliest token each time, or sampled at a temperature.

    Args:
        ends: whether a token ends a reply.
        room: most tokens.
        temperature: 0 takes the likeliest token; ``rng`` is not used then.
        grammar: what the reply must obey.
        likeliest: alternatives that are noted for each token, the one that ends the reply among
            them; 0 notes nothing.
        told: is told each token.
    """

    def __init__(
        self,
        ends: Callable[[int], bool],
        *,
        room: int,
        temperature: float,
        rng: np.random.Generator,
        grammar: Grammar | None,
        likeliest: int = 0,
        told: Callable[[int], None] | None = None,
    ) -> None:
        self.tokens: list[int] = []
        self.chances: list[Chances] = []
        self.ended = False
        """Whether the model itself ended the reply."""
        self._ends = ends
        self._room = room
        self._temperature = temperature
        self._rng = rng
        self._grammar = grammar
        self._likeliest = likeliest
        self._told = told

    def read(self, logits: FloatArray) -> int | None:
        token = self._drawn(logits)
        # The grammar is tried on one token first: masking a vocabulary of 128,000 is slow, and the
        # draw is mostly allowed. Drawing again from what is allowed gives the right distribution.
        if self._grammar is not None and not self._grammar.allows(token):
            token = self._drawn(self._grammar.masked(logits))
        if self._likeliest:
            self.chances.append(_chances(token, logits, self._likeliest))
        if self._ends(token):
            self.ended = True
            return None
        if self._grammar is not None:
            self._grammar.accept(token)
        self.tokens.append(token)
        if self._told is not None:
            self._told(token)
        return token if len(self.tokens) < self._room else None

    def _drawn(self, logits: FloatArray) -> int:
        if self._temperature <= 0:
            return int(np.argmax(logits))
        scaled = logits.astype(np.float64) / self._temperature
        mass = np.exp(scaled - scaled.max())
        mass[mass < MIN_P] = 0.0
        return int(np.searchsorted(np.cumsum(mass), self._rng.random() * mass.sum(), side="right"))


def _chances(token: int, logits: FloatArray, count: int) -> Chances:
    """The log-probabilities of the token, and of the likeliest ones, most likely first."""
    wide = logits.astype(np.float64)
    logprobs = wide - np.logaddexp.reduce(wide)
    first = np.argpartition(-logprobs, min(count, len(wide)) - 1)[:count]
    order = first[np.argsort(-logprobs[first], kind="stable")]
    return Chances(
        token, float(logprobs[token]), tuple((int(i), float(logprobs[i])) for i in order)
    )
