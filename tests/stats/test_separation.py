"""AUROC and p by their definitions and against other programs; intervals; what is refused."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats as scipy_stats
from sklearn.metrics import roc_auc_score

from tests.support.labelled import Rng, by_pairs, half_and_half, labelled_scores
from visdiff_local import stats
from visdiff_local.stats.separation import EXACT_WORK, delong_variance, interval
from visdiff_local.stats.ties import each_block


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(7)


# AUROC and Mann–Whitney


@given(labelled_scores)
@settings(deadline=None)
def test_auroc_is_its_definition_with_ties_infinities_and_signed_zeros(case):
    scores, is_a = case
    expected = [by_pairs(row, is_a) for row in scores]
    np.testing.assert_allclose(stats.auroc(scores, is_a), expected, rtol=0, atol=1e-15)


@given(labelled_scores)
@settings(deadline=None)
def test_auroc_turns_over_with_the_scores_and_with_the_labels(case):
    scores, is_a = case
    area = stats.auroc(scores, is_a)
    np.testing.assert_allclose(stats.auroc(-scores, is_a), 1 - area, atol=1e-15)
    np.testing.assert_allclose(stats.auroc(scores, ~is_a), 1 - area, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_auroc_agrees_with_scikit_learn_over_many_blocks_of_rows(rng: Rng, dtype):
    scores = rng.standard_normal((40, 20_000)).astype(dtype)
    scores[1], scores[2] = np.round(scores[1], 1), 1.0
    is_a = rng.random(20_000) < 0.3
    expected = [roc_auc_score(is_a, row) for row in scores]
    np.testing.assert_allclose(stats.auroc(scores, is_a), expected, atol=1e-12)


def test_ranks_of_float32_are_not_summed_in_float32():
    """One image of A on top of 2²⁴ and more of rank sum: a float32 sum would lose it."""
    n = 20_001
    scores = np.arange(n, dtype=np.float32)
    is_a = np.zeros(n, np.bool_)
    is_a[::2] = True
    a, b = int(is_a.sum()), int((~is_a).sum())
    wins = sum(range(a))  # the k-th image of A lies above k images of B
    assert stats.auroc(scores, is_a)[0] == wins / (a * b)


@pytest.mark.parametrize("tied", [False, True])
def test_p_agrees_with_scipy_for_larger_sets(rng: Rng, tied: bool):
    scores = rng.standard_normal((5, 300))
    scores = np.round(scores) if tied else scores
    is_a = rng.random(300) < 0.3
    expected = scipy_stats.mannwhitneyu(
        scores[:, is_a], scores[:, ~is_a], alternative="greater", method="asymptotic", axis=1
    ).pvalue
    np.testing.assert_allclose(stats.mann_whitney_p(scores, is_a), expected, rtol=1e-9)


def test_p_is_exact_for_small_sets(rng: Rng):
    scores, is_a = rng.standard_normal((5, 21)), np.arange(21) < 9
    expected = scipy_stats.mannwhitneyu(
        scores[:, is_a], scores[:, ~is_a], alternative="greater", method="exact", axis=1
    ).pvalue
    np.testing.assert_allclose(stats.mann_whitney_p(scores, is_a), expected, rtol=1e-12)


@pytest.mark.parametrize("n_a", [1, 3, 5])
def test_p_with_ties_is_the_share_of_all_relabellings(rng: Rng, n_a: int):
    n = 9
    scores = np.round(rng.standard_normal(n) * 1.5)
    is_a = rng.permutation(n) < n_a
    observed = by_pairs(scores, is_a)
    relabelled = [np.isin(np.arange(n), chosen) for chosen in combinations(range(n), n_a)]
    share = np.mean([by_pairs(scores, labels) >= observed - 1e-12 for labels in relabelled])
    assert stats.mann_whitney_p(scores, is_a)[0] == pytest.approx(share)


def test_exact_and_normal_p_meet_where_they_change_over(rng: Rng):
    scores, is_a = rng.standard_normal((20, 44)), half_and_half(44)
    assert (22 * 44) ** 2 <= EXACT_WORK < (23 * 46) ** 2
    normal = scipy_stats.mannwhitneyu(
        scores[:, is_a], scores[:, ~is_a], alternative="greater", method="asymptotic", axis=1
    ).pvalue
    np.testing.assert_allclose(stats.mann_whitney_p(scores, is_a), normal, atol=3e-3)


@pytest.mark.parametrize("n", [12, 300])
def test_a_constant_score_says_nothing(n: int, rng: Rng):
    found = stats.compare(np.full((2, n), 0.3, np.float32), half_and_half(n), rng=rng)
    assert found.auroc.tolist() == [0.5, 0.5]
    assert found.p_value.tolist() == [1.0, 1.0]
    assert found.p_global == 1.0
    assert stats.standing(found, 0.05) == ["rejected", "rejected"]
    assert (found.ci[:, 0] < 0.5).all()
    assert (found.ci[:, 1] > 0.5).all()


# What is refused, and what is not


def test_nan_is_refused_by_row():
    scores = np.zeros((5, 8), np.float32)
    scores[1, 3] = scores[4, 0] = np.nan
    with pytest.raises(ValueError, match=r"NaN in 2 row\(s\): 1, 4$"):
        stats.auroc(scores, half_and_half(8))
    with pytest.raises(ValueError, match=r"NaN in 1 row\(s\): 1$"):
        stats.compare_paired(scores[:4], scores[:4] * 0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="NaN in 2"):
        stats.prevalence(scores, np.zeros(5))


@pytest.mark.parametrize("is_a", [np.zeros(4, np.bool_), np.ones(4, np.bool_)])
def test_one_empty_set_is_refused(is_a):
    with pytest.raises(ValueError, match="both sets need an image"):
        stats.auroc(np.zeros((1, 4)), is_a)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one label an image"):
        stats.auroc(np.zeros((2, 5)), half_and_half(4))


def test_one_image_a_set(rng: Rng):
    found = stats.compare([[1.0, 0.0], [0.0, 1.0]], [True, False], rng=rng)
    assert found.auroc.tolist() == [1.0, 0.0]
    assert found.p_value.tolist() == pytest.approx([0.5, 1.0])
    assert found.p_global > 0.5
    assert found.ci[0, 0] < 0.5, "one pair of images proves nothing"


def test_no_hypotheses_at_all(rng: Rng):
    found = stats.compare(np.zeros((0, 6)), half_and_half(6), rng=rng)
    assert (len(found.auroc), found.ci.shape, found.p_global) == (0, (0, 2), 1.0)
    assert stats.standing(found, 0.05) == []


# Intervals


def test_delong_variance_is_the_variance_of_placements(rng: Rng):
    scores, is_a = np.round(rng.standard_normal((4, 120)), 1), rng.random(120) < 0.4
    for row, variance in zip(scores, each_block(delong_variance, scores, is_a)[0], strict=True):
        wins = np.sign(row[is_a][:, None] - row[~is_a]) / 2 + 0.5
        placements_a, placements_b = wins.mean(axis=1), wins.mean(axis=0)
        expected = placements_a.var(ddof=1) / is_a.sum() + placements_b.var(ddof=1) / (~is_a).sum()
        assert variance == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [50, 200, 1000])
@pytest.mark.parametrize("area", [0.5, 0.7, 0.9])
@pytest.mark.slow
def test_intervals_cover_the_truth(n: int, area: float, rng: Rng):
    is_a = half_and_half(2 * n)
    scores = rng.standard_normal((5000, 2 * n)).astype(np.float32)
    scores[:, is_a] += np.float32(np.sqrt(2) * scipy_stats.norm.ppf(area))
    ci = np.concatenate(each_block(interval, scores, is_a))
    assert 0.93 <= ((ci[:, 0] <= area) & (area <= ci[:, 1])).mean() <= 0.97


@pytest.mark.parametrize("n", [5, 20, 200])
def test_the_interval_at_the_edge_ends_where_chance_would_reach_it(n: int):
    """Seeing AUROC 1 at the interval's lower end is about as rare as the interval promises."""
    scores = np.stack([half_and_half(2 * n), ~half_and_half(2 * n)]).astype(np.float32)
    (top_low, top_high), (low_low, low_high) = each_block(interval, scores, half_and_half(2 * n))[0]
    assert (top_high, low_low) == (1.0, 0.0)
    assert low_high == pytest.approx(1 - top_low)
    assert 0.5 < top_low < 1
    draws = np.random.default_rng(0).standard_normal((4000, 2 * n))
    draws[:, :n] += np.sqrt(2) * scipy_stats.norm.ppf(top_low)
    assert (stats.auroc(draws, half_and_half(2 * n)) == 1).mean() < 0.08
