"""Where along an order of groups the scores change: a step, if one step is what the data say.

The statistic is the largest, over all cuts between neighbouring groups, of the standardised sum of
the ranks behind the cut (Pettitt 1979, with each cut over the standard deviation that dealing gives
it, as in James, James & Siegmund 1987). Its p is that of the largest when the groups are dealt anew
among the units of a block (Winkler et al. 2014), so that clusters count once.

Where the step lies is a set of cuts, by inverting a test (Dümbgen 1991): a cut is kept where, on
either side of it, the scores look as if nothing changed there. Where that holds for no cut, one
step is not what happened; where it holds for all, the data do not say where.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.design import Codes, Design, blocks_of, codes
from visdiff_local.stats.normal import upper_tail
from visdiff_local.stats.ties import BoolArray, FloatArray, IntArray, checked
from visdiff_local.stats.trend import COUNTED, parts, within_strata

_CELLS = 4_000_000
"""Of the dealings that are held together."""


@dataclass(frozen=True, slots=True, eq=False)
class ChangeStatistics:
    """Of M hypotheses, over G groups in order: cut c lies between the groups c and c + 1."""

    cut: IntArray
    """(M,) the cut that parts the scores most, 0 … G − 2."""
    rises: BoolArray
    """(M,) whether scores are higher behind it."""
    p_value: FloatArray
    """(M,) of a change somewhere, two-sided."""
    p_global: float
    """How often the largest change of M hypotheses is as large when the order means nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class _Dealing:
    """What is dealt: units within blocks, and images within a unit that lies in several groups."""

    unit: IntArray
    block: IntArray
    means: FloatArray
    """(U, C) of each cut, how much of a unit lies behind it."""
    own: FloatArray
    """(N, C) what its images differ from that; all 0 where no unit lies in several groups."""

    @property
    def torn(self) -> bool:
        return bool(self.own.any())


