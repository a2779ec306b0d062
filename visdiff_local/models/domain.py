"""Is a set of images of the kind that an embedder was trained on?

A small embedder that knows only one kind of picture ships the statistics of its own training
embeddings, in ``domain.safetensors`` beside its weights: ``means`` (k, d), ``whitening`` (d, d)
and ``threshold`` (1,). An image whose Mahalanobis distance from the nearest mean (Lee et al. 2018,
section 2.1, with clusters in place of classes) is larger than the threshold is outside the domain.
A model without such a file is taken to know photographs at large.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FILE = "domain.safetensors"
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Domain:
    """Means (k, d); whitening (d, d), whose ``W.T @ W`` is the precision matrix; threshold."""

    means: Floats
    whitening: Floats
    threshold: float


def load(folder: Path) -> Domain | None:
    """The statistics beside an embedder's weights; None where it has none."""
    path = folder / FILE
    if not path.exists():
        return None
    from safetensors.numpy import load_file

    tensors = load_file(path)
    return Domain(tensors["means"], tensors["whitening"], float(tensors["threshold"][0]))


def distances(vectors: Floats, domain: Domain) -> Floats:
    """Mahalanobis distance of each row (n, d) from its nearest mean: float32 (n,)."""
    whitened = vectors @ domain.whitening.T
    centres = domain.means @ domain.whitening.T
    squares = (whitened**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * whitened @ centres.T
    return np.asarray(np.sqrt(np.maximum(squares.min(1), 0.0)), dtype=np.float32)


def outside(vectors: Floats, domain: Domain) -> float:
    """The share of images (rows) outside the domain, 0 … 1; 0 where there are none."""
    if len(vectors) == 0:
        return 0.0
    return float(np.mean(distances(vectors, domain) > domain.threshold))
