"""``--rank-sample``: fewer images are ranked, drawn by the seed, with the shares of groups kept."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local import stats
from visdiff_local.config import RunConfig
from visdiff_local.images.locators import Memory
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.pipeline.split import sampled
from visdiff_local.types import ImageRef


def config(most: int | None, seed: int = 0) -> RunConfig:
    return RunConfig.checked(a="a", b="b", rank_sample=most, seed=seed)


def images(is_a: np.ndarray, **columns: list[str]) -> Images:
    refs = tuple(ImageRef(f"{i:064x}", Memory(b"x")) for i in range(len(is_a)))
    return Images(refs, is_a, stats.Design(is_a, **columns) if columns else None)


@given(st.integers(2, 60), st.integers(2, 60), st.integers(2, 80), st.integers(0, 9))
def test_of_each_set_as_many_as_asked_for_or_all(n_a: int, n_b: int, most: int, seed: int) -> None:
    whole = images(np.arange(n_a + n_b) < n_a)
    found = sampled(whole, config(most, seed))
    assert int(found.is_a.sum()) == min(n_a, most)
    assert int((~found.is_a).sum()) == min(n_b, most)
    assert len({ref.id for ref in found.refs}) == len(found.refs)
    again = sampled(whole, config(most, seed))
    assert [ref.id for ref in found.refs] == [ref.id for ref in again.refs]


def test_another_seed_draws_others() -> None:
    whole = images(np.arange(400) < 200)
    drawn = {tuple(ref.id for ref in sampled(whole, config(20, seed)).refs) for seed in range(5)}
    assert len(drawn) == 5
    assert sampled(whole, config(None)) is whole


def test_strata_and_clusters_keep_their_shares() -> None:
    rng = np.random.default_rng(3)
    is_a = rng.random(4000) < 0.5
    strata = rng.choice(["day", "night"], 4000, p=[0.9, 0.1]).tolist()
    clusters = [f"{s} {c}" for s, c in zip(strata, rng.integers(0, 10, 4000), strict=True)]
    whole = images(is_a, strata=strata, clusters=clusters)
    found = sampled(whole, config(200))
    place = {ref.id: i for i, ref in enumerate(whole.refs)}
    rows = [place[ref.id] for ref in found.refs]
    for side in (True, False):
        mine = [i for i in rows if is_a[i] == side]
        for column in (strata, clusters):
            wanted = Counter(c for c, a in zip(column, is_a, strict=True) if a == side)
            got = Counter(column[i] for i in mine)
            for name, count in wanted.items():
                assert abs(got[name] - count * 200 / wanted.total()) < 2, (name, got[name])
    assert found.sampled is not None
    assert list(found.sampled.strata or ()) == [strata[i] for i in rows]


def test_pairs_stay_whole() -> None:
    pairs = [str(i % 100) for i in range(200)]
    found = sampled(images(np.arange(200) < 100, pairs=pairs), config(30))
    assert found.is_a.sum() == 30
    assert (~found.is_a).sum() == 30
    assert found.design.kept.all()


def test_a_sample_of_one_is_refused() -> None:
    with pytest.raises(Exception, match="rank-sample"):
        config(1)
