"""Exact statistics of half-precision scores without sorting: a float16 has only 65,536 values.

Scores of millions of images arrive in chunks, are counted per hypothesis and set, and forgotten.
The counts are tie groups (:mod:`ties`), so that AUROC, interval, p and q are exactly those of
:func:`compare`. Only p_global differs: it always takes the Gaussian limit, with the rank
correlation of the hypotheses estimated on a random sample of the images. The estimate is off by
about 1 / √20,000, which moves p_global by far less than its own resolution.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.design import Design
from visdiff_local.stats.interval import logit_interval
from visdiff_local.stats.measured import FEW
from visdiff_local.stats.multiplicity import benjamini_hochberg
from visdiff_local.stats.null import smallest_p
from visdiff_local.stats.rare import TwoValued, two_valued_p
from visdiff_local.stats.separation import (
    delong_steadied,
    larger_tail,
    null_variance_of,
    satterthwaite,
)
from visdiff_local.stats.shrinkage import shrunken
from visdiff_local.stats.statistics import TestStatistics
from visdiff_local.stats.ties import (
    CELLS_AT_ONCE,
    FloatArray,
    TieGroups,
    checked_labels,
    refuse_nan,
)
from visdiff_local.stats.two_sample import test

SAMPLE = 20_000
"""Images on which the rank correlation of the hypotheses is estimated."""

CODES = 1 << 16

_INFINITY = 0x7C00
"""Its bits; those of NaN, without the sign, are above."""

Half = npt.NDArray[np.float16]
Codes = npt.NDArray[np.uint16]


class ScoreCounts:
    """Counts the scores of M hypotheses over N images, chunk after chunk, in the images' order.

    Memory: 512 KiB a hypothesis for the counts and 40 KB for the sample, whatever N.
    """

    def __init__(self, is_a: npt.ArrayLike, hypotheses: int, *, rng: np.random.Generator) -> None:
        """Raises ValueError when a set of ``is_a``, bool (N,), is empty."""
        self._is_a = checked_labels(is_a)
        n = len(self._is_a)
        self._counts = np.zeros((2, hypotheses, CODES), np.uint32)
        self._sampled = np.sort(rng.choice(n, min(n, SAMPLE), replace=False, shuffle=False))
        self._sample = np.zeros((hypotheses, len(self._sampled)), np.uint16)
        self._seen = 0
        self._lowest, self._highest = CODES - 1, 0

    def add(self, scores: Half) -> None:
        """Takes the scores of the next n images: float16 (M, n), a high score meaning A.

        Raises:
            ValueError: a score is NaN (rows are named), or there are more scores than labels.
        """
        start, end = self._seen, self._seen + scores.shape[1]
        if scores.dtype != np.float16 or len(scores) != len(self._sample) or end > len(self._is_a):
            raise ValueError(
                f"{scores.dtype} scores {scores.shape} do not fit {len(self._sample)} hypotheses "
                f"and {len(self._is_a) - start} images to come: float16 (hypotheses, images)"
            )
        if start == end:
            return
        if (scores.view(np.uint16) & np.uint16(0x7FFF)).max(initial=0) > _INFINITY:
            refuse_nan(scores)
        offset = np.where(self._is_a[start:end], 0, CODES)
        first, last = np.searchsorted(self._sampled, [start, end])
        sampled = self._sampled[first:last] - start
        for row, values in enumerate(scores):  # one at a time, which stays in the cache
            codes = _codes(values)
            self._lowest = min(self._lowest, int(codes.min()))
            self._highest = max(self._highest, int(codes.max()))
            counted = np.bincount(offset + codes, minlength=2 * CODES).reshape(2, CODES)
            self._counts[:, row] += counted.astype(np.uint32)
            self._sample[row, first:last] = codes[sampled]
        self._seen = end

    def compare(self, *, rng: np.random.Generator) -> TestStatistics:
        """The statistics of all that was added.

        Raises:
            ValueError: fewer scores than labels were added.
        """
        if self._seen != len(self._is_a):
            raise ValueError(f"scores of {self._seen} images for {len(self._is_a)} labels")
        # Cosines use a part of all numbers: about a third, and of a real model's a thirtieth.
        used = self._counts[:, :, self._lowest : self._highest + 1]
        return compare_counts(*used, correlation=self._correlation(used), rng=rng)

    def _correlation(self, used: npt.NDArray[np.uint32]) -> FloatArray:
        """Rank correlation (M, M) over the sample, each score ranked among all N."""
        ranks = np.empty(self._sample.shape, np.float32)
        for row, sample in enumerate(self._sample - np.uint16(self._lowest)):
            counts = used[:, row].sum(axis=0, dtype=np.int64)
            below = np.cumsum(counts) - counts
            doubled = (2 * below + counts - self._seen).astype(np.float32)
            ranks[row] = doubled[sample]
        products = (ranks @ ranks.T).astype(np.float64)
        scale = np.sqrt(np.diag(products))
        scale[scale == 0] = 1.0  # a constant score goes with nothing
        correlation: FloatArray = products / np.outer(scale, scale)
        return correlation


def compare_counts(
    counts_a: npt.NDArray[np.integer[Any]],
    counts_b: npt.NDArray[np.integer[Any]],
    *,
    correlation: FloatArray,
    rng: np.random.Generator,
) -> TestStatistics:
    """As :func:`compare`, from counts (M, K): how many images of a set have each of K scores,
    lowest first. Every row of a set has the same sum.

    Args:
        correlation: (M, M) rank correlation of the hypotheses, for the Gaussian p_global.
    """
    blocks = list(_counted(counts_a, counts_b))
    if not blocks:
        return TestStatistics(np.zeros(0), np.zeros((0, 2)), np.zeros(0), np.zeros(0), 1.0)
    sizes = blocks[0].n_a, blocks[0].n_b
    parts = [_of_groups(groups) for groups in blocks]
    area, se, df, p, minority = (np.concatenate(part) for part in zip(*parts, strict=True))
    binary = TwoValued.joined([TwoValued.of(groups) for groups in blocks])
    if min(sizes) < FEW:
        rows = zip(counts_a, counts_b, strict=True)
        p = np.array([_counted_one_by_one(a, b, rng) for a, b in rows])
    p = np.where((minority < FEW) | (min(sizes) < FEW), two_valued_p(binary, p), p)
    ci = logit_interval(area, se, df, sizes)
    return TestStatistics(
        auroc=area,
        ci=ci,
        p_value=p,
        q_value=benjamini_hochberg(p),
        p_global=smallest_p(p, correlation, rng),
        auroc_shrunk=shrunken(area, ci),
        se=se,
        df=df,
        correlation=correlation,
    )


def _of_groups(
    groups: TieGroups,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """AUROC, standard error, degrees of freedom, p by the tails, images of a rarer score."""
    se, df = satterthwaite(*delong_steadied(groups), groups.n_a, groups.n_b)
    continuity = 0.5 / (groups.n_a * groups.n_b)
    p = larger_tail(groups.auroc, null_variance_of(groups), se, df, continuity)
    commonest = np.maximum.reduceat(groups.a + groups.b, groups.first)
    return groups.auroc, se, df, p, groups.n_a + groups.n_b - commonest


def _counted_one_by_one(
    counts_a: npt.NDArray[np.integer[Any]],
    counts_b: npt.NDArray[np.integer[Any]],
    rng: np.random.Generator,
) -> float:
    """p of one hypothesis where a set is small: by relabelling, from counts (K,)."""
    both = np.stack([counts_a, counts_b], axis=1).reshape(-1)
    codes = np.repeat(np.arange(len(both)) // 2, both).astype(np.float32)
    labels = np.repeat(np.arange(len(both)) % 2 == 0, both)
    return float(test(codes, Design(labels), rng=rng).p_value[0])


def _counted(
    counts_a: npt.NDArray[np.integer[Any]], counts_b: npt.NDArray[np.integer[Any]]
) -> Iterator[TieGroups]:
    """A few rows at a time, without the scores that no image has."""
    m, k = counts_a.shape
    step = max(1, CELLS_AT_ONCE // max(1, k))
    for start in range(0, m, step):
        rows = slice(start, start + step)
        used = np.flatnonzero(counts_a[rows].any(axis=0) | counts_b[rows].any(axis=0))
        a: FloatArray = counts_a[rows][:, used].astype(np.float64)
        b: FloatArray = counts_b[rows][:, used].astype(np.float64)
        yield TieGroups(
            a=a.reshape(-1),
            b=b.reshape(-1),
            a_below=(np.cumsum(a, axis=1) - a).reshape(-1),
            b_below=(np.cumsum(b, axis=1) - b).reshape(-1),
            first=np.arange(len(a)) * len(used),
            n_a=int(a[0].sum()),
            n_b=int(b[0].sum()),
        )


def _codes(scores: Half) -> Codes:
    """Unsigned codes in the order of the scores, −0 and 0 the same: uint16 of the same shape."""
    bits = np.ascontiguousarray(scores).view(np.uint16)
    sign = (bits.view(np.int16) >> 15).view(np.uint16)  # all ones where negative
    codes: Codes = bits ^ (sign | np.uint16(0x8000))
    codes += codes == 0x7FFF  # −0 becomes 0
    return codes
