"""Images of equal score, counted per set: AUROC, its variance and its p depend on nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating[Any]]

CELLS_AT_ONCE = 1 << 18
"""Scores sorted in one go: few enough that the working arrays stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class TieGroups:
    """Runs of equal scores, lowest first, of M hypotheses laid end to end (G groups in all).

    Counts are float64, in which whole numbers below 2⁵³ and their sums are exact. A group may be
    empty, so that the bins of a histogram are groups too.
    """

    a: FloatArray
    """(G,) images of A in each group."""
    b: FloatArray
    """(G,) images of B in each group."""
    a_below: FloatArray
    """(G,) images of A in lower groups of the same hypothesis."""
    b_below: FloatArray
    """(G,) images of B in lower groups of the same hypothesis."""
    first: IntArray
    """(M,) where each hypothesis's groups begin."""
    n_a: int
    n_b: int

    @cached_property
    def beats_b(self) -> FloatArray:
        """(G,) 2 · (images of B that one of A in this group scores above, ties half) − n_b."""
        beats: FloatArray = 2 * self.b_below + self.b - self.n_b
        return beats

    @cached_property
    def beaten_by_a(self) -> FloatArray:
        """(G,) 2 · (images of A that score above one of B in this group, ties half) − n_a."""
        beaten: FloatArray = self.n_a - self.a - 2 * self.a_below
        return beaten

    @cached_property
    def doubled_u(self) -> FloatArray:
        """Twice the Mann–Whitney U of A: (M,), a whole number, exact whatever the ties."""
        return self.per_hypothesis(self.a * self.beats_b) + self.n_a * self.n_b

    @cached_property
    def auroc(self) -> FloatArray:
        """(M,), from whole numbers, rounded once."""
        return self.doubled_u / (2.0 * self.n_a * self.n_b)

    def per_hypothesis(self, values: FloatArray) -> FloatArray:
        """Sums (G,) over each hypothesis's groups: (M,)."""
        return np.asarray(np.add.reduceat(values, self.first))


def checked(scores: npt.ArrayLike, is_a: npt.ArrayLike) -> tuple[Scores, BoolArray]:
    """Scores (M, N) of float16, float32 or float64 and labels (N,), fit to be compared.

    Integers and booleans become float64.

    Raises:
        ValueError: the shapes do not fit, a set has no image, or a row holds NaN (rows are named).
    """
    matrix, labels = np.atleast_2d(np.asarray(scores)), np.asarray(is_a)
    if matrix.dtype not in (np.float16, np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    labels = checked_labels(labels)
    if matrix.ndim != 2 or labels.shape != matrix.shape[1:]:
        raise ValueError(f"scores {matrix.shape} need one label an image, not {labels.shape}")
    refuse_nan(matrix)
    return matrix, labels


def checked_labels(is_a: npt.ArrayLike) -> BoolArray:
    """Labels (N,) as bool, with at least one image on each side, or ValueError."""
    labels = np.asarray(is_a)
    if labels.ndim != 1 or not (labels.dtype == np.bool_ or np.isin(labels, (0, 1)).all()):
        raise ValueError("is_a must be one bool an image")
    labels = labels.astype(np.bool_)
    n_a = int(labels.sum())
    if n_a == 0 or n_a == len(labels):
        raise ValueError(f"both sets need an image: A has {n_a}, B has {len(labels) - n_a}")
    return labels


def refuse_nan(scores: Scores) -> None:
    """ValueError that names the rows of scores (M, N) that hold NaN."""
    # The sum of a row is NaN where a score is, and also for inf − inf; only then look closely.
    with np.errstate(invalid="ignore", over="ignore"):
        suspects = np.flatnonzero(np.isnan(scores.sum(axis=1, dtype=np.float32)))
    rows = [int(row) for row in suspects if np.isnan(scores[row]).any()]
    if rows:
        named = ", ".join(map(str, rows[:10])) + (" …" if len(rows) > 10 else "")
        raise ValueError(f"scores hold NaN in {len(rows)} row(s): {named}")


def blocks(
    scores: Scores, is_a: BoolArray, ranks: npt.NDArray[np.float32] | None = None
) -> Iterator[TieGroups]:
    """Sorts scores (M, N), a few rows at a time, and counts A and B in each run of ties.

    Args:
        ranks: float32 (M, N), filled with 2 · mid-rank − (N + 1): integers centred on zero,
            exact below N = 2²⁴. None when nobody wants them.
    """
    rows = max(1, CELLS_AT_ONCE // len(is_a))
    for start in range(0, len(scores), rows):
        block = slice(start, start + rows)
        yield _grouped(scores[block], is_a, None if ranks is None else ranks[block])


def _grouped(scores: Scores, is_a: BoolArray, ranks: npt.NDArray[np.float32] | None) -> TieGroups:
    m, n = scores.shape
    if scores.dtype == np.float16:  # float32 holds every float16, and sorts much faster
        scores = scores.astype(np.float32)
    order = np.argsort(scores, axis=1)
    order += np.arange(m)[:, None] * n
    place = order.ravel()
    ordered = np.ascontiguousarray(scores).reshape(-1).take(place)
    begins = np.ones(m * n, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    begins[::n] = True
    edges = np.append(np.flatnonzero(begins), m * n)
    first = np.searchsorted(edges, np.arange(m) * n)
    a_until = np.zeros(m * n + 1)
    np.cumsum(np.tile(is_a, m).take(place), out=a_until[1:])
    a_at_edges = a_until.take(edges)
    row = np.repeat(np.arange(m), np.diff(first, append=len(edges) - 1))
    n_a = int(is_a.sum())
    below, sizes = edges[:-1] - row * float(n), np.diff(edges).astype(np.float64)
    if ranks is not None:
        doubled = (2 * below + (sizes - n)).astype(np.float32)
        ranks.reshape(-1)[place] = np.repeat(doubled, np.diff(edges))
    a, a_below = np.diff(a_at_edges), a_at_edges[:-1] - row * float(n_a)
    return TieGroups(a, sizes - a, a_below, below - a_below, first, n_a, n - n_a)
