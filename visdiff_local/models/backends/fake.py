"""A model of every role without weights: for tests, and for a dry run of a whole configuration.

It looks at no pixel. What it says is drawn from a hash of the image's id, the prompt and the seed,
so it is the same on every machine, whatever the batch, and means nothing: two sets never differ
for it but by chance.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from visdiff_local.errors import UsageError
from visdiff_local.models.backends.files import digest_of, seeded
from visdiff_local.models.specs import ModelSpec
from visdiff_local.protocols import (
    Captioner,
    Embedder,
    FeatureProposer,
    FloatArray,
    ImageProposer,
    TextModel,
    VisualQA,
)
from visdiff_local.system import foreign
from visdiff_local.types import ImageRef

DIMENSION = 64
_THINGS = ("dog", "cat", "bird", "boat", "house", "tree", "car", "person")
_COLOURS = ("red", "blue", "green", "yellow", "black", "white")
_PLACES = ("on a beach", "in a forest", "at night", "on a table", "in the snow", "in a city")
_PROPOSALS = 5


IMPLEMENTS = (Captioner, VisualQA, ImageProposer, FeatureProposer, TextModel, Embedder)


def fingerprint(spec: ModelSpec, folder: Path) -> str:
    """Of the name alone: two fakes of different names answer differently."""
    return digest_of(["fake", spec.name])


def open_model(spec: ModelSpec, folder: Path, *, device: str = "auto") -> "Fake":
    """Always works; ``folder`` and ``device`` are not looked at."""
    return Fake(fingerprint(spec, folder))


class Fake:
    """All protocols of :mod:`visdiff_local.protocols` at once."""

    dimension = DIMENSION

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to free."""

    # ---- images ----------------------------------------------------------------------------------

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        """Such as "a red dog on a beach"."""
        return [_phrase(self._rng("caption", image.id, prompt)) for image in images]

    def p_yes(self, images: Sequence[ImageRef], questions: Sequence[str]) -> FloatArray:
        """(n images, m questions)."""
        rows = [[self._rng("p_yes", i.id, q).random() for q in questions] for i in images]
        return np.array(rows, dtype=np.float32).reshape(len(images), len(questions))

    def describe(
        self, groups: Sequence[Sequence[ImageRef]], prompt: str, *, seed: int, grid: bool
    ) -> list[str]:
        """A list of phrases, one a line, for each group."""
        keys = [",".join(image.id for image in group) for group in groups]
        return [_listed(self._rng("describe", key, prompt, seed, grid)) for key in keys]

    def describe_difference(
        self, a: Sequence[ImageRef], b: Sequence[ImageRef], *, samples: int, seed: int
    ) -> list[str]:
        """``samples`` phrases."""
        rng = self._rng("difference", [i.id for i in a], [i.id for i in b], seed)
        return [_phrase(rng) for _ in range(samples)]

    # ---- text ------------------------------------------------------------------------------------

    def complete(
        self,
        prompts: Sequence[str],
        *,
        grammar: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 512,
    ) -> list[str]:
        """A list of phrases, one a line; under a JSON schema, a small value that obeys it.

        Raises:
            UsageError: the grammar is GBNF.
        """
        drawn = seed if temperature > 0 else 0
        rngs = [self._rng("complete", prompt, drawn) for prompt in prompts]
        if grammar is None:
            return [" ".join(_listed(rng).split(" ")[:max_tokens]) for rng in rngs]
        if not grammar.lstrip().startswith("{"):
            raise UsageError("the fake model obeys JSON schemas, not GBNF; use llama_cpp")
        schema = foreign.json_object(grammar)
        return [json.dumps(_obeying(schema, rng)) for rng in rngs]

    def text_p_yes(self, prompts: Sequence[str]) -> FloatArray:
        """(n prompts,)."""
        return self.choose(prompts, ("yes", "no"))[:, 0]

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """(n, k), rows sum to 1."""
        rows = [[self._rng("choose", p, o).random() for o in options] for p in prompts]
        shares = np.array(rows, dtype=np.float64).reshape(len(prompts), len(options))
        shares /= shares.sum(axis=1, keepdims=True)
        return shares.astype(np.float32)

    # ---- embeddings ------------------------------------------------------------------------------

    def embed_images(self, images: Sequence[ImageRef]) -> FloatArray:
        """(n, 64), unit length."""
        return self._directions("image", [image.id for image in images])

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """(n, 64), unit length."""
        return self._directions("text", texts)

    def _directions(self, kind: str, keys: Sequence[str]) -> FloatArray:
        rows = [self._rng(kind, key).normal(size=DIMENSION) for key in keys]
        vectors = np.array(rows, dtype=np.float64).reshape(len(keys), DIMENSION)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors.astype(np.float32)

    def _rng(self, *parts: object) -> np.random.Generator:
        return seeded(0, self.fingerprint, *parts)


def _phrase(rng: np.random.Generator) -> str:
    colour, thing, place = (rng.choice(words) for words in (_COLOURS, _THINGS, _PLACES))
    return f"a {colour} {thing} {place}"


def _listed(rng: np.random.Generator) -> str:
    return "\n".join(f"* {_phrase(rng)}" for _ in range(_PROPOSALS))


def _obeying(schema: dict[str, Any], rng: np.random.Generator) -> Any:
    """The smallest value of a JSON schema, with phrases for its texts."""
    if "enum" in schema:
        return schema["enum"][int(rng.integers(len(schema["enum"])))]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            return {name: _obeying(of, rng) for name, of in schema.get("properties", {}).items()}
        case "array":
            count = schema.get("minItems", min(_PROPOSALS, schema.get("maxItems", _PROPOSALS)))
            return [_obeying(schema["items"], rng) for _ in range(count)]
        case "string":
            return _phrase(rng)[: schema.get("maxLength")]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return bool(rng.integers(2))
    raise UsageError(f"the fake model cannot obey this part of a JSON schema: {schema}")
