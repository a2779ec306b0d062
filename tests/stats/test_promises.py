"""What the one test of every design promises, at random: few, rare, clustered, confounded."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tests.support.chance import binomial, shift
from visdiff_local import stats
from visdiff_local.stats import Design

Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(11)


# Few and rare


@pytest.mark.parametrize(
    ("k_a", "n_a", "k_b", "n_b"), [(1, 15, 1, 1000), (2, 40, 0, 400), (3, 12, 30, 900)]
)
def test_p_of_yes_and_no_is_fishers(k_a: int, n_a: int, k_b: int, n_b: int, rng: Rng):
    scores = np.zeros(n_a + n_b)
    scores[:k_a] = scores[n_a : n_a + k_b] = 1
    found = stats.test(scores, Design(np.arange(n_a + n_b) < n_a), rng=rng)
    table = [[k_a, n_a - k_a], [k_b, n_b - k_b]]
    assert found.p_value[0] == pytest.approx(
        scipy_stats.fisher_exact(table, alternative="greater").pvalue
    )


@pytest.mark.parametrize(("n_a", "n_b", "prevalence"), [(15, 1000, 0.01), (8, 300, 0.02)])
def test_rare_answers_find_nothing_where_there_is_nothing(n_a, n_b, prevalence, rng: Rng):
    hits, is_a = 0, np.arange(n_a + n_b) < n_a
    for _ in range(60):
        scores = (rng.random((20, n_a + n_b)) < prevalence) * rng.integers(1, 3, (20, n_a + n_b))
        scores[::2] *= -1
        hits += (stats.test(scores, Design(is_a), permutations=200, rng=rng).q_value <= 0.05).any()
    assert binomial(int(hits), 60, 0.05)


def test_a_small_set_beside_a_very_large_one_is_relabelled(rng: Rng):
    n_a, n = 12, 24_000
    is_a, hits = np.arange(n) < n_a, 0
    for _ in range(12):
        scores = (rng.random((6, n)) < 0.02).astype(np.float32)
        hits += stats.test(scores, Design(is_a), permutations=100, rng=rng).p_global <= 0.05
    assert binomial(hits, 12, 0.05)


@pytest.mark.parametrize(("n_a", "n_b"), [(8, 300), (40, 40)])
def test_unequal_spread_at_one_half_is_no_difference(n_a: int, n_b: int, rng: Rng):
    is_a, hits, runs = np.arange(n_a + n_b) < n_a, 0, 80
    for _ in range(runs):
        scores = rng.standard_normal((10, n_a + n_b))
        scores[:, is_a] *= 3
        found = stats.test(scores, Design(is_a), permutations=200, rng=rng)
        hits += stats.confirmable(found, 0.05).any()
    assert binomial(int(hits), runs, 0.06)


@pytest.mark.parametrize(("n_a", "n_b"), [(15, 1000), (8, 300), (60, 60)])
@pytest.mark.parametrize("area", [0.5, 0.9])
def test_intervals_cover_where_images_are_few(n_a: int, n_b: int, area: float, rng: Rng):
    is_a = np.arange(n_a + n_b) < n_a
    scores = rng.standard_normal((1200, n_a + n_b)).astype(np.float32)
    scores[:, is_a] += np.float32(shift(area))
    ci = stats.test(scores, Design(is_a), permutations=1, rng=rng).ci
    assert 0.92 <= ((ci[:, 0] <= area) & (area <= ci[:, 1])).mean() <= 0.99


# What the designs are for


def test_many_images_of_few_patients_are_few(rng: Rng):
    cluster, is_a = np.arange(200) // 10, np.arange(200) < 100
    plain = clustered = 0
    for _ in range(80):
        scores = rng.standard_normal((10, 200)) + rng.standard_normal((10, 20))[:, cluster]
        plain += stats.test(scores, Design(is_a), permutations=199, rng=rng).p_global <= 0.05
        found = stats.test(scores, Design(is_a, clusters=cluster), permutations=199, rng=rng)
        clustered += found.p_global <= 0.05
    assert binomial(clustered, 80, 0.05)
    assert plain > 40


def test_a_third_variable_is_no_difference_and_hides_none(rng: Rng):
    is_a = np.arange(300) < 150
    kind = rng.random(300) < np.where(is_a, 0.8, 0.2)
    scores = rng.standard_normal((6, 300))
    scores[0] += 2 * kind
    scores[1] += 2 * kind - shift(0.75) * is_a
    scores[2, is_a] += shift(0.75)
    within = stats.test(scores, Design(is_a, strata=kind.astype(int)), rng=rng)
    assert stats.confirmable(within, 0.05).tolist() == [False, False, True, False, False, False]
    plain = stats.test(scores, Design(is_a), rng=rng)
    assert stats.confirmable(plain, 0.05)[0]
    assert within.auroc_plain is not None
    np.testing.assert_allclose(within.auroc_plain, plain.auroc)


def test_a_strong_difference_between_clusters_is_found(rng: Rng):
    cluster, is_a = np.arange(300) // 10, np.arange(300) < 150
    scores = rng.standard_normal((10, 300)) + 0.5 * rng.standard_normal((10, 30))[:, cluster]
    scores[0, is_a] += shift(0.85)
    found = stats.test(scores, Design(is_a, clusters=cluster, strata=cluster % 3), rng=rng)
    assert stats.confirmable(found, 0.05).tolist() == [True] + [False] * 9
    assert found.icc == pytest.approx(0.2, abs=0.1)


def test_three_clusters_a_set_confirm_nothing_among_many_texts(rng: Rng):
    cluster, is_a = np.arange(60) // 10, np.arange(60) < 30
    scores = rng.standard_normal((10, 60)) + 5 * is_a
    found = stats.test(scores, Design(is_a, clusters=cluster), rng=rng)
    assert found.attainable_p == pytest.approx(1 / 20)
    assert found.p_value.min() >= 1 / 20 - 1e-12
    assert stats.out_of_reach(found, 0.05)
    assert not stats.out_of_reach(stats.test(scores, Design(is_a), rng=rng), 0.05)
