"""The bootstrap over pairs and seeds."""

import numpy as np
import pytest

from tests.support.labelled import Rng
from visdiff_local import stats


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(7)


def test_the_bootstrap_covers_and_keeps_seeds_together(rng: Rng):
    covered = 0
    for _ in range(200):
        pair = rng.standard_normal((60, 1))
        mean, low, high = stats.paired_bootstrap(
            pair + 0.1 * rng.standard_normal((60, 5)), rng, n=400
        )
        assert low <= mean <= high
        covered += low <= 0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_bootstrap_of_a_difference_uses_the_pairing(rng: Rng):
    hard = 3 * rng.standard_normal((80, 1))
    ours, theirs = hard + 0.2 + 0.1 * rng.standard_normal((80, 3)), hard + np.zeros((80, 1))
    mean, low, high = stats.paired_bootstrap_difference(ours, theirs, rng)
    assert 0.15 < low < mean < high < 0.25
    with pytest.raises(ValueError, match="the same pairs"):
        stats.paired_bootstrap_difference(ours, theirs[:-1], rng)
    with pytest.raises(ValueError, match="a value for every pair"):
        stats.paired_bootstrap([], rng)
