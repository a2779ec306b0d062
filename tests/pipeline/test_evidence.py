"""Evidence: the two ends of the sorted scores, and every image in a histogram."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.support.stage_doubles import refs
from visdiff_local.pipeline import evidence
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.protocols import FloatArray


def test_evidence_for_and_against_in_both_directions() -> None:
    images = Images.of(refs("a", 3), refs("b", 3))
    scores = np.array([0.9, 0.5, 0.1, 0.8, 0.4, 0.2], dtype=np.float32)
    for_a = evidence.evidence(scores, images, "a", shown=2)
    assert [e.id for e in for_a.a] == ["a0", "a1"]
    assert [e.id for e in for_a.b] == ["b2", "b1"]
    assert [e.id for e in for_a.against] == ["b0", "a2"]
    for_b = evidence.evidence(scores, images, "b", shown=2)
    assert [e.id for e in for_b.a] == ["a2", "a1"]
    assert [e.id for e in for_b.b] == ["b0", "b1"]
    assert [e.id for e in for_b.against] == ["a0", "b2"]
    assert for_a.a[0].score == pytest.approx(0.9)
    assert for_a.a[0].path == images.refs[0].name


@given(hnp.arrays(np.float32, 12, elements=st.sampled_from([-1.0, 0.0, 0.25, 0.5])))
def test_evidence_is_the_two_ends_of_the_sorted_scores(scores: FloatArray) -> None:
    images = Images.of(refs("a", 5), refs("b", 7))
    found = evidence.evidence(scores, images, "a", shown=4)
    rising = sorted(range(12), key=lambda i: (scores[i], i))
    ids = [images.refs[i].id for i in rising]
    a, b = ([name for name in ids if name[0] == side] for side in "ab")
    assert [e.id for e in found.a] == a[::-1][:4]
    assert [e.id for e in found.b] == b[:4]
    assert [e.id for e in found.against] == [b[-1], a[0], b[-2], a[1]]


@given(hnp.arrays(np.float32, 12, elements=st.floats(-1, 1, width=32)))
def test_histograms_count_every_image(scores: FloatArray) -> None:
    images = Images.of(refs("a", 5), refs("b", 7))
    bins = evidence.histogram(scores, images)
    assert sum(bins.a) == 5
    assert sum(bins.b) == 7
    assert len(bins.edges) == len(bins.a) + 1 == len(bins.b) + 1
    assert list(bins.edges) == sorted(bins.edges)
