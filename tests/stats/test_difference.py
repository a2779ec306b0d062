"""The test that needs no text, what texts explain, and groupings that matter."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from visdiff_local import stats

Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(4)


def embedded(n: int, rng: Rng) -> np.ndarray:
    return (rng.standard_normal((n, 32)) * np.exp(-np.arange(32) / 10)).astype(np.float32)


def test_nothing_is_found_where_nothing_differs(rng: Rng):
    n, hits = np.arange(120), np.zeros(4, int)
    designs = (
        stats.Design(n < 60),
        stats.Design(n < 60, clusters=n // 10),
        stats.Design(n % 2 == 0, strata=n // 40),
        stats.Design(n < 60, pairs=n % 60),
    )
    for _ in range(60):
        alone = embedded(120, rng)
        shared = (
            0 * alone,
            embedded(12, rng)[n // 10],
            embedded(3, rng)[n // 40],
            embedded(60, rng)[n % 60],
        )
        for number, (design, common) in enumerate(zip(designs, shared, strict=True)):
            found = stats.difference(alone + common, design, permutations=99, rng=rng)
            hits[number] += found.p_any <= 0.05
    assert (hits <= scipy_stats.binom.ppf(0.9995, 60, 0.05)).all()


def test_a_small_group_in_a_large_set_is_found(rng: Rng):
    vectors = embedded(4000, rng)
    vectors[:180, 5] += 3.0
    design = stats.Design(np.arange(4000) < 2000)
    assert stats.difference(vectors, design, permutations=199, rng=rng).p_any == 1 / 200


def test_a_difference_in_spread_alone_is_found(rng: Rng):
    vectors = embedded(600, rng)
    vectors[:300] *= 1.3
    design = stats.Design(np.arange(600) < 300)
    assert stats.difference(vectors, design, permutations=199, rng=rng).p_any <= 0.01


def test_what_is_explained_is_the_part_that_the_texts_hold(rng: Rng):
    n, is_a = 3000, np.arange(3000) < 1500
    vectors = embedded(n, rng)
    vectors[is_a, 0] += 0.6
    vectors[is_a, 1] += 0.6 * np.exp(-0.1)
    design = stats.Design(is_a)
    one, both = vectors[:, :1].T, vectors[:, :2].T
    assert stats.explained(vectors, both, design, rng=rng) == pytest.approx(1, abs=0.05)
    assert stats.explained(vectors, one, design, rng=rng) == pytest.approx(0.5, abs=0.12)
    assert stats.explained(vectors, vectors[:, 7:8].T, design, rng=rng) == pytest.approx(
        0, abs=0.05
    )
    assert stats.explained(vectors, np.empty((0, n)), design, rng=rng) == 0.0


def test_vectors_that_do_not_fit_are_refused(rng: Rng):
    design = stats.Design([True, False, True])
    with pytest.raises(ValueError, match="a row an image"):
        stats.difference(embedded(4, rng), design, rng=rng)
    with pytest.raises(ValueError, match="NaN"):
        stats.difference(np.full((3, 2), np.nan, np.float32), design, rng=rng)


# Groupings


def anova_icc(values: np.ndarray, cluster: np.ndarray) -> float:
    """Of one set, clusters of equal size, as the books have it."""
    groups = [scipy_stats.rankdata(values)[cluster == k] for k in np.unique(cluster)]
    size = len(groups[0])
    f = scipy_stats.f_oneway(*groups).statistic
    return float((f - 1) / (f + size - 1))


def test_the_intraclass_correlation_is_that_of_the_books(rng: Rng):
    cluster = np.arange(60) // 5
    scores = rng.standard_normal((3, 60)) + rng.standard_normal((3, 12))[:, cluster]
    found = stats.intraclass_correlation(scores, cluster)
    np.testing.assert_allclose(found, [anova_icc(row, cluster) for row in scores], atol=1e-6)
    apart = scores + 100 * (np.arange(60) < 30)
    with_sets = stats.intraclass_correlation(apart, cluster, np.arange(60) < 30)
    assert (with_sets < 0.9).all()
    assert np.isnan(stats.intraclass_correlation(scores, np.arange(60))).all()


def test_the_design_effect_is_kishs():
    assert float(stats.design_effect(0.3, [10, 10, 10])) == pytest.approx(1 + 9 * 0.3)
    assert float(stats.design_effect(-0.2, [10, 10])) == 1.0


def test_a_grouping_that_matters_is_told_from_those_that_do_not(rng: Rng):
    n, is_a = np.arange(200), np.arange(200) < 100
    groupings = {
        "patient": n // 10,
        "chance": rng.integers(0, 20, 200),
        "alone": n,
        "partly": [int(i) // 10 if i % 2 else None for i in n],
    }
    false = 0
    for _ in range(20):
        scores = rng.standard_normal((8, 200)) + rng.standard_normal((8, 20))[:, n // 10]
        found = stats.grouping_effects(scores, is_a, groupings, rng=rng, permutations=200)
        by_name = {effect.name: effect for effect in found}
        assert found[0].name == "patient"
        assert by_name["patient"].matters
        assert "alone" not in by_name
        false += by_name["chance"].matters
    assert false <= 2


def test_independent_images_raise_no_alarm(rng: Rng):
    is_a, alarms = np.arange(120) < 60, 0
    for _ in range(60):
        groupings = {name: rng.integers(0, 12, 120) for name in "abc"}
        scores = rng.standard_normal((8, 120))
        found = stats.grouping_effects(scores, is_a, groupings, rng=rng, permutations=200)
        alarms += any(effect.matters for effect in found)
    assert alarms <= 4
