"""Synthetic scores of hypotheses, and how often something happened, for the statistical benches."""

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm

from visdiff_local import stats

Array = npt.NDArray[np.float64]


def options(description: str, runs: int, **more: int) -> argparse.Namespace:
    """``--runs`` and ``--seed``, and a whole number for each name in ``more``."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument("--seed", type=int, default=0)
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def shift(area: npt.ArrayLike) -> Array:
    """How far normal scores of variance 1 must be apart for that AUROC."""
    return np.asarray(np.sqrt(2) * norm.ppf(area))


def alike(rows: int, columns: int, rng: np.random.Generator, common: float = 0.3) -> Array:
    """Standard normal scores (rows, columns) that go together as texts on one theme do: five
    directions carry ``common`` of the variance."""
    load = rng.standard_normal((rows, 5))
    load *= np.sqrt(common) / np.linalg.norm(load, axis=1, keepdims=True)
    own = np.sqrt(1 - common) * rng.standard_normal((rows, columns))
    return np.asarray(load @ rng.standard_normal((5, columns)) + own)


def confirmed(found: stats.TestStatistics) -> npt.NDArray[np.bool_]:
    """(M,) at the usual 5 % and floor."""
    return stats.confirmable(found, 0.05)


def rate(hits: float, runs: int) -> str:
    """``hits of runs, share [exact 95 % interval]``."""
    low = beta.ppf(0.025, hits, runs - hits + 1) if hits > 0 else 0.0
    high = beta.ppf(0.975, hits + 1, runs - hits) if hits < runs else 1.0
    return f"{hits:g} of {runs}, {hits / runs:.3f} [{low:.3f}, {high:.3f}]"


def table(rows: Sequence[tuple[str, str]]) -> None:
    """Prints two columns."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
