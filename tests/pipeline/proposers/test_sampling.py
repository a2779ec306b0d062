"""Which images a proposer is shown."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stage_doubles import Space, ref, refs
from visdiff_local.errors import UsageError
from visdiff_local.pipeline.proposers import sampling


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30), st.integers(1, 4))
def test_random_samples_are_distinct_images_of_their_side(
    n: int, m: int, size: int, rounds: int
) -> None:
    a, b = refs("a", n), refs("b", m)
    rng = np.random.default_rng(0)
    samples = sampling.draw(a, b, size=size, rounds=rounds, rng=rng)
    assert len(samples) == rounds
    for drawn in samples:
        assert len(set(drawn.a)) == len(drawn.a) == min(n, size)
        assert len(set(drawn.b)) == len(drawn.b) == min(m, size)
        assert set(drawn.a) <= set(a)
        assert set(drawn.b) <= set(b)


def test_samples_follow_the_generator() -> None:
    a, b = refs("a", 50), refs("b", 50)
    draws = [
        sampling.draw(a, b, size=10, rounds=2, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    assert draws[0][0] != draws[0][1]


def rare_shift(name: str) -> list[float]:
    """Images a0…a15 have a feature that no other has; everything else is noise."""
    noise = np.random.default_rng(zlib.crc32(name.encode())).normal(0, 0.15, 8)
    noise[0] += 2.0 if name in {f"a{i}" for i in range(16)} else 0.0
    noise[1] += 2.0
    return list(noise)


def test_discriminative_sampling_finds_a_rare_shift() -> None:
    a, b = refs("a", 200), refs("b", 200)
    draws = {
        how: sampling.draw(
            a,
            b,
            size=20,
            rounds=3,
            how=how,
            rng=np.random.default_rng(0),
            embedder=Space(rare_shift),
        )
        for how in ("random", "discriminative")
    }
    shifted = {
        how: np.mean([sum(int(image.id[1:]) < 16 for image in s.a) for s in samples])
        for how, samples in draws.items()
    }
    assert shifted["discriminative"] >= 2 * shifted["random"] + 1


def test_the_probe_never_saw_the_image_it_scores() -> None:
    """On noise of many dimensions a probe that has would tell the sides apart; this one cannot."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60, 100)).astype(np.float32)
    score_a, score_b = sampling.probe_scores(a, b, rng)
    auroc = (score_a[:, None] > score_b[None, :]).mean()
    assert 0.3 < auroc < 0.7


def test_probe_with_one_image_a_side() -> None:
    one = np.ones((1, 4), dtype=np.float32)
    score_a, score_b = sampling.probe_scores(one, -one, np.random.default_rng(0))
    assert score_a.tolist() == [0.0]
    assert score_b.tolist() == [0.0]


def test_cluster_sampling_takes_a_round_from_one_subgroup() -> None:
    def subgroup(name: str) -> list[float]:
        vector = np.random.default_rng(zlib.crc32(name.encode())).normal(0, 0.05, 8)
        vector[int(name[1:]) % 2] += 1.0
        return list(vector)

    a, b = refs("a", 80), refs("b", 80)
    rng = np.random.default_rng(0)
    samples = sampling.draw(
        a, b, size=10, rounds=2, how="cluster", rng=rng, embedder=Space(subgroup)
    )
    parities = [{int(image.id[1:]) % 2 for image in (*s.a, *s.b)} for s in samples]
    assert sorted(len(p) for p in parities) == [1, 1]
    assert parities[0] != parities[1]


def test_sampling_that_needs_an_embedder_says_so() -> None:
    with pytest.raises(UsageError, match="needs an embedder"):
        sampling.draw(
            refs("a", 3),
            refs("b", 3),
            size=2,
            rounds=1,
            how="cluster",
            rng=np.random.default_rng(0),
        )


def test_pairs_stay_together() -> None:
    a, b = refs("a", 10), [ref(f"b{i}") for i in range(5, 15)]
    codes = np.arange(10), np.array([*range(5, 10), -1, -1, -1, -1, -1])
    (drawn,) = sampling.draw_pairs(a, b, *codes, size=4, rounds=1, rng=np.random.default_rng(0))
    assert len(drawn.a) == 4
    assert [x.id[1:] for x in drawn.a] == [y.id[1:] for y in drawn.b]


def test_samples_within_strata_have_the_same_mix_on_both_sides() -> None:
    a, b = refs("a", 40), refs("b", 40)
    strata = np.arange(40) % 10 < 8, np.arange(40) % 10 < 2  # four fifths of A, a fifth of B
    codes = [side.astype(np.int64) for side in strata]
    rng = np.random.default_rng(0)
    for drawn in sampling.draw_within(a, b, *codes, size=12, rounds=5, rng=rng):
        mixes = [
            sum(strata[side][int(x.id[1:])] for x in shown)
            for side, shown in enumerate((drawn.a, drawn.b))
        ]
        assert mixes[0] == mixes[1]
        assert len(drawn.a) == len(drawn.b) > 8
