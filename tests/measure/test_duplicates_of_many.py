"""Near-duplicates of very many images: exact where they are few, bounded where they are a burst."""

import time
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.images import near_groups
from visdiff_local.images.hashes import bits_between, close_pairs, groups
from visdiff_local.measure import ATTRIBUTES, Measurement, duplicate_report, near_duplicates
from visdiff_local.measure.duplicates import MOST_ALIKE, TOLERANCE

BURST = 100_000


def image(phash: int, traits: float | tuple[float, ...] = 0.5) -> Measurement:
    values = np.zeros(len(ATTRIBUTES))
    values[[ATTRIBUTES.index(name) for name in TOLERANCE]] = traits
    return Measurement(tuple(values.tolist()), phash, "PNG")


def brute_force(images: list[Measurement]) -> set[tuple[int, ...]]:
    near = np.array(
        [pair for pair in combinations(range(len(images)), 2) if alike(*(images[i] for i in pair))]
    )
    return {tuple(group.tolist()) for group in groups([near.reshape(-1, 2)])}


def alike(one: Measurement, other: Measurement) -> bool:
    return (one.phash ^ other.phash).bit_count() <= 4 and all(
        abs(one.value(name) - other.value(name)) <= limit for name, limit in TOLERANCE.items()
    )


@given(
    st.integers(1, 40),
    st.integers(2, 400),
    st.integers(1, 12),
    st.integers(0, 2**32),
)
def test_few_are_compared_exactly(centres: int, n: int, flips: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, centres, dtype=np.uint64)[rng.integers(0, centres, n)]
    for _ in range(rng.integers(0, flips)):
        hashes ^= np.uint64(1) << rng.integers(0, 64, n, dtype=np.uint64)
    traits = rng.integers(0, 12, (n, 6)) * 0.01
    images = [image(int(h), tuple(t)) for h, t in zip(hashes, traits, strict=True)]
    if n <= 200:
        assert set(near_duplicates(images)) == brute_force(images)
    cut = n // 2
    across = {
        i for i, j in product(range(cut), range(cut, n)) if alike(images[i], images[j])
    } if n <= 100 else set()  # fmt: skip
    if n <= 100:
        report = duplicate_report(images[:cut], images[cut:])
        assert {i for i, _ in report.across} == across
        assert all(alike(images[i], images[cut + j]) for i, j in report.across)


@pytest.mark.parametrize("distance", [0, 1, 4, 9])
@pytest.mark.parametrize("n", [2, 60, 3000])
def test_close_pairs_are_all_that_there_are(distance: int, n: int) -> None:
    rng = np.random.default_rng(distance)
    hashes = rng.integers(0, 2**64, n, dtype=np.uint64)
    hashes[n // 2 :] = hashes[: n - n // 2]
    for _ in range(5):
        hashes ^= np.uint64(1) << rng.integers(0, 64, n, dtype=np.uint64)
    found = {
        tuple(sorted(pair)) for part in close_pairs(hashes, distance) for pair in part.tolist()
    }
    first, second = np.triu_indices(n, 1)
    near = bits_between(hashes[first], hashes[second]) <= distance
    assert found == set(zip(first[near].tolist(), second[near].tolist(), strict=True))


@pytest.mark.parametrize("n", [5000, 100_000])
def test_among_many_that_differ_none_is_missed(n: int) -> None:
    rng = np.random.default_rng(n)
    hashes = rng.integers(0, 2**64, n, dtype=np.uint64)
    planted = 1000
    near = hashes[:planted].copy()
    for _ in range(4):
        near ^= np.uint64(1) << rng.integers(0, 64, planted, dtype=np.uint64)
    hashes[-planted:] = near
    found = {tuple(sorted(p)) for part in close_pairs(hashes, 4) for p in part.tolist()}
    assert {(i, n - planted + i) for i in range(planted)} <= found


def test_a_burst_of_equal_pictures_is_one_group_in_seconds() -> None:
    rng = np.random.default_rng(0)
    others = [image(int(h)) for h in rng.integers(0, 2**64, 1000, dtype=np.uint64)]
    began = time.process_time()
    (group,) = near_duplicates([image(7)] * BURST + others)
    report = duplicate_report([image(7)] * BURST, [*others, image(7)])
    assert time.process_time() - began < 20
    assert group == tuple(range(BURST))
    assert [len(group) for group in report.within_a] == [BURST]
    assert report.within_b == ()
    assert report.across == tuple((i, 1000) for i in range(BURST))


@pytest.mark.slow
def test_a_burst_of_plain_pictures_of_all_colours_is_bounded_too() -> None:
    rng = np.random.default_rng(1)
    traits = rng.random((BURST // 4, 6)).tolist()
    began = time.process_time()
    found = near_duplicates([image(0, tuple(row)) for row in traits])
    assert time.process_time() - began < 30
    assert sum(map(len, found)) < BURST // 4  # they are not all alike


@pytest.mark.slow
def test_hashes_that_agree_in_most_pieces_are_bounded() -> None:
    began = time.process_time()
    groups_found = near_groups({f"{i:05}": i for i in range(BURST // 4)})
    assert time.process_time() - began < 20
    assert sum(map(len, groups_found)) == BURST // 4  # 0, 1, 2 … are linked through one another
    assert len(groups_found) < 100


def test_a_paired_burst_has_partners_that_are_not_its_own() -> None:
    burst = [image(7)] * (2 * MOST_ALIKE)
    report = duplicate_report(burst, burst, paired=True)
    assert len(report.across) == len(burst)
    assert all(i != j for i, j in report.across)
    others = [image(7), *[image(2**64 - 1)] * (2 * MOST_ALIKE - 1)]
    alone = duplicate_report(burst, others, paired=True).across
    assert alone == tuple((i, 0) for i in range(1, len(burst)))
