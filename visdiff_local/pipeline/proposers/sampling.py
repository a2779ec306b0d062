"""Which images of the explore half the proposer sees.

Three ways: at *random* (the paper's); *discriminative*, the images that a linear probe on the
embeddings finds most typical of their side, which finds differences that only few images show; and
by *cluster*, all images of one round from one sub-group, so that differences inside it come out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from visdiff_local.config import Sampling
from visdiff_local.errors import UsageError
from visdiff_local.protocols import Embedder, FloatArray
from visdiff_local.types import ImageRef

Indices = npt.NDArray[np.intp]

_TYPICAL = 1.5
"""Discriminative sampling draws from the most typical images of a side, so many times as many as it
needs, so that rounds differ although the probe does not."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round of proposing sees. Paired: ``a[i]`` and ``b[i]`` belong together."""

    a: tuple[ImageRef, ...]
    b: tuple[ImageRef, ...]

    def swapped(self) -> "Sample":
        """The sides exchanged: what is asked for is then what is more true of B."""
        return Sample(self.b, self.a)


def draw(
    a: Sequence[ImageRef],
    b: Sequence[ImageRef],
    *,
    size: int,
    rounds: int,
    how: Sampling = "random",
    rng: np.random.Generator,
    embedder: Embedder | None = None,
) -> list[Sample]:
    """One sample a round, ``size`` images a side, or all where there are fewer.

    Args:
        embedder: needed by every way but ``random``.

    Raises:
        UsageError: an unknown way, or one that needs an embedder and has none.
    """
    if how not in get_args(Sampling):
        raise UsageError(f"no sampling is called {how!r}; choose one of {get_args(Sampling)}")
    if how == "random":
        choices = [(_some(len(a), size, rng), _some(len(b), size, rng)) for _ in range(rounds)]
    elif embedder is None:
        raise UsageError(f"sampling {how!r} needs an embedder")
    else:
        pick = _discriminative if how == "discriminative" else _clustered
        choices = pick(embedder.embed_images(a), embedder.embed_images(b), size, rounds, rng)
    return [Sample(tuple(a[i] for i in ia), tuple(b[i] for i in ib)) for ia, ib in choices]


def draw_pairs(
    a: Sequence[ImageRef],
    b: Sequence[ImageRef],
    pair_a: Indices,
    pair_b: Indices,
    *,
    size: int,
    rounds: int,
    rng: np.random.Generator,
) -> list[Sample]:
    """Samples of images that belong together, aligned in both tuples: one image a side of an id.

    Args:
        pair_a: (n_a,) what each image is paired by, as a code; -1 where it has no partner.
        pair_b: (n_b,) likewise.
    """
    ids = np.intersect1d(pair_a[pair_a >= 0], pair_b[pair_b >= 0])
    samples = []
    for _ in range(rounds):
        chosen = ids[_some(len(ids), size, rng)]
        samples.append(
            Sample(
                tuple(a[rng.choice(np.flatnonzero(pair_a == one))] for one in chosen),
                tuple(b[rng.choice(np.flatnonzero(pair_b == one))] for one in chosen),
            )
        )
    return samples


def draw_within(
    a: Sequence[ImageRef],
    b: Sequence[ImageRef],
    stratum_a: Indices,
    stratum_b: Indices,
    *,
    size: int,
    rounds: int,
    rng: np.random.Generator,
) -> list[Sample]:
    """Samples with as many images of each stratum from A as from B: the strata themselves, whose
    mix may differ between the sets, cannot be seen in them.

    Strata have the weights that they have in the test (van Elteren 1960), as far as images go.

    Args:
        stratum_a: (n_a,) codes; -1 where an image has none.
        stratum_b: (n_b,) likewise.
    """
    common = np.intersect1d(stratum_a[stratum_a >= 0], stratum_b[stratum_b >= 0])
    counts = [np.array([(side == one).sum() for one in common]) for side in (stratum_a, stratum_b)]
    weights = counts[0] * counts[1] / (counts[0] + counts[1])
    wanted = np.minimum(rng.multinomial(size, weights / weights.sum()), np.minimum(*counts))
    wanted = np.maximum(wanted, 1) if wanted.sum() == 0 else wanted

    def drawn(refs: Sequence[ImageRef], strata: Indices) -> tuple[ImageRef, ...]:
        chosen = [
            rng.permutation(np.flatnonzero(strata == one))[:n]
            for one, n in zip(common, wanted, strict=True)
        ]
        return tuple(refs[i] for i in np.concatenate(chosen))

    return [Sample(drawn(a, stratum_a), drawn(b, stratum_b)) for _ in range(rounds)]


