"""The rule of the paper, the threshold of a text, and how many reach it."""

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats as scipy_stats

from tests.support.labelled import Rng, half_and_half, labelled_scores
from visdiff_local import stats


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(7)


@given(labelled_scores)
@settings(deadline=None)
def test_the_threshold_is_the_best_there_is(case):
    scores, is_a = case[0][:1], case[1]
    threshold = stats.choose_threshold(scores, is_a)[0]

    def youden(cut: float) -> float:
        reached = scores[0] >= cut
        return float(reached[is_a].mean() - reached[~is_a].mean())

    assert youden(threshold) == pytest.approx(max(youden(cut) for cut in scores[0]))


def test_prevalence_has_wilsons_interval(rng: Rng):
    scores = rng.random((2, 37)).astype(np.float32)
    share, ci = stats.prevalence(scores, [0.5, 2.0])
    reached = int((scores[0] >= 0.5).sum())
    expected = scipy_stats.binomtest(reached, 37).proportion_ci(method="wilson")
    assert share.tolist() == [reached / 37, 0.0]
    np.testing.assert_allclose(ci[0], [expected.low, expected.high], atol=1e-9)
    assert ci[1, 0] == 0.0
    assert ci[1, 1] > 0.05


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_welch_agrees_with_scipy(alternative, rng: Rng):
    scores, is_a = rng.standard_normal((5, 50)).astype(np.float32), rng.random(50) < 0.4
    expected = scipy_stats.ttest_ind(
        *(scores[:, side].astype(float) for side in (is_a, ~is_a)),
        axis=1, equal_var=False, alternative=alternative,
    ).pvalue  # fmt: skip
    np.testing.assert_allclose(stats.welch_p(scores, is_a, alternative=alternative), expected)


def test_welch_of_constants_and_of_one_image():
    is_a = half_and_half(6)
    rows = [[1.0] * 6, [1.0] * 3 + [0.0] * 3, [0.0] * 3 + [1.0] * 3]
    assert stats.welch_p(rows, is_a).tolist() == [1.0, 0.0, 0.0]
    assert stats.welch_p(rows, is_a, alternative="greater").tolist() == [1.0, 0.0, 1.0]
    assert stats.welch_p([[1.0, 0.0, 2.0]], [True, False, False]).tolist() == [1.0]
