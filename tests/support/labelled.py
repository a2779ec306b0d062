"""Scores with labels, and AUROC by its definition."""

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Rng = np.random.Generator


def half_and_half(n: int) -> npt.NDArray[np.bool_]:
    return np.arange(n) < n // 2


def by_pairs(scores: npt.NDArray[np.floating], is_a: npt.NDArray[np.bool_]) -> float:
    """AUROC by its definition."""
    a, b = scores[is_a, None].astype(float), scores[None, ~is_a].astype(float)
    return float((a > b).mean() + (a == b).mean() / 2)


labelled_scores = st.integers(2, 24).flatmap(
    lambda n: st.tuples(
        hnp.arrays(
            st.sampled_from([np.float16, np.float32, np.float64]),
            (3, n),
            elements=st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 0.25, 0.5, 1.0, 2.0**-14, np.inf]),
        ),
        hnp.arrays(np.bool_, n).filter(lambda labels: 0 < labels.sum() < len(labels)),
    )
)
