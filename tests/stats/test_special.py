"""Student's t, the hypergeometric tail and relabellings, against scipy and by counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from visdiff_local.stats.null import Relabelling, distinct
from visdiff_local.stats.rare import hypergeometric_tail
from visdiff_local.stats.student import t_quantile, t_tail


@given(st.floats(-60, 60), st.floats(0.5, 1e5))
@settings(deadline=None)
def test_t_tail_agrees_with_scipy(t: float, df: float):
    assert float(t_tail(t, df)) == pytest.approx(scipy_stats.t.sf(t, df), rel=1e-7, abs=1e-300)


@given(st.floats(0.5, 0.999_999), st.floats(0.5, 1e5))
@settings(deadline=None)
def test_t_quantile_agrees_with_scipy(p: float, df: float):
    found = float(t_quantile(p, np.array(df)))
    assert found == pytest.approx(scipy_stats.t.ppf(p, df), rel=1e-6, abs=1e-9)


@given(st.integers(0, 30), st.integers(0, 60), st.integers(0, 30), st.integers(0, 60))
@settings(deadline=None)
def test_the_hypergeometric_tail_agrees_with_scipy(k_a: int, rest_a: int, k_b: int, rest_b: int):
    high, drawn, n = k_a + k_b, k_a + rest_a, k_a + rest_a + k_b + rest_b
    expected = scipy_stats.hypergeom.sf(k_a - 1, n, high, drawn) if n else 1.0
    assert hypergeometric_tail(k_a, high, drawn, n) == pytest.approx(expected, rel=1e-8)


def test_relabellings_are_uniform_within_blocks_and_by_coins():
    block = np.array([0, 0, 0, 1, 1, 2])
    in_a = np.array([1, 0, 0, 1, 0, 1], bool)
    in_b = np.array([0, 1, 1, 0, 1, 1], bool)
    units = Relabelling(block, in_a, in_b)
    assert np.exp(units.log_count) == pytest.approx(3 * 2 * 2)
    (every,) = units.draws(100, np.random.default_rng(0))
    assert len({tuple(column) for column in every.values.T.tolist()}) == every.count == 12
    drawn = np.concatenate(
        [units._random(500, np.random.default_rng(seed)).values for seed in range(4)], axis=1
    )
    counts = np.unique(drawn, axis=1, return_counts=True)[1]
    assert len(counts) == 12
    assert scipy_stats.chisquare(counts).pvalue > 1e-3


def test_the_variance_over_relabellings_is_that_of_all_of_them():
    block = np.array([0, 0, 0, 0, 1, 1, 2])
    in_a = np.array([1, 1, 0, 0, 1, 0, 1], bool)
    in_b = np.array([0, 0, 1, 1, 0, 1, 1], bool)
    units = Relabelling(block, in_a, in_b)
    steps = np.random.default_rng(0).standard_normal((3, 7))
    (every,) = units.draws(1000, np.random.default_rng(0))
    np.testing.assert_allclose(units.variance(steps), every.sums(steps).var(axis=1), rtol=1e-6)


def test_a_few_of_many_are_different_and_uniform():
    drawn = distinct(6, 3, 6000, np.random.default_rng(0))
    assert (np.diff(np.sort(drawn, axis=0), axis=0) > 0).all()
    counts = np.unique(np.sort(drawn, axis=0), axis=1, return_counts=True)[1]
    assert len(counts) == 20
    assert scipy_stats.chisquare(counts).pvalue > 1e-3


def test_labels_of_a_small_set_sum_like_all_labels():
    in_a = np.arange(200) < 5
    units = Relabelling(np.zeros(200, int), in_a, ~in_a)
    other = Relabelling(np.zeros(200, int), ~in_a, in_a)
    values = np.random.default_rng(0).standard_normal((3, 200))
    for each in (units, other):
        labels = each._random(7, np.random.default_rng(1))
        dense = labels.sums(np.eye(200))
        assert (dense.sum(axis=0) == each.in_a.sum()).all()
        np.testing.assert_allclose(labels.sums(values), values @ dense)
