"""Equal meaning becomes one; a copy adds nothing."""

import numpy as np

from tests.support.stage_doubles import Space, hypothesis
from visdiff_local.pipeline.proposers import dedupe


def meaning(text: str) -> list[float]:
    axes = {"dog": 0, "dogs": 0, "puppy": 0, "snow": 1, "cat": 2}
    vector = [0.01] * 8
    vector[axes[text.split()[-1]]] = 1.0
    return vector


def test_equal_meaning_and_equal_scores_become_one() -> None:
    rng = np.random.default_rng(0)
    is_a = np.arange(100) < 50
    dog = is_a + rng.normal(0, 0.5, 100)
    chosen = [
        hypothesis("a dog"), hypothesis("dogs"), hypothesis("snow"), hypothesis("a puppy"),
        hypothesis("dog", "b"),
    ]  # fmt: skip
    better = dog + is_a * 0.05
    unrelated = rng.normal(size=100)
    values = np.stack([dog, better, dog, unrelated, dog]).astype(np.float32)
    kept, rows = dedupe.merge(chosen, values, is_a, Space(meaning))
    assert rows == [1, 2, 3, 4]
    assert kept[0].text == "dogs"
    assert kept[0].similar == ("a dog",)
    assert [h.similar for h in kept[1:]] == [(), (), ()]


def test_pooled_texts_have_no_direction_and_the_strongest_stands_for_the_others() -> None:
    rng = np.random.default_rng(0)
    dog, other = rng.normal(size=(2, 100))
    texts = ["a dog", "dogs", "a puppy", "a cat"]
    near = dog + rng.normal(0, 0.05, 100)
    values = np.stack([dog, near, other, dog]).astype(np.float32)
    found = dedupe.same(texts, values, [0.6, 0.9, 0.8, 0.7], Space(meaning))
    assert found == {1: [0], 2: [], 3: []}, "near in words and in scores, not one of both"
    apart = dedupe.same(texts, values, [0.6, 0.9, 0.8, 0.7], Space(meaning), ["a", "b", "a", "a"])
    assert 0 in apart


def test_merging_nothing() -> None:
    assert dedupe.merge([], np.empty((0, 3), np.float32), np.ones(3, bool), Space(meaning)) == (
        (),
        [],
    )


def test_a_copy_adds_nothing_and_new_information_does() -> None:
    rng = np.random.default_rng(1)
    n = 400
    is_a = np.arange(n) < n // 2
    one, other = rng.normal(size=(2, n))
    first = is_a + one
    values = np.stack(
        [
            first,
            first + rng.normal(0, 0.01, n),  # the same again
            is_a + other,  # as good, but its own errors
            rng.normal(size=n),  # noise
            -(is_a + rng.normal(size=n)),  # true of the other side
            np.zeros(n),
        ]
    ).astype(np.float32)
    assert dedupe.redundant(values, is_a).tolist() == [False, True, False, True, True, True]


def test_noise_rarely_adds_something() -> None:
    rng = np.random.default_rng(2)
    is_a = np.arange(200) < 100
    found = 0
    for _ in range(200):
        values = np.stack([is_a + rng.normal(size=200), rng.normal(size=200)]).astype(np.float32)
        found += int(not dedupe.redundant(values, is_a)[1])
    assert found <= 20  # α = 5% of 200, with room for chance


def test_tiny_sets_do_not_fail() -> None:
    values = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    marked = dedupe.redundant(values, np.array([True, False]))
    assert marked.tolist() == [False, True, True]
