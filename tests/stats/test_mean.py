"""The mean of a group and its interval: against scipy, and by how often it covers the truth."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from visdiff_local import stats


def test_of_images_that_stand_alone_it_is_the_interval_of_student():
    values = np.random.default_rng(0).normal(0.3, 0.1, 17)
    wanted = scipy_stats.t.interval(0.95, 16, loc=values.mean(), scale=scipy_stats.sem(values))
    for alone in (None, [None] * 17, list(range(17))):
        mean, low, high = stats.mean_interval(values, alone)
        assert mean == pytest.approx(values.mean())
        assert (low, high) == pytest.approx(wanted)


def test_clusters_of_equal_size_are_worth_one_value_each():
    rng = np.random.default_rng(1)
    means = rng.normal(size=6)
    values = np.repeat(means, 5) + np.tile(np.arange(5) - 2, 6)
    names = np.repeat([*"abcdef"], 5)
    order = rng.permutation(30)
    wanted = scipy_stats.t.interval(0.95, 5, loc=means.mean(), scale=scipy_stats.sem(means))
    _, low, high = stats.mean_interval(values[order], names[order].tolist())
    assert (low, high) == pytest.approx(wanted)


def test_scores_that_are_missing_are_no_images():
    known = stats.mean_interval([1.0, 2.0, 4.0])
    assert stats.mean_interval([np.nan, 1.0, 2.0, np.nan, 4.0]) == pytest.approx(known)
    assert np.isnan(stats.mean_interval([np.nan])).all()


def test_one_cluster_tells_the_mean_and_not_how_sure_it_is():
    mean, *ends = stats.mean_interval([1.0, 2.0, 3.0], ["a", "a", "a"])
    assert mean == 2
    assert np.isnan(ends).all()


def test_it_covers_the_truth_as_often_as_it_says_where_images_belong_together():
    rng = np.random.default_rng(2)
    names = np.repeat(np.arange(12), [2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6, 7]).tolist()
    together = alone = 0
    for _ in range(400):
        values = rng.normal(size=12)[names] + rng.normal(0, 0.3, len(names))
        _, low, high = stats.mean_interval(values, names)
        together += low <= 0 <= high
        _, low, high = stats.mean_interval(values)
        alone += low <= 0 <= high
    assert 360 <= together <= 396  # 90 % to 99 % of 400
    assert alone < 320
