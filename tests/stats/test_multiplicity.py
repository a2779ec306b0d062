"""Many texts at once: false-discovery rates, the global p, and the power that is promised."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from tests.support.labelled import Rng, half_and_half
from visdiff_local import stats
from visdiff_local.stats import null
from visdiff_local.stats.separation import p_values
from visdiff_local.stats.ties import each_block


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(7)


@given(hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1)))
def test_benjamini_hochberg_is_its_definition(p):
    q = stats.benjamini_hochberg(p)
    for rate in (0.01, 0.05, 0.3):
        passed = [k for k, value in enumerate(np.sort(p), 1) if value <= rate * k / len(p)]
        threshold = np.sort(p)[passed[-1] - 1] if passed else -1.0
        safe = np.abs(q - rate) > 1e-9  # at the boundary, rounding decides
        np.testing.assert_array_equal((q <= rate)[safe], (p <= threshold)[safe])


def test_random_labels_are_uniform_over_subsets(rng: Rng):
    drawn = null.random_labels(6, 2, 60_000, rng)
    assert (drawn.sum(axis=1) == 2).all()
    counts = np.unique(drawn @ (1 << np.arange(6)), return_counts=True)[1]
    assert len(counts) == 15
    assert scipy_stats.chisquare(counts).pvalue > 1e-3


def test_p_global_is_the_share_of_permutations_whose_largest_auroc_reaches(rng: Rng):
    scores, is_a = rng.standard_normal((4, 10)), np.arange(10) < 4
    scores[:, is_a] += 0.8
    observed = stats.auroc(scores, is_a).max()
    relabelled = [np.isin(np.arange(10), chosen) for chosen in combinations(range(10), 4)]
    share = np.mean([stats.auroc(scores, x).max() >= observed - 1e-12 for x in relabelled])
    found = stats.compare(scores, is_a, permutations=20_000, rng=rng)
    assert found.p_global == pytest.approx(share, abs=4 * np.sqrt(share / 20_000))


def test_equal_hypotheses_cost_nothing(rng: Rng):
    row, is_a = rng.standard_normal(60), half_and_half(60)
    row[is_a] += 0.6
    once = stats.compare(row, is_a, permutations=20_000, rng=rng)
    often = stats.compare(np.tile(row, (50, 1)), is_a, permutations=20_000, rng=rng)
    assert often.p_global == pytest.approx(once.p_global, abs=0.005)
    assert once.p_global == pytest.approx(once.p_value[0], abs=0.012)


@pytest.mark.slow
def test_global_p_keeps_its_promise_when_there_is_nothing_to_find(rng: Rng):
    """2,000 A/A runs with random scores, some hypotheses alike: a binomial test a level."""
    runs, is_a = 2000, half_and_half(80)
    p_global, p_single = np.empty(runs), np.empty(runs)
    for run in range(runs):
        scores = rng.standard_normal((8, 80), np.float32) + rng.standard_normal(80, np.float32)
        found = stats.compare(scores, is_a, permutations=199, rng=rng)
        p_global[run], p_single[run] = found.p_global, found.p_value[0]
    for alpha in (0.01, 0.05, 0.1):
        low, high = scipy_stats.binom.interval(0.999, runs, alpha)
        assert low <= (p_global <= alpha).sum() <= high
    assert scipy_stats.kstest(p_single, "uniform").pvalue > 0.001
    assert scipy_stats.kstest(p_global - rng.random(runs) / 200, "uniform").pvalue > 0.001


def test_p_values_are_uniform_when_there_is_nothing_to_find(rng: Rng):
    scores, is_a = rng.standard_normal((5000, 400)), half_and_half(400)
    p = np.concatenate(each_block(p_values, scores, is_a))
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.001


def test_standing_needs_q_and_p_global_and_the_interval(rng: Rng):
    def standings(q: float, p_global: float, low: float) -> list[str]:
        p = np.array([min(q, 0.04)])
        ci = np.array([[low, 0.9]])
        return stats.standing(
            stats.TestStatistics(np.array([0.7]), ci, p, np.array([q]), p_global), 0.05
        )

    assert standings(0.05, 0.05, 0.56) == ["confirmed"]
    assert standings(0.06, 0.05, 0.56) == ["suggestive"]
    assert standings(0.05, 0.06, 0.56) == ["suggestive"]
    assert standings(0.05, 0.05, 0.55) == ["suggestive"]
    nothing = stats.TestStatistics(np.array([0.5]), np.zeros((1, 2)), np.ones(1), np.ones(1), 1.0)
    assert stats.standing(nothing, 0.05) == ["rejected"]


@pytest.mark.parametrize(("n", "hypotheses"), [(60, 1), (150, 20)])
def test_the_detectable_auroc_is_detected_as_often_as_it_says(n: int, hypotheses: int, rng: Rng):
    area = stats.min_detectable_auroc(n, n, alpha=0.05, hypotheses=hypotheses)
    scores, is_a = rng.standard_normal((3000, 2 * n)), half_and_half(2 * n)
    scores[:, is_a] += np.sqrt(2) * scipy_stats.norm.ppf(area)
    power = (stats.mann_whitney_p(scores, is_a) <= 0.05 / hypotheses).mean()
    assert power == pytest.approx(0.8, abs=0.04)


def test_the_detectable_auroc_accounts_for_the_floor_and_for_tiny_sets():
    assert stats.min_detectable_auroc(10_000, 10_000, alpha=0.05) < 0.52
    assert 0.55 < stats.min_detectable_auroc(10_000, 10_000, alpha=0.05, floor=0.55) < 0.58
    assert stats.min_detectable_auroc(1, 1, alpha=0.05) == 1.0
