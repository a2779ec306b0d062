"""Do the sets differ at all? A test that needs no text, and how much of it the texts explain.

**The test**: images as random features of their embeddings (Rahimi & Recht 2007), whose mean
difference is the maximum mean discrepancy of Gaussian kernels (Gretton et al. 2012), of two widths,
and the mean difference of the embeddings as they are. Each is compared with what it becomes when
units are relabelled as the design has it; the answer is the p of the largest of the three.

**What is explained**: how well a held-out ridge regression tells the sets apart from the texts'
scores, as a part of how well it does from scores and embeddings together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visdiff_local.stats.clustered import Cells
from visdiff_local.stats.design import Design
from visdiff_local.stats.measured import relabelling_of
from visdiff_local.stats.null import Labels, Relabelling
from visdiff_local.stats.paired import by_unit, pair_means
from visdiff_local.stats.stratified import Relabelled, layers
from visdiff_local.stats.ties import FloatArray, IntArray, refuse_nan

AT_MOST = 5_000
"""Images of each set that are looked at; beyond, whole units are drawn."""

FEATURES = 256
"""Random features of each width of kernel."""

_WIDTHS = (1.0, 0.4)
"""In medians of the distance between two images: differences of the whole, and of small groups."""

_FOLDS = 5
_RIDGES = np.geomspace(1e-3, 1e3, 13)
_MOST_DIRECTIONS = 256

Embeddings = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Difference:
    """How two sets differ, whatever texts say."""

    p_any: float
    """Of the sets being samples of one population: relabellings that tell them apart as well."""
    images: int
    """Looked at, of both sets."""
    attainable_p: float
    """The smallest p that relabelling so few units can reach."""


def difference(
    embeddings: Embeddings,
    design: Design,
    *,
    permutations: int = 1000,
    rng: np.random.Generator,
) -> Difference:
    """Tests whether A and B differ in any way that their embeddings show.

    Args:
        embeddings: float16 or float32 (N, d), a row an image, read where it is needed only.
        design: relabelled are its units, within its strata; of pairs, sides trade places.

    Raises:
        ValueError: a number is NaN, or the rows are not as many as the design's images.
    """
    used = _drawn(design, embeddings, rng)
    part = design if len(used) == len(design.is_a) else design.subset(used)
    vectors = _rows(embeddings, used)
    relabelled, relabelling = _mean_differences(_features(vectors, rng), part)
    cuts = np.cumsum([vectors.shape[1], FEATURES])

    def sizes(labels: Labels) -> FloatArray:
        """Squared length of each group of features' mean difference: (3, count)."""
        groups = np.split(relabelled(labels), cuts)
        return np.stack([(group**2).sum(axis=0) for group in groups])

    observed = sizes(relabelling.observed)[:, 0]
    drawn = np.concatenate([sizes(x) for x in relabelling.draws(permutations, rng)], axis=1)
    if not relabelling.exhaustive(permutations):
        drawn = np.concatenate([observed[:, None], drawn], axis=1)
    # How many of its own each statistic is at least as large as, the observed one among them (where
    # all are alike, all of them): then the largest of the three.
    tolerance = 1e-6 * np.abs(drawn).max(axis=1, initial=1e-30)
    ranked = [
        np.searchsorted(np.sort(row), np.array([seen, *row]) + slack, side="right")
        for row, seen, slack in zip(drawn, observed, tolerance, strict=True)
    ]
    own, *others = np.max(ranked, axis=0)
    reached = int((np.asarray(others) >= own).sum())
    p = max(reached, 1) / drawn.shape[1]
    return Difference(min(1.0, p), len(used), relabelling.attainable_p)


def explained(
    embeddings: Embeddings,
    scores: npt.ArrayLike,
    design: Design,
    *,
    rng: np.random.Generator,
) -> float | None:
    """How much of what tells the sets apart the texts' scores (M, N) hold: 0 … 1.

    A ridge regression of the label, within strata, fitted on four fifths of the units and tried on
    the rest: R² of the scores, over that of the scores with the embeddings. None where not even
    those tell the sets apart; 0 with no text.

    Raises:
        ValueError: as :func:`difference`; or scores of another number of images.
    """
    matrix = np.atleast_2d(np.asarray(scores))
    used = _drawn(design, embeddings, rng)
    part = design if len(used) == len(design.is_a) else design.subset(used)
    if matrix.size and matrix.shape[1] != len(design.is_a):
        raise ValueError(f"scores of {matrix.shape[1]} images for {len(design.is_a)}")
    vectors = _directions(_rows(embeddings, used))
    told = matrix[:, used].T.astype(np.float64) if matrix.size else np.empty((len(used), 0))
    refuse_nan(told.T)
    target = part.is_a.astype(np.float64)
    columns = [target[:, None], told, vectors]
    target, told, vectors = (_within(x, part) for x in columns)
    fold = rng.integers(_FOLDS, size=int(part.unit.max()) + 1)[part.unit]
    fold[~part.kept] = -1
    whole = _held_out_r2(np.concatenate([_unit_scale(told), vectors], axis=1), target[:, 0], fold)
    # By luck a held-out R² of nothing is above 0 now and then, of about 1/N.
    if whole <= 2 / max(1, int(part.kept.sum())):
        return None
    if not told.shape[1]:
        return 0.0
    from_texts = _held_out_r2(_unit_scale(told), target[:, 0], fold)
    return float(min(max(from_texts / whole, 0.0), 1.0))


