"""Hypotheses that say the same become one, and those that add nothing are marked.

Everything here is decided on the explore half. Same meaning: their text embeddings are close *and*
their scores over the images go together; either alone is not enough ("a dog" and "a cat" are close
texts, "a dog" and "a leash" go together).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from visdiff_local.pipeline.rankers.scores import BoolArray, oriented
from visdiff_local.protocols import Embedder, FloatArray
from visdiff_local.stats import auroc
from visdiff_local.stats.normal import quantile
from visdiff_local.stats.ties import centred_ranks
from visdiff_local.types import Hypothesis

SAME_TEXT = 0.85
"""Cosine of the text embeddings from which two hypotheses may be one."""
SAME_SCORES = 0.9
"""Rank correlation (Spearman) of their scores from which they are."""
GAIN = 0.01
"""Share of the labels' remaining variance that a hypothesis must explain to add something."""


def merge(
    hypotheses: Sequence[Hypothesis],
    values: FloatArray,
    is_a: BoolArray,
    embedder: Embedder,
) -> tuple[tuple[Hypothesis, ...], list[int]]:
    """Near-equal hypotheses as one: the one that separates the sets best, with the others listed.

    Args:
        values: float32 (M, N) scores on the explore half, no NaN.

    Returns:
        The hypotheses that stay, in their order, and their rows in ``values``.
    """
    if not hypotheses:
        return (), []
    areas = auroc(oriented(values, hypotheses), is_a)
    texts = [h.text for h in hypotheses]
    stands_for = same(texts, values, areas, embedder, [h.direction for h in hypotheses])
    rows = sorted(stands_for)
    return tuple(_with_similar(hypotheses, row, stands_for[row]) for row in rows), rows


def same(
    texts: Sequence[str],
    values: FloatArray,
    strength: npt.ArrayLike,
    embedder: Embedder,
    directions: Sequence[str] | None = None,
) -> dict[int, list[int]]:
    """The rows that stay, each with those it stands for; of rows that say the same, the strongest.

    Args:
        values: float32 (M, N) scores on the explore half, no NaN.
        strength: (M,); of equal ones the first.
        directions: (M,) only those of one direction become one; None: they have none.
    """
    vectors = embedder.embed_texts(list(texts))
    same_text = vectors @ vectors.T >= SAME_TEXT
    same_scores = _rank_correlation(values) >= SAME_SCORES
    strong = np.asarray(strength, np.float64)
    stands_for: dict[int, list[int]] = {}
    for row in sorted(range(len(texts)), key=lambda i: (-strong[i], i)):
        leader = next(
            (
                other
                for other in stands_for
                if (directions is None or directions[other] == directions[row])
                and same_text[row, other]
                and same_scores[row, other]
            ),
            None,
        )
        if leader is None:
            stands_for[row] = []
        else:
            stands_for[leader].append(row)
    return stands_for


def redundant(values: FloatArray, is_a: BoolArray, *, alpha: float = 0.05) -> BoolArray:
    """Which hypotheses are explained away by those ranked above them: bool (M,).

    Stepwise, in rank order: the hypothesis's ranks and the labels are both regressed on the ranks
    of all above it that did add something, and what is left of the two is correlated (partial rank
    correlation; Frisch–Waugh–Lovell). It adds something when that correlation is positive,
    significant at ``alpha`` (one-sided, by Fisher's z) and explains at least :data:`GAIN` of what
    is left. The first hypothesis always adds something.

    Args:
        values: float32 (M, N) scores on the explore half, ranked best first and oriented: rows of
            direction "b" are negated.
    """
    n = values.shape[1]
    ranks = _standardised(values)
    labels = _standardised(is_a[None, :].astype(np.float32))[0]
    basis = np.empty((0, n))
    nothing = np.zeros(len(values), dtype=np.bool_)
    for row, own in enumerate(ranks):
        left = own - basis.T @ (basis @ own)
        length = float(np.linalg.norm(left))
        if length < 1e-6:  # a combination of those above it, or constant
            nothing[row] = row > 0
            continue
        direction = left / length
        if row > 0 and not _explains(direction, labels, n - len(basis), alpha):
            nothing[row] = True
            continue
        labels = labels - direction * (direction @ labels)
        basis = np.vstack([basis, direction])
    return nothing


def _explains(
    direction: npt.NDArray[np.float64], labels: npt.NDArray[np.float64], free: int, alpha: float
) -> bool:
    """``free``: images, less one for each hypothesis that was regressed on."""
    remaining = float(np.linalg.norm(labels))
    if free < 4 or remaining < 1e-9:
        return False
    r = float(direction @ labels) / remaining
    if r <= 0 or r * r < GAIN:
        return False
    z = math.atanh(min(r, 1 - 1e-12)) * math.sqrt(free - 3)
    return z >= quantile(1 - alpha)


def _with_similar(hypotheses: Sequence[Hypothesis], row: int, others: Sequence[int]) -> Hypothesis:
    texts = [text for i in others for text in (hypotheses[i].text, *hypotheses[i].similar)]
    own = hypotheses[row]
    return replace(own, similar=tuple(dict.fromkeys((*own.similar, *texts))))


def _standardised(values: FloatArray) -> npt.NDArray[np.float64]:
    """Mid-ranks of each row, centred, of unit length; a constant row is all zeros."""
    centred = centred_ranks(values).astype(np.float64)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(length > 0, length, 1.0))


def _rank_correlation(values: FloatArray) -> npt.NDArray[np.float64]:
    unit = _standardised(values)
    return np.asarray(unit @ unit.T)
