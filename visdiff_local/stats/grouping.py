"""Do images belong together, and does it matter? Asked of every grouping that is known, unasked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.design import Codes, codes
from visdiff_local.stats.ties import BoolArray, FloatArray, IntArray, centred_ranks, checked


def intraclass_correlation(
    scores: npt.ArrayLike, clusters: Codes, is_a: npt.ArrayLike | None = None
) -> FloatArray:
    """How alike the scores of a cluster are, beside those of others: (M,), in [−1, 1], NaN where
    no cluster has two images or there is only one.

    One-way analysis of variance of the mid-ranks (Donner 1986, "A review of inference procedures
    for the intraclass correlation coefficient"), within each set, so that a difference between the
    sets is not taken for one between clusters.

    Args:
        scores: float (M, N).
        clusters: a value an image; None: a cluster of its own.
        is_a: bool (N,); None: all images are one set.

    Raises:
        ValueError: a score is NaN, or the lengths differ.
    """
    matrix = np.atleast_2d(np.asarray(scores))
    n = matrix.shape[1]
    if len(clusters) != n:
        raise ValueError(f"clusters: {len(clusters)} values for {n} images")
    side = np.zeros(n, np.bool_) if is_a is None else np.asarray(is_a, np.bool_)
    checked(matrix, np.arange(n) < 1)
    table = variance_table(codes(clusters), side)
    return table.correlation(centred_ranks(matrix).astype(np.float64))


@dataclass(frozen=True, eq=False, slots=True)
class VarianceTable:
    """Analysis of variance between clusters, within sets."""

    order: IntArray
    starts: IntArray
    size: FloatArray
    side: BoolArray
    """(k,) per cluster and set."""

    def correlation(
        self,
        values: FloatArray,
        dealt: IntArray | None = None,
        squares: FloatArray | None = None,
    ) -> FloatArray:
        """Of values (M, N).

        Args:
            dealt: (N,), whose values each image has instead of its own.
            squares: (M,), the sum of the squares of each row, where it is known.
        """
        order = self.order if dealt is None else dealt[self.order]
        squares = (values**2).sum(axis=1) if squares is None else squares
        k, n = len(self.size), float(self.size.sum())
        sides = np.unique(self.side)
        if k <= len(sides) or n <= k:
            return np.full(len(values), np.nan)
        means = np.add.reduceat(values[:, order], self.starts, axis=1) / self.size
        within = squares - (self.size * means**2).sum(axis=1)
        between, typical = np.zeros(len(values)), n
        for side in sides:
            mine = self.side == side
            size, mean = self.size[mine], means[:, mine]
            grand = (size * mean).sum(axis=1, keepdims=True) / size.sum()
            between += (size * (mean - grand) ** 2).sum(axis=1)
            typical -= (size**2).sum() / size.sum()
        typical /= k - len(sides)
        ms_between, ms_within = between / (k - len(sides)), within / (n - k)
        scale = ms_between + (typical - 1) * ms_within
        icc = (ms_between - ms_within) / np.where(scale > 0, scale, 1.0)
        return np.where(scale > 0, np.clip(icc, -1.0, 1.0), 0.0)


def variance_table(cluster: IntArray, side: BoolArray) -> VarianceTable:
    """Of clusters (N,), −1 for one of its own, and sets (N,)."""
    alone = cluster < 0
    cluster = cluster.copy()
    cluster[alone] = cluster.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    joint = cluster * 2 + side
    order = np.argsort(joint, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(joint[order]) != 0))
    size = np.diff(np.append(starts, len(joint))).astype(np.float64)
    return VarianceTable(order, starts, size, side[order][starts])


def design_effect(icc: npt.ArrayLike, sizes: npt.ArrayLike) -> FloatArray:
    """By how much clusters of these sizes (k,) raise a mean's variance: Kish 1965, 1 + (m − 1)·ICC,
    m the size of the cluster of an average image. Never below 1."""
    size = np.asarray(sizes, np.float64)
    beyond = (size**2).sum() / size.sum() - 1
    return np.asarray(np.maximum(1.0, 1 + beyond * np.asarray(icc, np.float64)))


@dataclass(frozen=True, slots=True)
class GroupingEffect:
    """What would be overlooked if a grouping of the images were ignored."""

    name: str
    icc: float
    """Intra-class correlation, mean over the hypotheses."""
    design_effect: float
    """So many times as large is the variance of an AUROC as with independent images."""
    p_value: float
    """Of no correlation, by dealing the images of each set to the clusters at random."""
    clusters: int
    matters: bool
    """Whether to warn: see :func:`grouping_effects`."""


MATTERS_FROM = 1.25
"""Design effect from which intervals are a tenth too short if the grouping is ignored."""


def grouping_effects(
    scores: npt.ArrayLike,
    is_a: npt.ArrayLike,
    groupings: Mapping[str, Codes],
    *,
    rng: np.random.Generator,
    alpha: float = 0.01,
    permutations: int = 1000,
    at_most: int = 4000,
) -> list[GroupingEffect]:
    """For each way to group images that is known: do the scores show that it matters? Worst first.

    A grouping matters where its correlation is beyond chance at ``alpha`` (Bonferroni over the
    groupings) and the design effect is :data:`MATTERS_FROM` or more. One that tells the sets apart
    altogether, or has no two images in a cluster, is passed over.

    Args:
        scores: float (M, N), of the hypotheses that were tested.
        groupings: name → a value an image (N,); None: a cluster of its own.
        at_most: images looked at; beyond, whole clusters are drawn.
    """
    matrix, labels = checked(scores, is_a)
    found = []
    for name, column in groupings.items():
        cluster = codes(column)
        used = _whole_clusters(cluster, at_most, rng)
        side, part = labels[used], cluster[used]
        table = variance_table(part, side)
        ranks = _standard(centred_ranks(matrix[:, used]), side)
        observed = table.correlation(ranks)
        if not len(ranks) or np.isnan(observed).all():
            continue
        icc = float(observed.mean())
        reached, squares = 0, (ranks**2).sum(axis=1)
        for _ in range(permutations):
            dealt = np.empty(len(side), np.int64)
            for value in (True, False):
                at = np.flatnonzero(side == value)
                dealt[at] = rng.permutation(at)
            by_chance = table.correlation(ranks, dealt, squares).mean()
            reached += bool(by_chance >= icc - 1e-12)
            if reached >= 10 * (1 + permutations * alpha):
                break  # it will not matter any more
        p = (1 + reached) / (1 + permutations)
        effect = float(design_effect(icc, np.bincount(part[part >= 0])))
        found.append((name, icc, effect, p, len(np.unique(part[part >= 0]))))
    limit = alpha / max(1, len(found))
    effects = [
        GroupingEffect(
            n, i, e, p, k, p <= max(limit, 1.5 / (1 + permutations)) and e >= MATTERS_FROM
        )
        for n, i, e, p, k in found
    ]
    return sorted(effects, key=lambda item: (not item.matters, -item.design_effect, item.name))


def _standard(ranks: npt.NDArray[np.float32], side: BoolArray) -> FloatArray:
    """Ranks (M, N) less their set's mean, each row of variance 1."""
    values = ranks.astype(np.float64)
    for value in (True, False):
        values[:, side == value] -= values[:, side == value].mean(axis=1, keepdims=True)
    norm = np.sqrt((values**2).mean(axis=1, keepdims=True))
    return np.asarray(values / np.where(norm > 0, norm, 1.0))


def _whole_clusters(cluster: IntArray, at_most: int, rng: np.random.Generator) -> IntArray:
    """Positions of about ``at_most`` images, whole clusters together."""
    if len(cluster) <= at_most:
        return np.arange(len(cluster))
    alone = cluster < 0
    own = np.where(alone, cluster.max(initial=-1) + 1 + np.cumsum(alone), cluster)
    key = rng.random(int(own.max()) + 1)[own]
    return np.sort(np.argsort(key, kind="stable")[:at_most])
