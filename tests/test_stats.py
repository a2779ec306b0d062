"""The statistics against scikit-learn, scipy and brute force, and against themselves at random."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats
from sklearn.metrics import roc_auc_score

from visdiff_local import stats
from visdiff_local.stats import null
from visdiff_local.stats.histogram_counts import _codes
from visdiff_local.stats.paired import EXACT_PAIRS
from visdiff_local.stats.separation import EXACT_WORK, delong_variance, interval, p_values
from visdiff_local.stats.ties import each_block

Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(7)


def half_and_half(n: int) -> npt.NDArray[np.bool_]:
    return np.arange(n) < n // 2


def by_pairs(scores: npt.NDArray[np.floating], is_a: npt.NDArray[np.bool_]) -> float:
    """AUROC by its definition."""
    a, b = scores[is_a, None].astype(float), scores[None, ~is_a].astype(float)
    return float((a > b).mean() + (a == b).mean() / 2)


labelled_scores = st.integers(2, 24).flatmap(
    lambda n: st.tuples(
        hnp.arrays(
            st.sampled_from([np.float16, np.float32, np.float64]),
            (3, n),
            elements=st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 0.25, 0.5, 1.0, 2.0**-14, np.inf]),
        ),
        hnp.arrays(np.bool_, n).filter(lambda labels: 0 < labels.sum() < len(labels)),
    )
)


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


# Many hypotheses


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


# Counting half-precision scores


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


# Pairs, thresholds, the paper's rule, the bootstrap


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


def test_the_bootstrap_covers_and_keeps_seeds_together(rng: Rng):
    covered = 0
    for _ in range(200):
        pair = rng.standard_normal((60, 1))
        mean, low, high = stats.paired_bootstrap(
            pair + 0.1 * rng.standard_normal((60, 5)), rng, n=400
        )
        assert low <= mean <= high
        covered += low <= 0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_bootstrap_of_a_difference_uses_the_pairing(rng: Rng):
    hard = 3 * rng.standard_normal((80, 1))
    ours, theirs = hard + 0.2 + 0.1 * rng.standard_normal((80, 3)), hard + np.zeros((80, 1))
    mean, low, high = stats.paired_bootstrap_difference(ours, theirs, rng)
    assert 0.15 < low < mean < high < 0.25
    with pytest.raises(ValueError, match="the same pairs"):
        stats.paired_bootstrap_difference(ours, theirs[:-1], rng)
    with pytest.raises(ValueError, match="a value for every pair"):
        stats.paired_bootstrap([], rng)
