"""Counting half-precision scores is sorting them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.labelled import Rng, half_and_half, labelled_scores
from visdiff_local import stats
from visdiff_local.stats.histogram_counts import _codes


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(7)


@given(labelled_scores, st.integers(1, 7))
@settings(deadline=None, max_examples=40)
def test_counting_in_chunks_equals_sorting(case, chunk):
    scores, is_a = case[0].astype(np.float16), case[1]
    rng = np.random.default_rng(0)
    counts = stats.ScoreCounts(is_a, len(scores), rng=rng)
    for start in range(0, len(is_a), chunk):
        counts.add(scores[:, start : start + chunk])
    counted, whole = counts.compare(rng=rng), stats.compare(scores, is_a, rng=rng)
    np.testing.assert_allclose(counted.auroc, whole.auroc, atol=1e-12)
    np.testing.assert_allclose(counted.ci, whole.ci, atol=1e-9)


def test_codes_are_in_the_order_of_the_scores():
    """Of every half-precision number that is none NaN; the two zeros are one."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[~np.isnan(halves)]
    codes = _codes(halves).astype(np.int64)
    order = np.argsort(codes, kind="stable")
    rising = halves[order].astype(np.float64)
    assert np.array_equal(np.sign(np.diff(rising)), np.sign(np.diff(codes[order])))


def test_counting_finds_the_same_global_p(rng: Rng):
    n, is_a = 6000, half_and_half(6000)
    scores = rng.standard_normal((6, 3)) @ rng.standard_normal((3, n)) + rng.standard_normal((6, n))
    scores[0, is_a] += 0.08
    half = scores.astype(np.float16)
    counts = stats.ScoreCounts(is_a, 6, rng=rng)
    counts.add(half)
    permuted = stats.compare(half, is_a, permutations=10_000, rng=rng).p_global
    assert 0.001 < permuted < 0.5
    assert counts.compare(rng=rng).p_global == pytest.approx(permuted, abs=0.015)


def test_counting_refuses_nan_and_what_does_not_fit(rng: Rng):
    counts = stats.ScoreCounts(half_and_half(6), 3, rng=rng)
    scores = np.zeros((3, 6), np.float16)
    scores[2, 4] = -np.float16(np.nan)
    with pytest.raises(ValueError, match=r"NaN in 1 row\(s\): 2"):
        counts.add(scores)
    with pytest.raises(ValueError, match="do not fit 3 hypotheses"):
        counts.add(np.zeros((3, 7), np.float16))
    counts.add(np.zeros((3, 4), np.float16))
    with pytest.raises(ValueError, match="scores of 4 images for 6 labels"):
        counts.compare(rng=rng)
    none = stats.ScoreCounts(half_and_half(6), 0, rng=rng)
    none.add(np.zeros((0, 6), np.float16))
    assert none.compare(rng=rng).auroc.shape == (0,)
    assert none.compare(rng=rng).p_global == 1.0
