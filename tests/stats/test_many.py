"""Many hypotheses: families, intervals of the chosen, folds as one, what is confirmed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from visdiff_local import stats
from visdiff_local.stats.multiplicity import interval_at
from visdiff_local.stats.null import correlation_of, largest_normal, smallest_p

Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(5)


def evidence(truth: np.ndarray, rng: Rng) -> stats.TestStatistics:
    n = 80
    scores = rng.standard_normal((len(truth), n)) + 0.5 * rng.standard_normal(n)
    scores[:, : n // 2] += np.sqrt(2.5) * scipy_stats.norm.ppf(truth)[:, None]
    return stats.test(scores, stats.Design(np.arange(n) < n // 2), permutations=50, rng=rng)


def test_the_first_of_many_is_covered_by_what_is_shown_and_not_by_the_usual(rng: Rng):
    truth, shown, usual, runs = np.full(20, 0.6), 0, 0, 200
    for _ in range(runs):
        found = evidence(truth, rng)
        best = int(found.auroc.argmax())
        low, high = stats.interval_of_the_first(found, rng)
        shown += low <= 0.6 <= high
        usual += found.ci[best, 0] <= 0.6 <= found.ci[best, 1]
    assert shown >= scipy_stats.binom.ppf(0.0005, runs, 0.95)
    assert usual < shown - 20


def test_the_first_is_the_usual_where_nothing_was_chosen_or_it_stands_alone(rng: Rng):
    alone = evidence(np.array([0.7]), rng)
    np.testing.assert_allclose(stats.interval_of_the_first(alone, rng), alone.ci[0])
    far = evidence(np.array([0.95, 0.3, 0.3]), rng)
    np.testing.assert_allclose(stats.interval_of_the_first(far, rng), far.ci[0], atol=0.02)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 20])
@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0, 8.0])
def test_texts_that_tie_leave_the_first_an_interval_of_some_length(n: int, shift: float):
    for seed in range(8):
        draws = np.random.default_rng(seed)
        scores = draws.standard_normal((8, 2 * n))
        scores[:3, :n] += shift
        found = stats.test(scores, stats.Design(np.arange(2 * n) < n), permutations=20, rng=draws)
        best = int(found.auroc.argmax())
        low, high = stats.interval_of_the_first(found, draws)
        assert high - low >= (found.ci[best, 1] - found.ci[best, 0]) * 0.999
        if found.auroc[best] == 1:
            assert low <= found.ci[best, 0]
            assert high == 1


def test_all_are_covered_at_once_by_simultaneous_intervals(rng: Rng):
    truth, all_covered = np.linspace(0.4, 0.7, 12), 0
    for _ in range(120):
        ci = stats.simultaneous_intervals(evidence(truth, rng), rng)
        all_covered += ((ci[:, 0] <= truth) & (truth <= ci[:, 1])).all()
    assert all_covered >= scipy_stats.binom.ppf(0.0005, 120, 0.95)


def test_of_the_confirmed_the_false_coverage_rate_is_kept(rng: Rng):
    truth, missed, chosen = np.r_[np.full(8, 0.66), np.full(12, 0.5)], 0, 0
    for _ in range(150):
        found = evidence(truth, rng)
        sure = stats.confirmable(found, 0.05)
        ci = stats.shown_intervals(found, sure, rng)
        missed += ((ci[:, 0] > truth) | (truth > ci[:, 1]))[sure].sum()
        chosen += sure.sum()
    assert chosen > 100
    assert missed <= scipy_stats.binom.ppf(0.9995, chosen, 0.05)


def test_wider_the_fewer_are_confirmed_of_more(rng: Rng):
    found = evidence(np.full(20, 0.6), rng)
    few, many = (stats.shown_intervals(found, np.arange(20) < k, rng) for k in (1, 20))
    best = int(found.auroc.argmax())
    assert ((many - found.ci)[np.arange(20) != best] == 0).all()
    if best != 0:
        assert few[0, 0] < found.ci[0, 0]
        assert few[0, 1] > found.ci[0, 1]


def test_intervals_of_the_usual_level_are_the_usual(rng: Rng):
    found = evidence(np.linspace(0.3, 0.9, 7), rng)
    np.testing.assert_allclose(interval_at(found, 0.95), found.ci)
    pairs = stats.test(
        rng.standard_normal((4, 60)),
        stats.Design(np.arange(60) < 30, pairs=np.arange(60) % 30),
        rng=rng,
    )
    np.testing.assert_allclose(interval_at(pairs, 0.95), pairs.ci)


def test_the_shrunken_first_is_nearer_the_truth(rng: Rng):
    truth, plain, drawn = np.full(20, 0.6), [], []
    for _ in range(60):
        found = evidence(truth, rng)
        assert found.auroc_shrunk is not None
        plain.append(found.auroc.max() - 0.6)
        drawn.append(found.auroc_shrunk[found.auroc.argmax()] - 0.6)
    assert abs(np.mean(drawn)) < 0.4 * np.mean(plain)


@given(st.lists(hnp.arrays(np.float64, st.integers(1, 6), elements=st.floats(0, 1)), min_size=1))
@settings(deadline=None)
def test_across_families_is_bh_in_one_and_never_kinder(families):
    found = stats.across_families(families, 0.05)
    own = [stats.benjamini_hochberg(p) for p in families]
    assert all((q >= q_own - 1e-12).all() for q, q_own in zip(found, own, strict=True))
    chosen = stats.benjamini_hochberg([q.min() for q in own]) <= 0.05
    for q, q_own, taken in zip(found, own, chosen, strict=True):
        expected = np.minimum(1, q_own * len(families) / chosen.sum()) if taken else 1.0
        np.testing.assert_allclose(q, expected, atol=1e-300)  # below that nothing is exact


def test_the_smallest_p_of_independent_hypotheses_is_sidaks(rng: Rng):
    p = np.array([0.004, 0.3, 0.9, 0.5])
    assert smallest_p(p, np.eye(4), rng) == pytest.approx(1 - (1 - 0.004) ** 4, abs=0.004)
    assert smallest_p(p, np.ones((4, 4)), rng) == pytest.approx(0.004, abs=0.003)


def test_the_largest_of_correlated_normals(rng: Rng):
    rows = rng.standard_normal((6, 500)) + rng.standard_normal(500)
    correlation = correlation_of(rows)
    np.testing.assert_allclose(np.diag(correlation), 1)
    expected = rng.multivariate_normal(np.zeros(6), correlation, 20_000).max(axis=1)
    drawn = largest_normal(correlation, rng)
    assert np.quantile(drawn, 0.9) == pytest.approx(np.quantile(expected, 0.9), abs=0.06)


# Folds


def test_a_text_of_one_fold_keeps_its_figures_and_of_two_has_their_mean(rng: Rng):
    first, second = evidence(np.linspace(0.4, 0.8, 5), rng), evidence(np.linspace(0.4, 0.8, 4), rng)
    found = stats.combine_folds(first, second, [[0, -1], [1, 2], [-1, 0]])
    np.testing.assert_allclose(
        found.auroc,
        [first.auroc[0], (first.auroc[1] + second.auroc[2]) / 2, second.auroc[0]],
    )
    np.testing.assert_allclose(found.ci[[0, 2]], [first.ci[0], second.ci[0]])
    assert np.ptp(found.ci[1]) < np.ptp(first.ci[1])
    twice = min(1.0, 2 * min(first.p_value[1], second.p_value[2]))
    np.testing.assert_allclose(found.p_value, [first.p_value[0], twice, second.p_value[0]])
    assert found.p_global == min(1.0, 2 * min(first.p_global, second.p_global))
    assert found.correlation is not None
    assert (np.abs(found.correlation) <= 1 + 1e-9).all()


def test_a_fold_may_have_proposed_nothing(rng: Rng):
    first, none = evidence(np.array([0.7, 0.5]), rng), evidence(np.zeros(0), rng)
    found = stats.combine_folds(first, none, [[0, -1], [1, -1]])
    np.testing.assert_allclose(found.ci, first.ci)
    assert found.p_global == first.p_global
    assert len(stats.combine_folds(none, none, np.empty((0, 2))).auroc) == 0
    with pytest.raises(ValueError, match="in one fold at least"):
        stats.combine_folds(first, none, [[-1, -1]])


# Verdicts


def test_confirmed_needs_units_that_could_have_shown_it():
    one = np.array([0.01])
    for attainable, expected in ((0.05, True), (0.06, False)):
        found = stats.TestStatistics(
            np.array([0.9]), np.array([[0.7, 1.0]]), one, one, 0.01, attainable_p=attainable
        )
        assert stats.confirmable(found, 0.05).tolist() == [expected]
