"""Pairs, against scipy and all swaps."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tests.support.labelled import Rng, half_and_half
from visdiff_local import stats
from visdiff_local.stats.paired import EXACT_PAIRS


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(7)


@pytest.mark.parametrize("n", [EXACT_PAIRS, 200])
def test_paired_p_agrees_with_scipy(n: int, rng: Rng):
    a, b = rng.standard_normal((4, n)) + 0.1, rng.standard_normal((4, n))
    exact = n <= EXACT_PAIRS
    expected = scipy_stats.wilcoxon(
        a, b, alternative="greater", axis=1, correction=not exact,
        method="exact" if exact else "asymptotic",
    ).pvalue  # fmt: skip
    found = stats.compare_paired(a, b, rng=rng)
    np.testing.assert_allclose(found.p_value, expected, rtol=1e-9)
    np.testing.assert_allclose(found.auroc, (a > b).mean(axis=1))


def test_paired_p_with_ties_is_the_share_of_all_swaps():
    a, b = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 1.0]), np.array([2.0, 0.0, 2.0, 2.0, 6.0, 0.0])
    ranks = scipy_stats.rankdata(np.abs(a - b)) * np.sign(a - b)
    swaps = 1 - 2 * ((np.arange(64)[:, None] >> np.arange(6)) & 1)
    share = ((np.abs(ranks) * swaps * (ranks != 0)).sum(axis=1) >= ranks.sum() - 1e-9).mean()
    assert stats.wilcoxon_p(a, b)[0] == pytest.approx(share)


def test_pairing_finds_what_the_spread_between_pairs_hides(rng: Rng):
    scene = 5 * rng.standard_normal((3, 100))
    a, b = scene + 0.05, scene + 0.02 * rng.standard_normal((3, 100))
    a[1:] = scene[1:] + 0.02 * rng.standard_normal((2, 100))
    paired = stats.compare_paired(a, b, rng=rng)
    standings = stats.standing(paired, 0.05)
    assert (standings[0], "confirmed" in standings[1:]) == ("confirmed", False)
    unpaired = stats.compare(np.concatenate([a, b], axis=1), half_and_half(200), rng=rng)
    assert unpaired.p_global > 0.05


def test_paired_global_p_keeps_its_promise(rng: Rng):
    runs = 600
    p = [
        stats.compare_paired(*rng.standard_normal((2, 5, 30)), permutations=99, rng=rng).p_global
        for _ in range(runs)
    ]
    low, high = scipy_stats.binom.interval(0.999, runs, 0.1)
    assert low <= (np.array(p) <= 0.1).sum() <= high