def change(
    scores: npt.ArrayLike,
    order: npt.ArrayLike,
    *,
    clusters: Codes | None = None,
    strata: Codes | None = None,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> ChangeStatistics:
    """Tests whether each row of scores (M, N) changes at some cut between the groups of ``order``.

    Args:
        order: float (N,), the group of each image; as in :func:`visdiff_local.stats.trend`, as are
            the others.

    Raises:
        ValueError: NaN, lengths that differ, or fewer than two groups.
    """
    matrix, group, unit, stratum = _prepared(scores, order, clusters, strata)
    ranks = within_strata(matrix, stratum)
    dealing = _dealing(_behind(group, stratum), unit, stratum)
    observed, largest = _largest(ranks, dealing, permutations, rng)
    at = np.abs(observed)
    cut = np.argmax(at, axis=1) if len(at) else np.zeros(0, np.int64)
    best = at.max(axis=1, initial=0.0)
    reached = (largest >= best[:, None] - 1e-9).sum(axis=1)
    share = (1 + reached) / (1 + permutations)
    # Beyond what dealing resolves: Bonferroni over the cuts, by the normal limit of each.
    tail = np.minimum(1.0, 2 * at.shape[1] * upper_tail(best))
    share = np.where(reached < COUNTED, np.minimum(tail, share), share)
    over = (largest.max(axis=0, initial=-np.inf) >= best.max(initial=0.0) - 1e-9).sum()
    signs = np.take_along_axis(observed, cut[:, None], axis=1)[:, 0] if len(at) else best
    p = np.where(best > 0, share, 1.0)
    return ChangeStatistics(cut, signs > 0, p, float((1 + over) / (1 + permutations)))


def cuts_kept(
    scores: npt.ArrayLike,
    order: npt.ArrayLike,
    *,
    level: float = 0.95,
    clusters: Codes | None = None,
    strata: Codes | None = None,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> BoolArray:
    """The confidence set of the place of one step in scores (N,): bool (G − 1,), a cut each.

    A cut is kept where the largest change on either side of it is as large in more than 1 − level
    of dealings within the two sides. All False: not one step.
    """
    matrix, group, unit, stratum = _prepared(np.asarray(scores)[None], order, clusters, strata)
    groups = int(group.max()) + 1
    kept = np.ones(groups - 1, np.bool_)
    if groups < 3:
        return kept
    for cut in range(groups - 1):
        side = stratum * 2 + (group > cut)
        ranks = within_strata(matrix, side)
        dealing = _dealing(_behind(group, side), unit, side)
        observed, largest = _largest(ranks, dealing, permutations, rng)
        best = np.abs(observed).max()
        share = (1 + (largest[0] >= best - 1e-9).sum()) / (1 + permutations)
        kept[cut] = best <= 0 or share > 1 - level
    return kept


def _prepared(
    scores: npt.ArrayLike, order: npt.ArrayLike, clusters: Codes | None, strata: Codes | None
) -> tuple[npt.NDArray[np.floating], IntArray, IntArray, IntArray]:
    """Scores, groups from 0, units and strata of the images that have a stratum."""
    at = np.asarray(order, np.float64)
    matrix, _ = checked(scores, np.arange(len(at)) < 1)
    if np.isnan(at).any():
        raise ValueError("order holds NaN: leave those images out")
    unit = Design(np.arange(len(at)) < 1, clusters=clusters).cluster
    stratum = np.zeros(len(at), np.int64) if strata is None else codes(strata)
    known = stratum >= 0
    values, group = np.unique(at[known], return_inverse=True)
    if len(values) < 2:
        raise ValueError("all images have the same place in the order: nothing can change")
    own = np.unique(unit[known], return_inverse=True)[1].astype(np.int64)
    return matrix[:, known], group.astype(np.int64), own, stratum[known]


def _behind(group: IntArray, stratum: IntArray) -> FloatArray:
    """(N, C) 1 where an image lies behind the cut, less the mean of its stratum."""
    behind = (group[:, None] > np.arange(int(group.max()))).astype(np.float64)
    counts = np.bincount(stratum).astype(np.float64)
    for cut in range(behind.shape[1]):
        sums = np.bincount(stratum, behind[:, cut])
        behind[:, cut] -= (sums / np.maximum(counts, 1))[stratum]
    return behind


def _dealing(behind: FloatArray, unit: IntArray, stratum: IntArray) -> _Dealing:
    counts = np.bincount(unit)
    means = np.stack([np.bincount(unit, column) for column in behind.T], axis=1) / counts[:, None]
    own = behind - means[unit]
    own[np.abs(own) < 1e-12] = 0.0
    return _Dealing(unit, blocks_of(unit, stratum), means, own)


def _largest(
    ranks: FloatArray, dealing: _Dealing, permutations: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Of ranks (M, N): the standardised sums (M, C), and the largest size (M, permutations) that
    they have in each dealing."""
    m = len(ranks)
    units, cuts = dealing.means.shape
    sums = np.zeros((m, units))
    for row in range(m):
        sums[row] = np.bincount(dealing.unit, ranks[row], minlength=units)
    variance = _variance(sums, dealing.means, dealing.block)
    observed = sums @ dealing.means
    if dealing.torn:
        variance += _variance(ranks, dealing.own, dealing.unit)
        observed = observed + ranks @ dealing.own
    sd = np.sqrt(variance)
    usable = sd > 1e-12
    safe = np.where(usable, sd, 1.0)
    largest = np.zeros((m, permutations))
    at_once = max(1, _CELLS // (units * cuts))
    for start in range(0, permutations, at_once):
        count = min(at_once, permutations - start)
        total = sums @ _dealt(dealing.means, dealing.block, count, rng)
        if dealing.torn:
            total += ranks @ _dealt(dealing.own, dealing.unit, count, rng)
        drawn = np.abs(total.reshape(m, count, cuts)) / safe[:, None] * usable[:, None]
        largest[:, start : start + count] = drawn.max(axis=2, initial=0.0)
    return np.where(usable, observed / safe, 0.0), largest


def _variance(values: FloatArray, columns: FloatArray, blocks: IntArray) -> FloatArray:
    """(M, C) of the sum of values (M, K) · columns (K, C), dealt anew within blocks."""
    total = np.zeros((len(values), columns.shape[1]))
    for part in parts(blocks):
        n = len(part)
        total += np.outer(values[:, part].var(axis=1), columns[part].var(axis=0)) * n * n / (n - 1)
    return total


def _dealt(
    columns: FloatArray, blocks: IntArray, count: int, rng: np.random.Generator
) -> FloatArray:
    """(K, count · C): the rows of columns (K, C) dealt anew within blocks, all cuts together."""
    place = np.repeat(np.arange(len(columns))[:, None], count, axis=1)
    for part in parts(blocks):
        place[part] = rng.permuted(place[part], axis=0)
    return np.ascontiguousarray(columns[place].reshape(len(columns), -1))
