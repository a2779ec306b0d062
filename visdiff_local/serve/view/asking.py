"""The reader's own text: its score on every image, from embeddings that are kept in memory."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.errors import InputError
from visdiff_local.pipeline.evidence import histogram
from visdiff_local.pipeline.rankers.clip import text_vectors
from visdiff_local.pipeline.rankers.scores import Images as Sides
from visdiff_local.protocols import FloatArray
from visdiff_local.serve.view.data import Gallery
from visdiff_local.serve.view.embedder import Embeds
from visdiff_local.stats import Design
from visdiff_local.types import Histogram

_AT_ONCE = 4096
LONGEST = 500
"""Characters of a text: CLIP reads some seventy words."""
_DESIGN = {"pairs": "pair", "clusters": "cluster", "strata": "stratum"}
"""Columns of the table that say how the images were sampled, where the run had such."""


@dataclass(frozen=True, slots=True)
class Against:
    """One group against all the others: AUROC above 0.5 where the text is more true of it."""

    group: str
    images: int
    auroc: float
    interval: tuple[float, float]
    mean: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a text separates: AUROC above 0.5 where it is more true of A."""

    text: str
    auroc: float
    interval: tuple[float, float]
    mean_a: float
    mean_b: float
    histogram: Histogram
    images: int


@dataclass(frozen=True, slots=True)
class ByGroup:
    """What a text says of several groups, the one that it is most true of first."""

    text: str
    groups: tuple[Against, ...]
    images: int


@dataclass
class Asker:
    """The run's embedder, opened once, and the embeddings of its images, read once."""

    embedder: Embeds
    gallery: Gallery
    _held: "tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]] | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def warm(self) -> None:
        """Reads the embeddings and opens the model, so that the first question does not wait."""
        self.embeddings()
        with self._lock:
            self.embedder.warm()

    def ask(self, text: str) -> Answer | ByGroup:
        """Scores the text on every image, keeps the scores as a column, and says what it tells.

        Raises:
            InputError: the text is empty or too long, or there are no embeddings to be had.
        """
        text = " ".join(text.split())
        if not text or len(text) > LONGEST:
            raise InputError(f"type a text of 1 to {LONGEST} characters")
        rows, matrix = self.embeddings()
        with self._lock:
            vector = text_vectors([text], self.embedder, self.embedder.family)[0]
        scores = np.full(self.gallery.rows, np.nan, dtype=np.float32)
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            scores[rows[part]] = matrix[part].astype(np.float32) @ vector
        found = answer(text, scores, self.gallery)
        self.gallery.add(text, scores)
        return found

    def embeddings(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
        """Rows of the table and their embeddings, float16 (n, d)."""
        with self._lock:
            if self._held is None:
                self._held = _read(self.gallery, self.embedder)
            return self._held


def answer(text: str, scores: FloatArray, gallery: Gallery) -> Answer | ByGroup:
    """The statistics of one text over the images that have a score.

    Images that belong together, strata and pairs are heeded where the run had them.

    Raises:
        InputError: the images are not of two sets.
    """
    known = np.flatnonzero(~np.isnan(scores) & (gallery.of_group >= 0))
    groups = gallery.of_group[known]
    if len(gallery.groups) < 2:
        raise InputError("there is one set of images: nothing to compare")
    if len(np.unique(groups)) < 2:
        raise InputError("only one set has scores")
    values = scores[known]
    design = {name: column[known] for name, column in _sampled(gallery).items()}
    if "strata" in design and _nested(design["strata"], groups):
        del design["strata"]  # each class is a group here: within a class there is no other
    if len(gallery.groups) > 2:
        design.pop("pairs", None)
        return ByGroup(text, tuple(_by_group(values, groups, gallery.groups, design)), len(known))
    is_a = groups == 0
    area, interval = _separated(values, is_a, design)
    means = float(values[is_a].mean()), float(values[~is_a].mean())
    return Answer(text, area, interval, *means, histogram(values, Sides((), is_a)), len(known))


def _nested(strata: npt.NDArray[Any], groups: npt.NDArray[np.int32]) -> bool:
    """Whether no stratum has images of two groups."""
    pairs = {(s, int(g)) for s, g in zip(strata, groups, strict=True) if s is not None}
    return len(pairs) == len({s for s, _ in pairs})


def _by_group(
    values: FloatArray,
    of_group: npt.NDArray[np.int32],
    names: tuple[str, ...],
    design: Mapping[str, npt.NDArray[Any]],
) -> list[Against]:
    found = []
    for number, name in enumerate(names):
        mine = of_group == number
        if mine.any():
            area, interval = _separated(values, mine, design)
            mean = float(values[mine].mean())
            found.append(Against(name, int(mine.sum()), area, interval, mean))
    return sorted(found, key=lambda one: -one.auroc)


def _separated(
    values: FloatArray, is_a: npt.NDArray[np.bool_], design: Mapping[str, npt.NDArray[Any]]
) -> tuple[float, tuple[float, float]]:
    """AUROC and its interval; raises :class:`InputError` where nothing can be compared."""
    try:
        sampled = Design(is_a, **design)
        rng = np.random.default_rng(0)
        found = stats.test(values[None], sampled, permutations=1, rng=rng)
    except ValueError as error:
        raise InputError(str(error)) from error
    low, high = (float(bound) for bound in found.ci[0])
    return float(found.auroc[0]), (low, high)


def _sampled(gallery: Gallery) -> dict[str, npt.NDArray[Any]]:
    """The columns of the design that have a value at all."""
    found = {}
    for name, column in _DESIGN.items():
        codes = gallery.codes(column)
        if (codes >= 0).any():
            # None, not −1: an image without a cluster is alone, one without a stratum left out.
            found[name] = codes.astype(object)
            found[name][codes < 0] = None
    return found


def _read(
    gallery: Gallery, embedder: Embeds
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    ids = gallery.facts["id"]
    rows = np.flatnonzero(ids.is_valid().to_numpy(zero_copy_only=False)).astype(np.int64)
    matrix = np.empty((len(rows), embedder.dimension), dtype=np.float16)
    for part, images in _parts(gallery, rows):
        matrix[part] = embedder.embed_images(images)
    return rows, matrix


def _parts(
    gallery: Gallery, rows: npt.NDArray[np.int64]
) -> Iterator[tuple[slice, list[tuple[str, str]]]]:
    """Ids and paths of the rows, so many at a time."""
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        ids, paths = (gallery.facts[name].take(rows[part]).to_pylist() for name in ("id", "path"))
        yield part, [(identity, path or "") for identity, path in zip(ids, paths, strict=True)]
