"""Ensembles: ranks, whatever the scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from tests.support.stage_doubles import refs
from visdiff_local.pipeline.rankers import scores as rank
from visdiff_local.pipeline.rankers.ensemble import ensemble
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.protocols import FloatArray
from visdiff_local.stats import auroc

NAN = float("nan")


def constant(values: list[list[float]]) -> rank.ScoreFunction:
    return lambda texts, images: np.array(values, dtype=np.float32)


def test_an_ensemble_does_not_care_for_scale() -> None:
    images = refs("i", 4)
    small = constant([[0.01, 0.02, 0.03, 0.04]])
    large = constant([[40.0, 30.0, 20.0, 10.0]])
    flat = ensemble([small, large])(["x"], images)
    assert flat.tolist() == [[0.5, 0.5, 0.5, 0.5]]
    same = ensemble([small, constant([[1.0, 2.0, 3.0, 4.0]])])(["x"], images)
    assert np.allclose(same, [[0.125, 0.375, 0.625, 0.875]])


def test_an_ensemble_member_that_is_silent_is_left_out() -> None:
    images = refs("i", 3)
    found = ensemble([constant([[NAN, 0.1, 0.9]]), constant([[1.0, 2.0, NAN]])])(["x"], images)
    assert found[0, 0] == pytest.approx(0.25)
    assert found[0, 2] == pytest.approx(0.75)
    nobody = ensemble([constant([[NAN, 0.1, 0.9]]), constant([[NAN, 2.0, NAN]])])(["x"], images)
    assert np.isnan(nobody[0, 0])


def test_two_noisy_rankers_together_beat_each() -> None:
    rng = np.random.default_rng(0)
    images = Images.of(refs("a", 300), refs("b", 300))
    signal = images.is_a * 1.0

    def noisy(scale: float) -> rank.ScoreFunction:
        scores = (scale * (signal + rng.normal(0, 1.5, 600)))[None, :].astype(np.float32)
        return lambda texts, refs: scores

    members = [noisy(1), noisy(100)]
    alone = [auroc(member(["x"], images.refs), images.is_a)[0] for member in members]
    both = auroc(ensemble(members)(["x"], images.refs), images.is_a)[0]
    assert both > max(alone)


@given(hnp.arrays(np.float32, (2, 20), elements=st.floats(0, 1, width=16)))
def test_the_ranks_of_an_ensemble_of_one_keep_its_auroc(values: FloatArray) -> None:
    images = Images.of(refs("a", 10), refs("b", 10))
    function = ensemble([lambda texts, refs: values])
    ranked = function(["x", "y"], images.refs)
    for row in range(2):
        assert roc_auc_score(images.is_a, ranked[row]) == pytest.approx(
            roc_auc_score(images.is_a, values[row])
        )
