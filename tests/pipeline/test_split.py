"""Explore and validate: what belongs together stays on one side, and nothing else decides."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.config import RunConfig
from visdiff_local.images import ImageSet, Memory
from visdiff_local.images.near import Forest
from visdiff_local.pipeline import grouping, split
from visdiff_local.pipeline.grouping import Column, Grouping
from visdiff_local.pipeline.read import Sets
from visdiff_local.pipeline.split import Fold
from visdiff_local.types import ImageRef

NAMES = st.lists(st.integers(0, 400).map(str), min_size=1, max_size=60, unique=True)


def refs(names: list[str]) -> tuple[ImageRef, ...]:
    return tuple(ImageRef(name, Memory(b"", name)) for name in names)


def halved(
    a: list[str],
    b: list[str],
    *,
    seed: int = 0,
    near: list[list[str]] | None = None,
    columns: Grouping | None = None,
) -> Fold:
    config = RunConfig.checked(a="a", b="b")
    sides = ImageSet("a", refs(a)), ImageSet("b", refs(b))
    made = columns or grouping.of_sets(*sides, near or [], config)
    sets = Sets(*sides, {}, grouping=made)
    (fold,) = split.folds(sets, config, np.random.default_rng(seed))
    return fold


def ids(fold: Fold, half: str, *, of_a: bool) -> set[str]:
    images = getattr(fold, half)
    return {ref.id for ref, is_a in zip(images.refs, images.is_a, strict=True) if is_a == of_a}


@given(NAMES, NAMES, st.integers(0, 5), st.data())
def test_splits_keep_together_what_belongs_together(
    a: list[str], b: list[str], seed: int, data: st.DataObject
) -> None:
    everything = sorted({*a, *b})
    near = data.draw(st.lists(st.lists(st.sampled_from(everything), min_size=2, max_size=4)))
    fold = halved(a, b, seed=seed, near=near)
    for names, of_a in ((a, True), (b, False)):
        explore, validate = (ids(fold, half, of_a=of_a) for half in ("explore", "validate"))
        assert explore | validate == set(names)
        assert explore
        assert validate
    together = Forest[str]()
    for one, *others in near:
        for other in others:
            together.join(one, other)
    parts = [
        {together.root(name) for of_a in (True, False) for name in ids(fold, half, of_a=of_a)}
        for half in ("explore", "validate")
    ]
    alone = len(a) == 1 or len(b) == 1
    if not fold.torn and not alone:
        assert not parts[0] & parts[1]


@given(NAMES, NAMES, st.randoms(use_true_random=False))
def test_splits_depend_on_ids_and_seed_alone(a: list[str], b: list[str], random: Random) -> None:
    near = [sorted(a)[:2]] if len(a) > 3 else []
    shuffled = list(a)
    random.shuffle(shuffled)
    first = halved(a, b, near=near)
    second = halved(shuffled, b[::-1], near=[group[::-1] for group in near])
    for half in ("explore", "validate"):
        for of_a in (True, False):
            assert ids(first, half, of_a=of_a) == ids(second, half, of_a=of_a)


def test_halves_are_even_and_fair() -> None:
    a, b = [str(n) for n in range(51)], [str(n) for n in range(60, 100)]
    counts: Counter[str] = Counter()
    for seed in range(400):
        fold = halved(a, b, seed=seed)
        explore = ids(fold, "explore", of_a=True)
        assert len(explore) in (25, 26)
        assert len(ids(fold, "explore", of_a=False)) == 20
        counts.update(explore)
    # 400 fair halves: a binomial with standard deviation 10; five of them either way.
    assert min(counts[name] for name in a) > 150
    assert max(counts.values()) < 250


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_sets_have_an_image_in_every_half(n: int) -> None:
    for seed in range(10):
        fold = halved(list("abc")[:n], list("xyz")[:n], seed=seed)
        for half in ("explore", "validate"):
            assert ids(fold, half, of_a=True)
            assert ids(fold, half, of_a=False)
        assert fold.torn == ()


def test_pairs_and_near_duplicates_stay_on_one_side_of_both_sets() -> None:
    a, b = ([f"{side}{n}" for n in range(30)] for side in "ab")
    pairs = Column({f"a{n}": str(n) for n in range(30)}, {f"b{n}": str(n) for n in range(30)})
    near = {"a1": "near", "a2": "near", "b2": "other", "b3": "other"}
    fold = halved(a, b, columns=Grouping(paired_by="n", pairs=pairs, clusters=Column(near, near)))
    explore = ids(fold, "explore", of_a=True) | ids(fold, "explore", of_a=False)
    for n in range(30):
        assert (f"a{n}" in explore) == (f"b{n}" in explore)
    assert ("a1" in explore) == ("a2" in explore)
    assert ("b2" in explore) == ("b3" in explore)
    assert abs(len(ids(fold, "explore", of_a=True)) - 15) <= 2


def test_strata_are_balanced() -> None:
    a, b = [f"a{n}" for n in range(40)], [f"b{n}" for n in range(40)]
    of_a = {f"a{n}": "xy"[n < 8] for n in range(40)}
    of_b = {f"b{n}": "xy"[n < 30] for n in range(40)}
    kind = Column(of_a, of_b)
    fold = halved(a, b, columns=Grouping(within="kind", strata=kind))
    assert sum(kind.a[name] == "y" for name in ids(fold, "explore", of_a=True)) == 4
    assert sum(kind.b[name] == "y" for name in ids(fold, "explore", of_a=False)) == 15


def test_a_set_that_is_all_one_burst_is_torn_apart_and_said_so() -> None:
    a, b = [f"a{n}" for n in range(10)], [f"b{n}" for n in range(10)]
    fold = halved(a, b, near=[a])
    assert fold.torn == ("A",)
    assert ids(fold, "explore", of_a=True)
    assert ids(fold, "validate", of_a=True)
    assert fold.validate.design.clusters_a == 1
