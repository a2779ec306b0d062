"""Images of equal score, counted per set: AUROC, its variance and its p depend on nothing else."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating[Any]]

Result = TypeVar("Result")

CELLS_AT_ONCE = 1 << 17
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

    @cached_property
    def untied(self) -> bool:
        """Every image is a group of its own, in every hypothesis."""
        return len(self.a) == len(self.first) * (self.n_a + self.n_b)

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


def each_block(
    work: Callable[[TieGroups], Result],
    scores: Scores,
    is_a: BoolArray,
    ranks: npt.NDArray[np.float32] | None = None,
    placements: npt.NDArray[np.float32] | None = None,
) -> list[Result]:
    """Sorts scores (M, N), a few rows at a time, and does ``work`` on their tie groups; in order.

    In threads, because numpy lets go of the interpreter while it sorts and sums.

    Args:
        ranks: float32 (M, N), filled with 2 · mid-rank − (N + 1): integers centred on zero,
            exact below N = 2²⁴. None when nobody wants them.
        placements: float32 (M, N), filled likewise with 2 · k − (size of the other set): k counts
            for an image of A those of B below it, for one of B those of A above it, ties half.
    """
    rows = max(1, CELLS_AT_ONCE // len(is_a))
    starts = range(0, len(scores), rows)

    def one(start: int) -> Result:
        block = slice(start, start + rows)
        return work(
            _grouped(
                scores[block],
                is_a,
                None if ranks is None else ranks[block],
                None if placements is None else placements[block],
            )
        )

    if len(starts) < 2:
        return [one(start) for start in starts]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, starts))


def centred_ranks(scores: Scores) -> npt.NDArray[np.float32]:
    """2 · mid-rank − (N + 1) of each row of scores (M, N): float32 (M, N), each row sums to 0."""
    ranks = np.empty(scores.shape, np.float32)
    each_block(lambda groups: None, scores, np.zeros(scores.shape[1], np.bool_), ranks)
    return ranks


def _grouped(
    scores: Scores,
    is_a: BoolArray,
    ranks: npt.NDArray[np.float32] | None,
    placements: npt.NDArray[np.float32] | None,
) -> TieGroups:
    m, n = scores.shape
    if scores.dtype == np.float16:  # float32 holds every float16, and sorts much faster
        scores = scores.astype(np.float32)
    order = np.argsort(scores, axis=1)
    counted = np.cumsum(is_a.astype(np.int32).take(order), axis=1, dtype=np.int32)
    order += np.arange(m)[:, None] * n
    place = order.reshape(-1)
    ordered = np.ascontiguousarray(scores).reshape(-1).take(place).reshape(m, n)
    ends = np.ones((m, n), np.bool_)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=ends[:, :-1])
    last = np.flatnonzero(ends)
    first = np.searchsorted(last, np.arange(m) * n)
    upto = np.tile(np.arange(1, n + 1), m).take(last)
    a_upto = counted.reshape(-1).take(last)
    sizes, a = _steps(upto, first), _steps(a_upto, first)
    if ranks is not None:
        doubled = (2 * upto - sizes - n).astype(np.float32)
        tied = len(last) < m * n
        ranks.reshape(-1)[place] = np.repeat(doubled, sizes) if tied else doubled
    n_a = int(is_a.sum())
    groups = TieGroups(
        a=a.astype(np.float64),
        b=(sizes - a).astype(np.float64),
        a_below=(a_upto - a).astype(np.float64),
        b_below=(upto - sizes - (a_upto - a)).astype(np.float64),
        first=first,
        n_a=n_a,
        n_b=n - n_a,
    )
    if placements is not None:
        each = np.where(
            is_a[place % n],
            np.repeat(groups.beats_b, sizes),
            np.repeat(groups.beaten_by_a, sizes),
        )
        placements.reshape(-1)[place] = each
    return groups


def _steps(upto: npt.NDArray[Any], first: IntArray) -> npt.NDArray[Any]:
    """What each group adds to a running count (G,) that starts anew at each hypothesis."""
    steps = np.empty_like(upto)
    np.subtract(upto[1:], upto[:-1], out=steps[1:])
    steps[first] = upto[first]
    return steps
