"""Shares of images: corrected, prediction-powered, standardised; their intervals cover."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from visdiff_local import stats

Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(8)


def enough(hits: int, runs: int) -> bool:
    return hits >= scipy_stats.binom.ppf(0.0005, runs, 0.95)


@pytest.mark.parametrize(
    ("share", "sensitivity", "specificity"), [(0.17, 0.8, 0.7), (0.0, 0.9, 0.9), (0.9, 0.7, 0.9)]
)
def test_a_models_errors_are_taken_out(share, sensitivity, specificity, rng: Rng):
    hits, truth, middle = 0, np.arange(60) % 2 == 0, []
    for _ in range(300):
        shows = rng.random(400) < share
        yes = np.where(shows, rng.random(400) < sensitivity, rng.random(400) >= specificity)
        said = np.where(truth, rng.random(60) < sensitivity, rng.random(60) >= specificity)
        found = stats.rogan_gladen(int(yes.sum()), 400, labelled=truth, answered=said)
        hits += found.low <= share <= found.high
        middle.append(found.value)
    assert enough(hits, 300)
    assert np.mean(middle) == pytest.approx(share, abs=0.05)


def test_a_perfect_model_is_taken_at_its_word():
    truth = np.arange(200) % 2 == 0
    found = stats.rogan_gladen(30, 100, labelled=truth, answered=truth)
    assert found.value == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("labelled", "answered", "said"),
    [
        ([True, True], [True, False], "label images of both kinds"),
        ([True, False], [False, True], "no better than chance"),
    ],
)
def test_labels_that_say_nothing_are_refused(labelled, answered, said):
    with pytest.raises(ValueError, match=said):
        stats.rogan_gladen(3, 10, labelled=labelled, answered=answered)


@pytest.mark.parametrize(("share", "labels"), [(0.17, 20), (0.5, 20), (0.03, 50), (0.9, 15)])
def test_a_few_labels_and_many_predictions(share: float, labels: int, rng: Rng):
    hits, width, alone = 0, [], []
    for _ in range(300):
        truth = (rng.random(400 + labels) < share).astype(float)
        predicted = np.clip(0.2 + 0.6 * truth + 0.15 * rng.standard_normal(len(truth)), 0, 1)
        found = stats.prediction_powered(predicted[labels:], truth[:labels], predicted[:labels])
        hits += found.low <= share <= found.high
        width.append(found.high - found.low)
        alone.append(float(np.ptp(stats.wilson(truth[:labels].sum(), labels))))
    assert enough(hits, 300)
    assert np.mean(width) <= np.mean(alone) + 0.01


def test_shares_are_standardised_to_one_mix(rng: Rng):
    is_a = np.arange(2000) < 1000
    kind = rng.random(2000) < np.where(is_a, 0.8, 0.2)
    shows = rng.random(2000) < np.where(kind, 0.9, 0.1)
    design = stats.Design(is_a, strata=kind.astype(int))
    in_a, in_b = stats.standardised_shares(shows, design)
    assert in_a.value == pytest.approx(in_b.value, abs=0.06)
    assert shows[is_a].mean() - shows[~is_a].mean() > 0.4
    mix = kind.mean()
    assert in_a.value == pytest.approx(0.9 * mix + 0.1 * (1 - mix), abs=0.05)


def test_a_share_of_clusters_has_their_interval(rng: Rng):
    cluster, hits = np.arange(400) // 20, 0
    design = stats.Design(np.arange(400) < 200, clusters=cluster)
    plain = stats.Design(np.arange(400) < 200)
    for _ in range(200):
        chance = rng.beta(2, 2, 20)[cluster]
        shows = rng.random(400) < chance
        found = stats.standardised_shares(shows, design)[0]
        hits += found.low <= 0.5 <= found.high
    assert hits / 200 > 0.87  # ten clusters
    narrow = stats.standardised_shares(shows, plain)[0]
    assert found.high - found.low > 1.5 * (narrow.high - narrow.low)
