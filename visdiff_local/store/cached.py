"""Models behind the store: each class has the protocol of what it wraps.

Stages never see whether an answer was computed or remembered. Texts that are empty and
probabilities that are NaN are no answers: they are handed on, and never stored.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from visdiff_local.protocols import (
    Captioner,
    Embedder,
    FeatureProposer,
    FloatArray,
    ImageProposer,
    TextModel,
    VisualQA,
)
from visdiff_local.store.asking import Cached, Counter, chunks, ids_of
from visdiff_local.store.keys import key, keys, text_hash
from visdiff_local.store.vectors import VectorIndex, rounded
from visdiff_local.types import ImageRef

__all__ = [
    "CachedCaptioner",
    "CachedEmbedder",
    "CachedFeatureProposer",
    "CachedImageProposer",
    "CachedTextModel",
    "CachedVisualQA",
    "Counter",
]


class CachedCaptioner(Cached[Captioner]):
    """A :class:`Captioner`."""

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        wanted = keys("caption", ids_of(images), model=self.fingerprint, prompt=prompt)

        def compute(indices: list[int]) -> list[str]:
            return self._model().caption([images[i] for i in indices], prompt)

        return [str(text) for text in self._answers("caption", wanted, compute, _is_text, images)]


class CachedVisualQA(Cached[VisualQA]):
    """A :class:`VisualQA`."""

    def p_yes(self, images: Sequence[ImageRef], questions: Sequence[str]) -> FloatArray:
        """All questions that an image lacks are asked together, so that it is encoded once."""
        ids = ids_of(images)
        refs = dict(zip(ids, images, strict=True))
        asked = list(dict.fromkeys(questions))
        names = [keys("p_yes", refs, model=self.fingerprint, prompt=text) for text in asked]
        table = self._known(names, len(refs))
        everyone = list(refs.values())
        for rows, columns in _lacking(np.isnan(table)).items():
            columns.sort(key=lambda column: everyone[column].at.order())
            for chunk in chunks(columns):
                new = self._model().p_yes([everyone[c] for c in chunk], [asked[r] for r in rows])
                table[np.ix_(rows, chunk)] = new.T
                self._calls.add(computed=new.size)
                answers = {names[r][c]: float(table[r, c]) for r in rows for c in chunk}
                sound = {name: value for name, value in answers.items() if _is_finite(value)}
                self._store.records.put_many("p_yes", sound)
        row_of = {text: row for row, text in enumerate(asked)}
        column_of = {id_: column for column, id_ in enumerate(refs)}
        order = np.ix_([row_of[text] for text in questions], [column_of[id_] for id_ in ids])
        return np.ascontiguousarray(table[order].T)

    def _known(self, names: Sequence[Sequence[str]], columns: int) -> FloatArray:
        """What the store has: float32 (questions, images), NaN elsewhere."""
        stored = self._store.records.get_many("p_yes", [name for row in names for name in row])
        self._calls.add(from_store=len(stored))
        table = [[stored.get(name, np.nan) for name in row] for row in names]
        return np.array(table, dtype=np.float32).reshape(len(names), columns)


class CachedImageProposer(Cached[ImageProposer]):
    """An :class:`ImageProposer`."""

    def describe(
        self, groups: Sequence[Sequence[ImageRef]], prompt: str, *, seed: int, grid: bool
    ) -> list[str]:
        joined = [",".join(ids_of(group)) for group in groups]
        settings = {"seed": seed, "grid": grid}
        wanted = keys("describe", joined, model=self.fingerprint, prompt=prompt, settings=settings)

        def compute(indices: list[int]) -> list[str]:
            chosen = [groups[i] for i in indices]
            return self._model().describe(chosen, prompt, seed=seed, grid=grid)

        return [str(text) for text in self._answers("describe", wanted, compute, _is_text)]


class CachedFeatureProposer(Cached[FeatureProposer]):
    """A :class:`FeatureProposer`."""

    def describe_difference(
        self, a: Sequence[ImageRef], b: Sequence[ImageRef], *, samples: int, seed: int
    ) -> list[str]:
        wanted = key(
            "describe_difference",
            model=self.fingerprint,
            prompt="",
            image=",".join(ids_of(a)) + "|" + ",".join(ids_of(b)),
            settings={"samples": samples, "seed": seed},
        )

        def compute(_: list[int]) -> list[list[str]]:
            return [self._model().describe_difference(a, b, samples=samples, seed=seed)]

        (texts,) = self._answers("describe_difference", [wanted], compute, any)
        return list(cast(list[str], texts))


class CachedTextModel(Cached[TextModel]):
    """A :class:`TextModel`."""

    def complete(
        self,
        prompts: Sequence[str],
        *,
        grammar: str | None = None,
        seed: int = 0,
        temperature: float = 0.0,
        max_tokens: int = 512,
    ) -> list[str]:
        options: dict[str, Any] = {
            "grammar": grammar,
            "seed": seed,
            "temperature": float(temperature),
            "max_tokens": max_tokens,
        }
        wanted = [
            key("complete", model=self.fingerprint, prompt=prompt, settings=options)
            for prompt in prompts
        ]

        def compute(indices: list[int]) -> list[str]:
            return self._model().complete([prompts[i] for i in indices], **options)

        return [str(text) for text in self._answers("complete", wanted, compute, _is_text)]

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        settings = {"options": list(options)}
        wanted = [
            key("choose", model=self.fingerprint, prompt=prompt, settings=settings)
            for prompt in prompts
        ]

        def compute(indices: list[int]) -> list[list[float]]:
            rows = self._model().choose([prompts[i] for i in indices], options)
            return [[float(value) for value in row] for row in rows]

        rows = self._answers("choose", wanted, compute, _is_finite)
        return np.array(rows, dtype=np.float32).reshape(len(prompts), len(options))

    def text_p_yes(self, prompts: Sequence[str]) -> FloatArray:
        wanted = [key("text_p_yes", model=self.fingerprint, prompt=prompt) for prompt in prompts]

        def compute(indices: list[int]) -> list[float]:
            return [
                float(value) for value in self._model().text_p_yes([prompts[i] for i in indices])
            ]

        values = self._answers("text_p_yes", wanted, compute, _is_finite)
        return np.array(values, dtype=np.float32)


class CachedEmbedder(Cached[Embedder]):
    """An :class:`Embedder`; its vectors are rounded to half precision, stored or not."""

    @property
    def dimension(self) -> int:
        """As the stored vectors have it; the model is opened where there are none."""
        known = self._store.dimension(self.fingerprint)
        return self._model().dimension if known is None else known

    def embed_images(self, images: Sequence[ImageRef]) -> FloatArray:
        ids = ids_of(images)
        return self._embed(
            self._store.vectors(self.fingerprint, self.dimension),
            ids,
            lambda indices: self._model().embed_images([images[i] for i in indices]),
            images,
        )

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        return self._embed(
            self._store.vectors(f"{self.fingerprint} texts", self.dimension),
            [text_hash(text) for text in texts],
            lambda indices: self._model().embed_texts([texts[i] for i in indices]),
        )

    def _embed(
        self,
        index: VectorIndex,
        ids: Sequence[str],
        compute: Callable[[list[int]], FloatArray],
        images: Sequence[ImageRef] = (),
    ) -> FloatArray:
        unique = list(dict.fromkeys(ids))
        found, vectors = index.get(unique)
        missing = np.flatnonzero(~found).tolist()
        first = {id_: place for place, id_ in reversed(list(enumerate(ids)))} if missing else {}
        if images:
            missing.sort(key=lambda place: images[first[unique[place]]].at.order())
        self._calls.add(from_store=len(unique) - len(missing))
        for chunk in chunks(missing):
            new = compute([first[unique[i]] for i in chunk])
            sound = np.flatnonzero(np.isfinite(new).all(axis=1))
            index.add([unique[chunk[i]] for i in sound.tolist()], new[sound])
            vectors[chunk] = rounded(new)
            self._calls.add(computed=len(chunk))
        if len(unique) == len(ids):
            return vectors
        place = {id_: row for row, id_ in enumerate(unique)}
        return vectors[[place[id_] for id_ in ids]]


def _lacking(missing: npt.NDArray[np.bool_]) -> dict[tuple[int, ...], list[int]]:
    """Columns (images) by the rows (questions) that are missing there."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for column in np.flatnonzero(missing.any(axis=0)).tolist():
        groups[tuple(np.flatnonzero(missing[:, column]).tolist())].append(column)
    return groups


def _is_text(text: str) -> bool:
    return bool(text.strip())


def _is_finite(values: float | list[float]) -> bool:
    return bool(np.isfinite(values).all())
