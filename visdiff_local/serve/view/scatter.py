"""The embeddings in the plane: by principal components, or by UMAP where it is installed.

UMAP compiles itself for half a minute and takes the memory of the page over again, so it runs in a
process of its own: ``python -m visdiff_local.serve.view.scatter``, float32 rows in, points out.
"""

import os
import subprocess
import sys
import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from visdiff_local.errors import InputError
from visdiff_local.models.backends.files import dependency
from visdiff_local.protocols import FloatArray
from visdiff_local.system import processes

MOST = 5000
"""Points that are drawn: more are a blot, and no browser likes them."""
FEWEST = 16
"""Images from which UMAP has neighbours to look at."""
INSTALL = "pip install 'visdiff_local[umap]'"
_running: "set[subprocess.Popen[bytes]]" = set()


@dataclass(frozen=True, slots=True)
class Plane:
    """Where images lie: rows of the table, and float32 (n, 2)."""

    rows: npt.NDArray[np.int64]
    points: FloatArray
    how: str


def has_umap() -> bool:
    """Whether ``umap-learn`` is installed."""
    return find_spec("umap") is not None


def plane(
    rows: npt.NDArray[np.int64], embeddings: npt.NDArray[np.float16], *, use_umap: bool = False
) -> Plane:
    """At most :data:`MOST` images, drawn at random, always the same ones.

    Raises:
        InputError: there are too few images for UMAP, or its process was ended.
    """
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.permutation(len(rows))[:MOST])
    matrix = embeddings[chosen].astype(np.float32)
    if use_umap:
        return Plane(rows[chosen], _umap(matrix), "UMAP")
    return Plane(rows[chosen], principal(matrix), "two principal components")


def stop() -> None:
    """Ends what still runs, when the page does."""
    for process in tuple(_running):
        process.terminate()


def _umap(matrix: FloatArray) -> FloatArray:
    if len(matrix) < FEWEST:
        raise InputError(f"UMAP wants {FEWEST} images at least; there are {len(matrix)}")
    process = processes.piped_python("visdiff_local.serve.view.scatter", str(len(matrix)))
    _running.add(process)
    try:
        content, _ = process.communicate(matrix.astype("<f4").tobytes())
    finally:
        _running.discard(process)
    if process.returncode:
        raise InputError(f"UMAP ended with exit code {process.returncode}: see the terminal")
    return np.frombuffer(content, "<f4").reshape(-1, 2)


def main() -> None:
    """What the process does: as many rows as its argument says, from standard input."""
    with dependency("umap", INSTALL):
        import umap
    matrix = np.frombuffer(sys.stdin.buffer.read(), "<f4").reshape(int(sys.argv[1]), -1)
    # With a seed UMAP runs in one thread, and warns of it whatever is asked for.
    warnings.filterwarnings("ignore", "n_jobs", UserWarning)
    found = umap.UMAP(n_components=2, metric="cosine", random_state=0)
    with os.fdopen(os.dup(1), "wb") as points:
        os.dup2(2, 1)  # what a library prints must not come between them
        points.write(np.asarray(found.fit_transform(matrix), dtype="<f4").tobytes())


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


if __name__ == "__main__":
    main()
