"""The reader's own text: its score on every image, from embeddings that are kept in memory."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visdiff_local import stats
from visdiff_local.errors import InputError
from visdiff_local.images import File
from visdiff_local.pipeline.evidence import histogram
from visdiff_local.pipeline.models import RunModels
from visdiff_local.pipeline.rankers.clip import clip
from visdiff_local.pipeline.rankers.scores import Images as Sides
from visdiff_local.protocols import Embedder, FloatArray
from visdiff_local.serve.view.data import Gallery
from visdiff_local.types import Histogram, ImageRef

_AT_ONCE = 4096
LONGEST = 500
"""Characters of a text: CLIP reads some seventy words."""


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


@dataclass
class Asker:
    """The run's embedder, opened once, and the embeddings of its images, read once."""

    models: RunModels
    gallery: Gallery
    _held: "_Held | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def warm(self) -> None:
        """Reads the embeddings and opens the model, so that the first question does not wait."""
        with self._lock:
            self._embedder.embed_texts(["a picture"])

    def ask(self, text: str) -> Answer:
        """Scores the text on every image, keeps the scores as a column, and says what it tells.

        Raises:
            InputError: the text is empty or too long, or there are no embeddings to be had.
        """
        text = " ".join(text.split())
        if not text or len(text) > LONGEST:
            raise InputError(f"type a text of 1 to {LONGEST} characters")
        with self._lock:
            embedder = self._embedder
            family = self.models.family("embedder")
            found = clip([text], embedder.refs, embedder=embedder, family=family)[0]
        scores = np.full(self.gallery.rows, np.nan, dtype=np.float32)
        scores[embedder.rows] = found
        self.gallery.add(text, scores)
        return answer(text, scores, self.gallery)

    def embeddings(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
        """Rows of the table and their embeddings, float16 (n, d)."""
        with self._lock:
            held = self._embedder
            return held.rows, held.matrix

    @property
    def _embedder(self) -> "_Held":
        if self._held is None:
            self._held = _Held.of(self.gallery, self.models.embedder)
        return self._held


def answer(text: str, scores: FloatArray, gallery: Gallery) -> Answer:
    """The statistics of one text over the images that have a score.

    Raises:
        InputError: the images are not of two sets.
    """
    known = np.flatnonzero(~np.isnan(scores) & (gallery.of_group >= 0))
    if len(gallery.groups) < 2:
        raise InputError("there is one set of images: nothing to compare")
    is_a = gallery.of_group[known] == 0
    if not is_a.any() or is_a.all():
        raise InputError("only one set has scores")
    values = scores[known]
    rng = np.random.default_rng(0)
    found = stats.compare(values[None], is_a, permutations=1, rng=rng)
    low, high = (float(bound) for bound in found.ci[0])
    return Answer(
        text,
        float(found.auroc[0]),
        (low, high),
        float(values[is_a].mean()),
        float(values[~is_a].mean()),
        histogram(values, Sides((), is_a)),
        len(known),
    )


@dataclass(frozen=True)
class _Held:
    """An :class:`Embedder` whose image embeddings are all in memory, in half precision."""

    inner: Embedder
    refs: Sequence[ImageRef]
    rows: npt.NDArray[np.int64]
    matrix: npt.NDArray[np.float16]
    place: dict[str, int]

    @classmethod
    def of(cls, gallery: Gallery, embedder: Embedder) -> "_Held":
        ids = gallery.facts["id"].to_pylist()
        paths = gallery.facts["path"]
        rows = np.array([row for row, identity in enumerate(ids) if identity], dtype=np.int64)
        refs = [ImageRef(ids[row], File(Path(paths[int(row)].as_py() or ""))) for row in rows]
        matrix = np.empty((len(refs), embedder.dimension), dtype=np.float16)
        for start in range(0, len(refs), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            matrix[part] = embedder.embed_images(refs[part])
        place = {ref.id: row for row, ref in enumerate(refs)}
        return cls(embedder, refs, rows, matrix, place)

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    @property
    def dimension(self) -> int:
        return self.inner.dimension

    def embed_images(self, images: Sequence[ImageRef]) -> FloatArray:
        return self.matrix[[self.place[ref.id] for ref in images]].astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        return self.inner.embed_texts(texts)
