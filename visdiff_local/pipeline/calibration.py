"""How a language model's yes and no add up to a judge's grade.

A proportional-odds model over the log-odds of a few answers and over the words that the texts
share. How it is fitted, and to what, stands beside the weights that ship (``assets/judge.json``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from visdiff_local.system import foreign

Floats = npt.NDArray[np.float64]

_CLIP = 1e-4
"""Probabilities nearer to 0 or 1 count as this: the last logits say nothing."""
PENALTY = 0.3
"""Of the squared weights, in units of the likelihood."""
LEAST_LABELS = 10
GENERAL = "default"
"""What a model is judged by that has no weights of its own."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """P(grade ≥ g) = σ(w·z − cut_g), z the features standardized.

    McCullagh, "Regression models for ordinal data", J. R. Stat. Soc. B 42 (1980).
    """

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    cuts: tuple[float, float]

    @classmethod
    def fit(
        cls, names: Sequence[str], values: Floats, grades: Sequence[int], penalty: float = PENALTY
    ) -> Self:
        """By maximum likelihood with a ridge.

        Args:
            names: k features.
            values: float (n, k), no NaN.
            grades: (n,) that people gave, 0 … 2.

        Raises:
            ValueError: fewer than :data:`LEAST_LABELS` grades, or all are equal.
        """
        given = np.asarray(grades, dtype=np.intp)
        if len(given) < LEAST_LABELS or np.ptp(given) == 0:
            raise ValueError(f"{len(given)} grades, {len(set(grades))} distinct: too few to fit to")
        mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-9
        z = (values - mean) / scale
        k = z.shape[1]

        from scipy.optimize import minimize  # half a second, which only a new judge pays

        def cost(at: Floats) -> float:
            chances = _chances(z @ at[:k], at[k], at[k] + np.exp(at[k + 1]))
            own = chances[np.arange(len(given)), given]
            return float(penalty * at[:k] @ at[:k] / 2 - np.log(np.maximum(own, 1e-12)).sum())

        found = minimize(cost, np.concatenate([np.zeros(k), [-1.0, 0.5]]), method="BFGS").x
        low, high = float(found[k]), float(found[k] + np.exp(found[k + 1]))
        return cls(tuple(names), _plain(mean), _plain(scale), _plain(found[:k]), (low, high))

    def probabilities(self, values: Floats) -> Floats:
        """Float64 (n, 3), rows sum to 1.

        Args:
            values: float (n, k), no NaN, in the order of ``features``.
        """
        z = (values - np.array(self.mean)) / np.array(self.scale)
        return _chances(z @ np.array(self.weights), *self.cuts)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """What :meth:`to_json` gave; other fields, such as where it comes from, are left alone."""
        mean, scale, weights = (
            tuple(map(float, fields[name])) for name in ("mean", "scale", "weights")
        )
        low, high = map(float, fields["cuts"])
        return cls(tuple(fields["features"]), mean, scale, weights, (low, high))

    def to_json(self) -> dict[str, Any]:
        """As plain lists."""
        return {name: list(value) for name, value in asdict(self).items()}


def logits(answers: Floats) -> Floats:
    """The log-odds of probabilities, clipped."""
    p = np.clip(answers, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(p / (1 - p)), dtype=np.float64)


def shipped(model: str) -> Calibration:
    """The weights for this language model, by its name in models.toml; else the general ones."""
    known = _shipped()
    return known.get(model, known[GENERAL])


@cache
def _shipped() -> Mapping[str, Calibration]:
    text = (resources.files("visdiff_local") / "assets" / "judge.json").read_text(encoding="utf-8")
    return {name: Calibration.from_json(entry) for name, entry in foreign.json_object(text).items()}


def _chances(scores: Floats, low: float, high: float) -> Floats:
    at_least = [1 / (1 + np.exp(np.clip(cut - scores, -500, 500))) for cut in (low, high)]
    return np.stack([1 - at_least[0], at_least[0] - at_least[1], at_least[1]], axis=1)


def _plain(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
