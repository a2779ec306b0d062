"""The embeddings in the plane: by UMAP where it is installed, else by principal components."""

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from visdiff_local.protocols import FloatArray

MOST = 5000
"""Points that are drawn: more are a blot, and no browser likes them."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Where images lie: rows of the table, and float32 (n, 2)."""

    rows: npt.NDArray[np.int64]
    points: FloatArray
    how: str


def plane(
    rows: npt.NDArray[np.int64],
    embeddings: npt.NDArray[np.float16],
    *,
    use_umap: bool | None = None,
) -> Plane:
    """At most :data:`MOST` images, drawn at random, always the same ones.

    Args:
        use_umap: by default where ``umap-learn`` is installed.
    """
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.permutation(len(rows))[:MOST])
    matrix = embeddings[chosen].astype(np.float32)
    if use_umap is None:
        use_umap = find_spec("umap") is not None
    if use_umap and len(matrix) > 15:
        import umap

        points = umap.UMAP(n_components=2, metric="cosine", random_state=0).fit_transform(matrix)
        return Plane(rows[chosen], np.asarray(points, dtype=np.float32), "UMAP")
    return Plane(rows[chosen], principal(matrix), "two principal components")


def principal(matrix: FloatArray) -> FloatArray:
    """The first two principal components (n, 2), each with its largest loading positive."""
    if len(matrix) == 0:
        return np.zeros((0, 2), np.float32)
    centred = matrix - matrix.mean(axis=0)
    _, _, axes = np.linalg.svd(centred.T @ centred / len(matrix), hermitian=True)
    first = axes[:2]
    signs = np.sign(first[np.arange(len(first)), np.abs(first).argmax(axis=1)])
    points = centred @ (first * signs[:, None]).T
    if points.shape[1] < 2:
        points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    found: FloatArray = points.astype(np.float32)
    return found