def _drawn(design: Design, embeddings: Embeddings, rng: np.random.Generator) -> IntArray:
    """Positions of the images looked at: whole units, about AT_MOST of each set, all strata."""
    n = len(design.is_a)
    if embeddings.ndim != 2 or len(embeddings) != n:
        raise ValueError(f"embeddings {embeddings.shape} for {n} images: a row an image")
    kept = np.flatnonzero(design.kept)
    key = rng.random(int(design.unit.max()) + 1)[design.unit]
    chosen = []
    for side in (True, False):
        mine = kept[design.is_a[kept] == side]
        if len(mine) > AT_MOST:
            mine = mine[np.argsort(key[mine], kind="stable")[:AT_MOST]]
        chosen.append(mine)
    used = np.sort(np.concatenate(chosen))
    try:
        design.subset(used)
    except ValueError:  # no stratum, or id, came out with both sets: take all there is
        return np.asarray(kept)
    return np.asarray(used)


def _rows(embeddings: Embeddings, used: IntArray) -> npt.NDArray[np.float32]:
    vectors = np.asarray(embeddings[used], np.float32)
    refuse_nan(vectors)
    return vectors


def _features(
    vectors: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """The embeddings and their random features, a column an image: (d + 2 · FEATURES, N)."""
    n, d = vectors.shape
    first, second = rng.integers(n, size=(2, 2000))
    apart = np.linalg.norm(vectors[first] - vectors[second], axis=1)
    typical = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
    parts = [vectors.T.astype(np.float32)]
    for width in _WIDTHS:
        waves = rng.standard_normal((FEATURES, d)).astype(np.float32) / np.float32(width * typical)
        phase = rng.uniform(0, 2 * np.pi, (FEATURES, 1)).astype(np.float32)
        parts.append(np.cos(waves @ vectors.T + phase))
    return np.concatenate(parts)


def _mean_differences(
    features: npt.NDArray[np.float32], design: Design
) -> tuple[Callable[[Labels], FloatArray], Relabelling]:
    """Mean of A less mean of B of features (F, N) under relabellings, and these."""
    if design.paired:
        of_a, of_b, unit = pair_means(features, design)
        sums = by_unit(of_a - of_b, unit) / len(unit)
        everywhere = np.ones(sums.shape[1], np.bool_)
        relabelling = Relabelling(np.zeros(sums.shape[1], np.int64), everywhere, everywhere)
        return lambda labels: sums @ (1 - 2 * labels.values), relabelling
    unit, relabelling = relabelling_of(design)
    strata = []
    for layer in layers(design):
        part = features[:, layer.images]
        # As a mean difference is 2n times what Relabelled makes of centred sums.
        part = 2 * len(layer.images) * (part - part.mean(axis=1, keepdims=True))
        strata.append(Cells.of(layer, unit).ranks(part, relabelling))
    relabelled = Relabelled(strata, np.zeros(len(features), np.bool_))
    return lambda labels: relabelled(labels)[0], relabelling


def _within(values: FloatArray, design: Design) -> FloatArray:
    """Values (N, p) less the mean of their stratum, or of their pair; 0 of what takes no part."""
    group = np.where(design.kept, design.pair if design.paired else design.stratum, -1)
    size = int(group.max()) + 1
    counts = np.maximum(np.bincount(group[design.kept], minlength=size), 1)
    out = np.zeros(values.shape)
    for column in range(values.shape[1]):
        sums = np.bincount(group[design.kept], values[design.kept, column], minlength=size)
        out[design.kept, column] = (values[:, column] - (sums / counts)[group])[design.kept]
    return out


def _directions(vectors: npt.NDArray[np.float32]) -> FloatArray:
    """The embeddings in their main directions (N, ≤ 256), the first of variance 1."""
    centred = vectors - vectors.mean(axis=0)
    spread, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(vectors))
    scale = np.sqrt(spread[-1]) if spread[-1] > 0 else 1.0
    return np.asarray(centred @ axes[:, ::-1][:, :_MOST_DIRECTIONS] / scale)


def _unit_scale(columns: FloatArray) -> FloatArray:
    spread = columns.std(axis=0)
    return np.asarray(columns / np.where(spread > 0, spread, 1.0))


def _held_out_r2(columns: FloatArray, target: FloatArray, fold: IntArray) -> float:
    """1 − squared error / squares of ``target`` (N,), from columns (N, p), out of fold; of the best
    ridge of a grid. Folds (N,), −1 where an image takes no part."""
    parts = [np.flatnonzero(fold == k) for k in range(_FOLDS)]
    gram = [columns[part].T @ columns[part] for part in parts]
    with_target = [columns[part].T @ target[part] for part in parts]
    error, squares = np.zeros(len(_RIDGES)), 0.0
    for k, part in enumerate(parts):
        values, axes = np.linalg.eigh(sum(gram) - gram[k])
        turned = axes.T @ (sum(with_target) - with_target[k])
        images = sum(len(p) for p in parts) - len(part)
        held_out = columns[part] @ axes
        for number, ridge in enumerate(_RIDGES):
            answer = held_out @ (turned / (np.maximum(values, 0.0) + ridge * images * 1e-2 + 1e-9))
            error[number] += float(((target[part] - answer) ** 2).sum())
        squares += float((target[part] ** 2).sum())
    return float(1 - error.min() / squares) if squares > 0 else 0.0
