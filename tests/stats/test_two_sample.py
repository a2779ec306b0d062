"""One test for every design, against brute force over relabellings and against other programs."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats
from sklearn.metrics import roc_auc_score

from tests.support.chance import binomial
from visdiff_local import stats
from visdiff_local.stats import Design
from visdiff_local.stats.measured import measure

Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(11)


# The figure and its error


def test_within_strata_it_is_the_weighted_mean_of_theirs(rng: Rng):
    stratum, is_a = rng.integers(0, 3, 90), rng.random(90) < 0.4
    scores = np.round(rng.standard_normal((4, 90)) + stratum, 1)
    expected, total = np.zeros(4), 0.0
    for value in range(3):
        mine = stratum == value
        a, b = is_a[mine].sum(), (~is_a[mine]).sum()
        weight = a * b / (a + b + 1)
        expected += weight * np.array([roc_auc_score(is_a[mine], row[mine]) for row in scores])
        total += weight
    found = stats.test(scores, Design(is_a, strata=stratum), rng=rng)
    np.testing.assert_allclose(found.auroc, expected / total, atol=1e-12)
    assert found.auroc_plain is not None
    np.testing.assert_allclose(found.auroc_plain, stats.auroc(scores, is_a))


def obuchowski(scores: np.ndarray, is_a: np.ndarray, cluster: np.ndarray) -> float:
    """The variance of an AUROC as the paper writes it, in loops."""
    x, y = scores[is_a], scores[~is_a]
    wins = np.sign(x[:, None] - y) / 2 + 0.5
    area = wins.mean()
    v10, v01 = wins.mean(axis=1), wins.mean(axis=0)
    s10 = s01 = s11 = 0.0
    names = np.unique(cluster)
    for name in names:
        mine_a, mine_b = cluster[is_a] == name, cluster[~is_a] == name
        over_a, over_b = (v10[mine_a] - area).sum(), (v01[mine_b] - area).sum()
        s10, s01, s11 = s10 + over_a**2, s01 + over_b**2, s11 + over_a * over_b
    k_a, k_b = len(np.unique(cluster[is_a])), len(np.unique(cluster[~is_a]))
    m, n = len(x), len(y)
    correction = np.sqrt(k_a / (k_a - 1) * k_b / (k_b - 1))
    return float(
        k_a / (k_a - 1) * s10 / m**2 + k_b / (k_b - 1) * s01 / n**2 + 2 * correction * s11 / (m * n)
    )


@pytest.mark.parametrize("both", [False, True])
def test_the_error_of_clusters_is_obuchowskis(rng: Rng, both: bool):
    is_a = np.arange(60) < 25
    cluster = rng.integers(0, 9, 60) + (0 if both else 9 * is_a)
    scores = np.round(rng.standard_normal((3, 60)), 1)
    found = stats.test(scores, Design(is_a, clusters=cluster), rng=rng)
    expected = [obuchowski(row, is_a, cluster) for row in scores]
    assert found.se is not None
    np.testing.assert_allclose(found.se**2, expected, rtol=1e-6)


def test_single_images_as_clusters_are_independent_images(rng: Rng):
    scores, is_a = rng.standard_normal((4, 100)), np.arange(100) < 50
    plain = stats.test(scores, Design(is_a), rng=np.random.default_rng(0))
    alone = stats.test(scores, Design(is_a, clusters=np.arange(100)), rng=np.random.default_rng(0))
    np.testing.assert_array_equal(plain.p_value, alone.p_value)
    np.testing.assert_array_equal(plain.ci, alone.ci)


def test_order_of_images_and_of_hypotheses_changes_nothing(rng: Rng):
    n = 48
    scores = np.round(rng.standard_normal((5, n)), 1)
    cluster, is_a = np.arange(n) // 8, np.arange(n) < n // 2
    order, rows = rng.permutation(n), rng.permutation(5)
    one = stats.test(scores, Design(is_a, clusters=cluster, strata=cluster % 2), rng=rng)
    two = stats.test(
        scores[rows][:, order],
        Design(is_a[order], clusters=cluster[order], strata=(cluster % 2)[order]),
        rng=rng,
    )
    for name in ("auroc", "ci", "p_value", "q_value"):
        np.testing.assert_allclose(getattr(one, name)[rows], getattr(two, name), atol=1e-9)
    assert one.p_global == pytest.approx(two.p_global)


def test_rows_in_blocks_are_rows_at_once(rng: Rng, monkeypatch: pytest.MonkeyPatch):
    design = Design(np.arange(80) < 40, clusters=np.arange(80) // 4, strata=np.arange(80) // 4 % 2)
    scores = rng.standard_normal((7, 80))
    whole = stats.test(scores, design, rng=np.random.default_rng(1))
    monkeypatch.setattr("visdiff_local.stats.measured.CELLS_AT_ONCE", 160)
    parts = stats.test(scores, design, rng=np.random.default_rng(1))
    for name in ("auroc", "ci", "p_value", "correlation"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-12)


# p, by brute force


def t_of(scores: np.ndarray, is_a: np.ndarray, design: Design) -> np.ndarray:
    """Mean difference of ranks of one labelling and its variance by clusters, in loops."""
    stratum, unit = design.stratum, design.unit
    top, weights, variance = np.zeros(len(scores)), 0.0, np.zeros(len(scores))
    for value in np.unique(stratum[design.kept]):
        mine = stratum == value
        a, u = is_a[mine], unit[mine]
        n, n_a = len(a), a.sum()
        weight = n_a * (n - n_a) / (n + 1)
        rank = (2 * scipy_stats.rankdata(scores[:, mine], axis=1) - n - 1) / (2 * n)
        means = [rank[:, side].mean(axis=1) for side in (a, ~a)]
        parts = np.zeros(len(scores))
        for side, mean in ((a, means[0]), (~a, means[1])):
            units = np.unique(u[side])
            sums = np.stack([(rank[:, side & (u == k)] - mean[:, None]).sum(axis=1) for k in units])
            parts += len(units) / (len(units) - 1) * (sums**2).sum(axis=0) / side.sum() ** 2
        top += weight * (means[0] - means[1])
        variance += weight**2 * parts
        weights += weight
    return np.stack([top / weights, variance / weights**2])


def labellings(design: Design) -> list[np.ndarray]:
    """Every way to deal the labels of whole units within strata."""
    unit, stratum = design.unit, design.stratum
    choices = []
    for value in np.unique(stratum):
        units = np.unique(unit[stratum == value])
        n_a = len(np.unique(unit[(stratum == value) & design.is_a]))
        choices.append([set(chosen) for chosen in combinations(units.tolist(), n_a)])
    return [
        np.array([any(int(u) in chosen for chosen in deal) for u in unit])
        for deal in product(*choices)
    ]


@pytest.mark.parametrize("stratified", [False, True])
def test_p_is_the_share_of_all_relabellings_of_units(rng: Rng, stratified: bool):
    cluster = np.repeat(np.arange(8), [1, 2, 3, 2, 3, 1, 2, 2])
    is_a = np.isin(cluster, [0, 1, 4, 5])
    strata = (cluster >= 4).astype(int) if stratified else None
    design = Design(is_a, clusters=cluster, strata=strata)
    scores = np.round(rng.standard_normal((3, 16)) + is_a, 1)
    found = stats.test(scores, design, rng=rng)
    measured = measure(scores, design)
    null_sd = np.sqrt(measured.null_variance)[:, None]
    every = [t_of(scores, labels, design) for labels in labellings(design)]
    effects, variances = (np.stack([each[k] for each in every], axis=1) for k in (0, 1))
    drawn = effects / np.maximum(np.sqrt(variances), null_sd)
    own = t_of(scores, is_a, design)
    error = np.maximum(np.sqrt(own[1]), null_sd[:, 0])
    error = np.where(measured.area > 0.5, np.maximum(error, measured.se), error)
    t = (measured.area - 0.5) / error
    np.testing.assert_allclose(own[0], measured.area - 0.5, atol=1e-9)
    share = (drawn >= t[:, None] - 1e-9).mean(axis=1)
    assert (found.p_value >= share - 1e-9).all()  # the tails may hold it up
    assert found.p_global == pytest.approx((drawn.max(axis=0) >= t.max() - 1e-9).mean())
    assert found.attainable_p == pytest.approx(1 / len(every))


def test_clusters_in_both_sets_trade_their_sides(rng: Rng):
    n, cluster = 28, np.tile(np.repeat(np.arange(7), 2), 2)
    is_a = np.arange(n) < n // 2
    scores = 4 * rng.standard_normal((1, 7))[:, cluster] + rng.standard_normal((1, n)) + 0.8 * is_a
    found = stats.test(scores, Design(is_a, clusters=cluster), rng=rng)
    areas = [
        stats.auroc(scores, is_a ^ np.array(swap)[cluster])[0]
        for swap in product([False, True], repeat=7)
    ]
    assert found.attainable_p == pytest.approx(1 / 128)
    share = (np.array(areas) >= found.auroc[0] - 1e-12).mean()
    assert share - 1e-9 <= found.p_value[0] <= share + 0.1
    assert found.p_value[0] < 0.1 < stats.test(scores, Design(is_a), rng=rng).p_value[0]


@given(
    hnp.arrays(np.float64, (2, 18), elements=st.sampled_from([0.0, 0.0, 1.0, 2.5, np.inf])),
    hnp.arrays(np.int64, 18, elements=st.integers(0, 6)),
    hnp.arrays(np.int64, 18, elements=st.integers(0, 2)),
    hnp.arrays(np.bool_, 18).filter(lambda labels: 0 < labels.sum() < len(labels)),
    st.sampled_from(["plain", "clusters", "strata", "both", "pairs"]),
)
@settings(deadline=None, max_examples=60)
def test_whatever_the_design_the_numbers_are_possible(scores, cluster, stratum, is_a, kind):
    columns = {
        "plain": {}, "clusters": {"clusters": cluster}, "strata": {"strata": stratum},
        "both": {"clusters": cluster, "strata": stratum}, "pairs": {"pairs": cluster},
    }[kind]  # fmt: skip
    try:
        design = Design(is_a, **columns)
    except ValueError:
        return
    found = stats.test(scores, design, permutations=30, rng=np.random.default_rng(0))
    assert ((found.auroc >= 0) & (found.auroc <= 1)).all()
    assert (found.ci[:, 0] <= found.auroc + 1e-12).all()
    assert (found.auroc <= found.ci[:, 1] + 1e-12).all()
    assert ((found.p_value > 0) & (found.p_value <= 1)).all()
    assert 0 < found.p_global <= 1
    assert (found.q_value >= found.p_value - 1e-12).all()
    turned = stats.test(-scores, design, permutations=30, rng=np.random.default_rng(0))
    np.testing.assert_allclose(turned.auroc, 1 - found.auroc, atol=1e-9)


# Pairs


def test_pairs_with_an_interaction_find_nothing_by_themselves(rng: Rng):
    pair, is_a = np.tile(np.repeat(np.arange(30), 4), 2), np.arange(240) < 120
    hits = 0
    for _ in range(80):
        own = rng.standard_normal((10, 60))[:, pair + 30 * is_a]
        scores = rng.standard_normal((10, 30))[:, pair] + own + rng.standard_normal((10, 240))
        found = stats.test(scores, Design(is_a, pairs=pair), permutations=199, rng=rng)
        hits += found.p_global <= 0.05
    assert binomial(hits, 80, 0.05)


def test_a_pair_is_the_means_of_its_images(rng: Rng):
    pair = np.array([0, 0, 0, 1, 1, 0, 1, 1, 2, 2, 3])
    is_a = np.array([1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1], bool)
    scores = rng.standard_normal((3, 11))
    found = stats.test(scores, Design(is_a, pairs=pair), rng=rng)
    a, b = (
        np.stack([scores[:, (pair == k) & side].mean(axis=1) for k in range(3)], axis=1)
        for side in (is_a, ~is_a)
    )
    np.testing.assert_allclose(found.p_value, stats.wilcoxon_p(a, b))
    np.testing.assert_allclose(found.auroc, (a > b).mean(axis=1))


def test_ids_of_one_cluster_trade_places_together(rng: Rng):
    pair, is_a = np.tile(np.arange(24), 2), np.arange(48) < 24
    cluster, hits = pair // 4, 0
    for _ in range(80):
        scores = rng.standard_normal((6, 48)) + 1.5 * rng.standard_normal((6, 6))[:, cluster] * is_a
        found = stats.test(scores, Design(is_a, pairs=pair, clusters=cluster), rng=rng)
        assert found.attainable_p == pytest.approx(1 / 64)
        hits += found.p_global <= 0.05
    assert binomial(hits, 80, 0.05)