def probe_scores(
    vectors_a: FloatArray, vectors_b: FloatArray, rng: np.random.Generator, *, folds: int = 5
) -> tuple[FloatArray, FloatArray]:
    """How much each image looks like A to a ridge probe that was fitted without it.

    Args:
        vectors_a: float32 (n_a, d).
        vectors_b: float32 (n_b, d).

    Returns:
        Float32 (n_a,) and (n_b,), higher is more like A. Zeros where a side has one image.
    """
    x = np.concatenate([vectors_a, vectors_b]).astype(np.float64)
    is_a = np.arange(len(x)) < len(vectors_a)
    fold = np.empty(len(x), dtype=np.intp)
    for side in (is_a, ~is_a):
        fold[side] = rng.permutation(int(side.sum())) % folds
    scores = np.zeros(len(x))
    for held_out in range(folds):
        test = fold == held_out
        if test.any() and is_a[~test].any() and (~is_a[~test]).any():
            scores[test] = _ridge(x[~test], is_a[~test], x[test])
    as_float = scores.astype(np.float32)
    return as_float[is_a], as_float[~is_a]


def _ridge(
    x: npt.NDArray[np.float64], is_a: npt.NDArray[np.bool_], at: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Ridge regression of ±1 with both sides weighing the same; penalty: the mean variance."""
    weight = np.where(is_a, 0.5 / is_a.sum(), 0.5 / (~is_a).sum())
    mean = weight @ x
    centred = x - mean
    covariance = (centred * weight[:, None]).T @ centred
    penalty = max(float(np.trace(covariance)) / x.shape[1], 1e-9)
    target = (centred * weight[:, None]).T @ np.where(is_a, 1.0, -1.0)
    beta = np.linalg.solve(covariance + penalty * np.eye(x.shape[1]), target)
    return np.asarray((at - mean) @ beta)


def _some(n: int, size: int, rng: np.random.Generator) -> Indices:
    return rng.permutation(n)[:size]


def _discriminative(
    vectors_a: FloatArray,
    vectors_b: FloatArray,
    size: int,
    rounds: int,
    rng: np.random.Generator,
) -> list[tuple[Indices, Indices]]:
    scores_a, scores_b = probe_scores(vectors_a, vectors_b, rng)
    typical_a, typical_b = _highest(scores_a, size), _highest(-scores_b, size)
    return [
        (
            typical_a[_some(len(typical_a), size, rng)],
            typical_b[_some(len(typical_b), size, rng)],
        )
        for _ in range(rounds)
    ]


def _highest(scores: FloatArray, size: int) -> Indices:
    return np.argsort(-scores, kind="stable")[: round(_TYPICAL * size)]


def _clustered(
    vectors_a: FloatArray,
    vectors_b: FloatArray,
    size: int,
    rounds: int,
    rng: np.random.Generator,
) -> list[tuple[Indices, Indices]]:
    """A cluster a round, the largest first, and of each side the images nearest to its centre."""
    together = np.concatenate([vectors_a, vectors_b]).astype(np.float64)
    k = max(1, min(rounds, len(together) // max(1, size)))
    from scipy.cluster.vq import kmeans2

    centres, labels = kmeans2(together, k, minit="++", rng=rng)
    by_size = np.argsort(-np.bincount(labels, minlength=k), kind="stable")
    return [
        tuple(  # type: ignore[misc]
            _nearest(vectors, centres[by_size[number % k]], size, rng)
            for vectors in (vectors_a, vectors_b)
        )
        for number in range(rounds)
    ]


def _nearest(
    vectors: FloatArray, centre: npt.NDArray[np.float64], size: int, rng: np.random.Generator
) -> Indices:
    distance = np.linalg.norm(vectors - centre, axis=1)
    near = np.argsort(distance, kind="stable")[: max(size, min(2 * size, len(vectors)))]
    return near[_some(len(near), size, rng)]
