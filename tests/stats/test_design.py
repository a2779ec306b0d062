"""Designs: what they take, what they leave out, and how they are halved."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visdiff_local.stats import Design
from visdiff_local.stats.design import blocks_of, codes, connected


def test_columns_may_be_text_numbers_or_missing():
    design = Design(
        [True, True, False, False, True, False],
        clusters=["x", "x", "y", None, float("nan"), "z"],
        strata=[1, 1, 1, 2, 1, None],
    )
    assert design.kept.tolist() == [True, True, True, False, True, False]
    assert (design.n_a, design.n_b) == (3, 1)
    assert (design.clusters_a, design.clusters_b) == (2, 1)
    assert design.strata_used == (1,)
    assert design.strata_left_out == (2,)
    assert design.describe() == {
        "images_a": 3, "images_b": 1, "clusters_a": 2, "clusters_b": 1, "strata": 1,
        "strata_left_out": ["2"], "pairs": None, "left_out": 2,
    }  # fmt: skip


def test_a_cluster_each_is_no_cluster_and_one_stratum_is_one():
    plain = Design(np.arange(6) < 3, clusters=list("abcdef"))
    assert plain.plain
    assert not Design(np.arange(6) < 3, clusters=list("aabcde")).plain
    assert not Design(np.arange(6) < 3, strata=[0] * 6).plain


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"clusters": [1, 2]}, "clusters: 2 values for 4 images"),
        ({"strata": [1, 1, 2, 2]}, "no stratum has images of both sets"),
        ({"pairs": [1, 2, 3, 4]}, "no id of a pair has images of both sets"),
    ],
)
def test_what_cannot_be_is_refused(columns, said):
    with pytest.raises(ValueError, match=said):
        Design([True, True, False, False], **columns)


def test_one_empty_set_is_refused():
    with pytest.raises(ValueError, match="both sets need an image"):
        Design([True, True])


def test_ids_that_share_a_cluster_are_one_unit():
    design = Design(
        [True, True, True, False, False, False], pairs=[1, 2, 3, 1, 2, 3],
        clusters=["u", "u", None, None, None, None],
    )  # fmt: skip
    assert design.n_pairs == 3
    assert design.clustered
    assert len(set(design.unit[[0, 1, 3, 4]])) == 1
    assert len(set(design.unit)) == 2


def test_what_is_joined_through_others_is_joined():
    first, second = np.array([0, 0, 1, -1, 2]), np.array([5, 6, 6, 7, 7])
    assert connected(first, second).tolist() == [0, 0, 0, 1, 1]


def test_units_of_the_same_strata_are_a_block():
    unit, stratum = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 1, 0, 0, 0])
    assert blocks_of(unit, stratum).tolist() == [0, 0, 1, 1]


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 4))
@settings(deadline=None, max_examples=50)
def test_halves_keep_units_together_and_are_balanced(seed: int, size: int, strata: int):
    n = 240
    cluster, is_a = np.arange(n) // size, np.arange(n) < n // 2
    design = Design(is_a, clusters=cluster, strata=cluster % strata)
    half = design.halve(np.random.default_rng(seed))
    for one in np.unique(cluster):
        assert len(set(half[cluster == one])) == 1
    for side in (is_a, ~is_a):
        for stratum in range(strata):
            mine = side & (design.stratum == stratum)
            assert abs(half[mine].sum() - mine.sum() / 2) <= size + 1


def test_a_subset_is_a_design():
    design = Design(np.arange(8) < 4, clusters=list("aabbccdd"), strata=[0, 1] * 4)
    part = design.subset(np.arange(8) % 4 < 2)
    assert part.is_a.tolist() == [True, True, False, False]
    assert list(part.clusters or ()) == ["a", "a", "c", "c"]


def dealt(design: Design, rng: np.random.Generator, share: float) -> list[bool]:
    """One unit after the other, as :meth:`Design.halve` says it."""
    unit = design.unit.tolist()
    marks = (design.stratum * 2 + design.is_a).tolist()
    kinds: dict[object, list[int]] = {}
    for one in range(max(unit) + 1):
        kind = frozenset(mark for mark, of in zip(marks, unit, strict=True) if of == one)
        kinds.setdefault(kind, []).append(one)
    chosen: set[int] = set()
    for units in kinds.values():
        sizes = [unit.count(one) for one in units]
        lack = share * sum(sizes) + (rng.random() - 0.5) * np.mean(sizes)
        for one in rng.permutation(units).tolist():
            if unit.count(one) / 2 <= lack if len(units) > 1 else rng.random() < share:
                chosen.add(one)
                lack -= unit.count(one)
    return [one in chosen for one in unit]


@given(seed=st.integers(0, 99), groups=st.sampled_from([None, 3, 20]), strata=st.integers(0, 3))
def test_halves_are_those_that_are_dealt_one_by_one(seed: int, groups: int | None, strata: int):
    rng = np.random.default_rng(seed)
    is_a = np.array([True, False, *(rng.random(30) < 0.4)])
    clusters = None if groups is None else rng.integers(0, groups, len(is_a)).tolist()
    column = rng.integers(0, strata, len(is_a)).tolist() if strata else None
    try:
        design = Design(is_a, clusters=clusters, strata=column)
    except ValueError:
        return  # no stratum has both sets
    for share in (0.5, 0.05, 0.9):
        half = design.halve(np.random.default_rng(seed), share)
        assert half.tolist() == dealt(design, np.random.default_rng(seed), share)


@given(st.lists(st.integers(-3, 3)))
def test_numbers_have_the_codes_of_the_same_values_as_objects(values: list[int]):
    assert codes(np.array(values, np.int64)).tolist() == codes(values).tolist()
