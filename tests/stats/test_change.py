"""Steps along an order: by their definition, at their level, and placed where the data say."""

import numpy as np
import pytest

from visdiff_local import stats


def test_with_two_groups_it_is_the_rank_test():
    rng = np.random.default_rng(0)
    scores, late = rng.standard_normal((4, 60)), np.arange(60) < 25
    scores[0, late] += 0.6
    found = stats.change(scores, late, permutations=4000, rng=rng)
    expected = stats.mann_whitney_p(scores, late, alternative="two-sided")
    np.testing.assert_allclose(found.p_value, expected, atol=0.03)
    np.testing.assert_array_equal(found.rises, stats.auroc(scores, late) > 0.5)


def test_the_cut_is_the_one_whose_standardised_rank_sum_is_largest():
    rng = np.random.default_rng(1)
    for _ in range(20):
        scores, order = np.round(rng.standard_normal((3, 40)), 1), rng.integers(0, 6, 40)
        found = stats.change(scores, order, permutations=9, rng=rng)
        for row, cut in zip(scores, found.cut, strict=True):
            z = []
            for at in np.unique(order)[:-1]:
                area = stats.auroc(row[None], order > at)[0]
                n = (order > at).sum()
                z.append(abs(area - 0.5) * np.sqrt(n * (40 - n)))  # ties: the same for all cuts
            assert z[cut] == pytest.approx(max(z))


@pytest.mark.parametrize("design", ["plain", "clusters", "torn clusters", "strata"])
def test_where_nothing_changes_it_is_said_seldom(design: str):
    rng, hits, runs = np.random.default_rng(2), 0, 120
    unit = np.arange(160) // 8
    for _ in range(runs):
        scores, order = rng.standard_normal((4, 160)), rng.integers(0, 6, 160)
        clusters = strata = None
        if design in ("clusters", "torn clusters"):
            clusters = unit
            scores += 1.5 * rng.standard_normal((4, 20))[:, unit]
            order = rng.integers(0, 5, 20)[unit]
            if design == "torn clusters":
                order = order + (rng.random(160) < 0.5)
        if design == "strata":
            strata = rng.integers(0, 3, 160)
            scores, order = scores + 2 * strata, np.minimum(5, order + strata)
        found = stats.change(
            scores, order, clusters=clusters, strata=strata, permutations=199, rng=rng
        )
        hits += found.p_global <= 0.05
    assert hits <= 13, "5 % of 120, and chance"


def test_clusters_would_find_steps_if_their_images_counted_singly():
    rng, hits = np.random.default_rng(3), 0
    unit = np.arange(160) // 8
    for _ in range(30):
        scores = rng.standard_normal((4, 160)) + 1.5 * rng.standard_normal((4, 20))[:, unit]
        order = rng.integers(0, 6, 20)[unit]
        hits += stats.change(scores, order, permutations=99, rng=rng).p_global <= 0.05
    assert hits > 15


def test_the_place_of_a_step_is_covered_and_is_narrow_where_the_step_is_large():
    rng, covered, widths = np.random.default_rng(4), 0, []
    for run in range(60):
        order = np.repeat(np.arange(8), 12)
        scores = rng.standard_normal(96) + (1.2 if run % 2 else 3.0) * (order > 4)
        kept = stats.cuts_kept(scores, order, permutations=199, rng=rng)
        covered += bool(kept[4])
        widths.append(int(kept.sum()))
    assert covered >= 53, "95 % of 60, less chance"
    assert np.mean(widths[0::2]) < 1.5
    assert np.mean(widths[0::2]) <= np.mean(widths[1::2]) < 4


def test_a_slope_is_no_step_and_a_faint_step_may_be_anywhere():
    rng = np.random.default_rng(5)
    order = np.repeat(np.arange(8), 60)
    slope = rng.standard_normal(480) + 0.6 * order
    assert not stats.cuts_kept(slope, order, permutations=199, rng=rng).any()
    order = np.repeat(np.arange(4), 6)
    faint = rng.standard_normal(24) + 0.3 * (order > 1)
    assert stats.cuts_kept(faint, order, permutations=199, rng=rng).all()


def test_what_cannot_be_tested_is_refused():
    rng = np.random.default_rng(6)
    with pytest.raises(ValueError, match="nothing can change"):
        stats.change(np.zeros((1, 4)), np.ones(4), rng=rng)
    with pytest.raises(ValueError, match="leave those images out"):
        stats.change(np.zeros((1, 4)), [0, 1, np.nan, 2], rng=rng)
    constant = stats.change(np.zeros((1, 4)), np.arange(4), permutations=99, rng=rng)
    assert constant.p_value.tolist() == [1.0]
