"""Refining: the model sees what was missed."""

import numpy as np

from tests.support.stage_doubles import Words, captions_of, hypothesis, refs
from visdiff_local.pipeline.proposers import refine
from visdiff_local.pipeline.proposers.base import Asking
from visdiff_local.pipeline.rankers.scores import Images


def test_failures_are_the_missed_and_the_false() -> None:
    own = np.array([True] * 4 + [False] * 4)
    values = np.array([[0.9, 0.8, 0.9, 0.1, 0.1, 0.2, 0.1, 0.95]], dtype=np.float32)
    missed, false = refine.failures(values, own)
    assert missed.tolist() == [3]
    assert false.tolist() == [7]


def test_the_model_sees_scores_and_failures() -> None:
    a, b = refs("a", 4), refs("b", 4)
    said = captions_of(a, "x") | captions_of(b, "y")
    values = np.array(
        [[0.9, 0.8, 0.9, 0.1, 0.1, 0.2, 0.1, 0.95], [0.0, 0, 0, 0, 1, 1, 1, 1]], dtype=np.float32
    )
    llm = Words(complete=lambda prompt: "* a dog with a hat")
    found = refine.refine(
        [hypothesis("dogs"), hypothesis("cats", "b")],
        values, Images.of(a, b), said, llm, Asking(), number=3,
    )  # fmt: skip
    assert [(h.direction, h.provenance.round) for h in found.hypotheses] == [("a", 3), ("b", 3)]
    for_a, for_b = llm.asked
    assert "0.62  dogs" in for_a
    assert "- x a3" in for_a
    assert "- y b3" in for_a
    assert "x a0" not in for_a
    assert "1.00  cats" in for_b


def test_nothing_to_refine() -> None:
    found = refine.refine(
        [], np.empty((0, 2), np.float32), Images.of(refs("a", 1), refs("b", 1)), {}, Words(),
        Asking(), number=1,
    )  # fmt: skip
    assert found.hypotheses == ()
