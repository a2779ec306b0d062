"""Trends against scipy and by their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from visdiff_local import stats


@given(
    hnp.arrays(np.float64, (2, 14), elements=st.sampled_from([0.0, 0.5, 1.0, 2.0])),
    hnp.arrays(np.int64, 14, elements=st.integers(0, 3)).filter(lambda o: len(set(o)) > 1),
    hnp.arrays(np.int64, 14, elements=st.integers(0, 1)),
)
@settings(deadline=None, max_examples=60)
def test_concordance_is_the_share_of_pairs_in_order(scores, order, strata):
    found = stats.trend(scores, order, strata=strata, permutations=9, rng=np.random.default_rng(0))
    for row, area in zip(scores, found.concordance, strict=True):
        wins = [
            np.sign(row[j] - row[i]) / 2 + 0.5
            for i in range(14)
            for j in range(14)
            if order[i] < order[j] and strata[i] == strata[j]
        ]
        assert area == pytest.approx(np.mean(wins) if wins else 0.5)


def test_with_two_groups_it_is_the_auroc_and_its_test():
    rng = np.random.default_rng(0)
    scores, is_a = rng.standard_normal((3, 80)), np.arange(80) < 30
    scores[0, is_a] += 0.5
    found = stats.trend(scores, is_a, permutations=4000, rng=rng)
    np.testing.assert_allclose(found.concordance, stats.auroc(scores, is_a))
    expected = stats.mann_whitney_p(scores, is_a)
    np.testing.assert_allclose(found.p_value, expected, atol=0.03)


def test_correlation_and_p_are_spearmans():
    rng = np.random.default_rng(1)
    order = rng.integers(0, 5, 70).astype(float)
    scores = np.round(rng.standard_normal((4, 70)) + 0.2 * order, 1)
    found = stats.trend(scores, order, permutations=4000, rng=rng)
    for row, rho, p in zip(scores, found.correlation, found.p_value, strict=True):
        expected = scipy_stats.spearmanr(row, order, alternative="greater")
        assert rho == pytest.approx(expected.statistic)
        assert p == pytest.approx(expected.pvalue, abs=0.03)


@pytest.mark.parametrize("own", [False, True])
def test_clusters_find_no_trend_by_themselves(own: bool):
    rng = np.random.default_rng(2)
    cluster, hits = np.arange(120) // 10, 0
    for _ in range(60):
        scores = rng.standard_normal((5, 120)) + rng.standard_normal((5, 12))[:, cluster]
        order = rng.standard_normal(12)[cluster] + own * rng.standard_normal(120)
        found = stats.trend(scores, order, clusters=cluster, permutations=199, rng=rng)
        hits += found.p_global <= 0.05
    assert hits <= scipy_stats.binom.ppf(0.9995, 60, 0.05)


def test_intervals_cover_and_what_is_no_order_is_refused():
    rng = np.random.default_rng(3)
    order = np.arange(60) % 3
    scores = rng.standard_normal((600, 60))
    ci = stats.trend(scores, order, permutations=1, rng=rng).ci
    assert 0.92 <= ((ci[:, 0] <= 0.5) & (ci[:, 1] >= 0.5)).mean() <= 0.98
    with pytest.raises(ValueError, match="no trend to test"):
        stats.trend(scores, np.zeros(60), rng=rng)
    with pytest.raises(ValueError, match="order holds NaN"):
        stats.trend(scores, np.full(60, np.nan), rng=rng)


def test_a_linear_trend_is_tested_by_dealing_the_order_anew_within_strata():
    rng = np.random.default_rng(5)
    order, strata = rng.permutation(40), np.arange(40) % 2
    values = rng.normal(size=(3, 40)) + np.outer([0.0, 0.02, 0.05], order) + 5.0 * strata
    found = stats.linear_trend_p(
        values, order, strata=strata, permutations=4000, rng=np.random.default_rng(0)
    )
    ranks = np.zeros(40)
    for one in (0, 1):
        mine = strata == one
        ranks[mine] = scipy_stats.rankdata(order[mine]) - (mine.sum() + 1) / 2
    drawn = np.zeros((3, 4000))
    for at in range(4000):
        dealt = ranks.copy()
        for one in (0, 1):
            dealt[strata == one] = rng.permutation(ranks[strata == one])
        drawn[:, at] = values @ dealt
    wanted = (drawn >= (values @ ranks)[:, None]).mean(axis=1)
    np.testing.assert_allclose(found, wanted, atol=0.03)


def test_a_linear_trend_of_clusters_deals_whole_clusters():
    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(8), 10)
    false = alone = 0
    for _ in range(200):
        values = rng.normal(size=8)[clusters] + rng.normal(0, 0.1, 80)
        order = rng.permutation(8)[clusters]
        given = {"permutations": 200, "rng": rng}
        false += stats.linear_trend_p(values[None], order, clusters=clusters, **given)[0] <= 0.05
        alone += stats.linear_trend_p(values[None], order, **given)[0] <= 0.05
    assert false <= 20
    assert alone >= 40


def test_a_stratum_of_one_image_has_no_trend():
    p = stats.linear_trend_p(
        [[1.0, 2.0]], [0, 1], strata=["a", "b"], permutations=9, rng=np.random.default_rng(0)
    )
    assert p.tolist() == [1.0]
