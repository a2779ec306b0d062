"""Keywords: log-odds by hand, phrases that are noun-like."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import shared
from tests.support.stage_doubles import Eyes, ref
from visdiff_local.bench.scenes.grading import grade
from visdiff_local.bench.scenes.language.language import caption as scene_caption
from visdiff_local.bench.scenes.pairs import Pair, benchmark
from visdiff_local.pipeline import caption
from visdiff_local.pipeline.proposers import keyword, sampling


def brute_force_z(y_a: float, y_b: float, n_a: int, n_b: int) -> float:
    alpha = keyword.PRIOR_CAPTIONS * (y_a + y_b) / (n_a + n_b)
    said = [y + alpha for y in (y_a, y_b)]
    silent = [n + keyword.PRIOR_CAPTIONS - y + 0.5 for n, y in zip((n_a, n_b), said, strict=True)]
    odds = [y / n for y, n in zip(said, silent, strict=True)]
    variance = sum(1 / count for count in (*said, *silent))
    return float((np.log(odds[0]) - np.log(odds[1])) / variance**0.5)


@given(st.integers(0, 30), st.integers(0, 30))
def test_log_odds_by_hand(y_a: int, y_b: int) -> None:
    z = keyword.log_odds(np.array([float(y_a)]), np.array([float(y_b)]), 30, 30)
    assert z.shape == (1,)
    if y_a + y_b:
        assert z[0] == pytest.approx(brute_force_z(y_a, y_b, 30, 30))
    assert np.sign(z[0]) == np.sign(y_a - y_b)
    mirrored = keyword.log_odds(np.array([float(y_b)]), np.array([float(y_a)]), 30, 30)
    assert mirrored[0] == pytest.approx(-z[0])


def test_phrases_are_noun_like() -> None:
    found = keyword.phrases("A woman doing yoga on the top of a mountain, stock photos")
    assert {"woman", "yoga", "top", "mountain", "woman doing yoga", "top of a mountain"} <= found
    assert not {"a", "doing", "on the top", "the top", "photos", "mountain stock"} & found


def test_yoga_leads_for_a_and_meditating_for_b() -> None:
    path = shared("data/visdiff_examples/examples_captioned.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    images = {
        side: [ref(r["path"], caption=r["caption"]) for r in rows if word in r["group_name"]]
        for side, word in (("a", "yoga"), ("b", "meditating"))
    }
    said = caption.caption_images([*images["a"], *images["b"]], Eyes())
    samples = [sampling.Sample(tuple(images["a"]), tuple(images["b"]))]
    found = keyword.from_keywords(samples, said)
    first = {d: [h.text for h in found if h.direction == d] for d in ("a", "b")}
    assert "yoga" in first["a"][0]
    assert "meditating" in first["b"][0]
    assert not any("meditating" in text for text in first["a"])
    assert not any("yoga" in text for text in first["b"])


def test_one_phrase_for_one_set_of_captions() -> None:
    own = ["dog agility course"] * 6 + ["snow at the edge of a cliff"] * 4
    texts = [text for text, _ in keyword.contrastive(own, ["a cat"] * 10)]
    assert texts[0] == "dog agility course"
    assert {"snow", "cliff"} == set(texts[1:])


@pytest.mark.parametrize("pair", benchmark(11, seed=5, n=40), ids=lambda pair: pair.name)
def test_truthful_captions_give_the_difference_away(pair: Pair) -> None:
    """No model has a part in this: it is what a language model has to beat."""
    own, other = ([scene_caption(scene) for scene in side] for side in (pair.a, pair.b))
    found = [grade(text, pair.truth) for text, _ in keyword.contrastive(own, other)[:5]]
    assert max(found, default=0) >= 1


def test_equal_sides_have_no_keywords() -> None:
    said = ["a dog on a beach", "a cat in snow"] * 5
    assert keyword.contrastive(said, said) == []
    assert keyword.contrastive([], []) == []
