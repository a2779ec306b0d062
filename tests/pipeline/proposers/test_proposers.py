"""Sampling, captioning, proposing, mining keywords, refining and judging."""

import csv
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import shared
from tests.support.stage_doubles import Eyes, Space, Words, hypothesis, ref, refs
from visdiff_local.bench.scenes.grading import grade
from visdiff_local.bench.scenes.language.language import caption as scene_caption
from visdiff_local.bench.scenes.pairs import Pair, benchmark
from visdiff_local.errors import UsageError
from visdiff_local.pipeline import caption, judge
from visdiff_local.pipeline.proposers import base, keyword, refine, sampling
from visdiff_local.pipeline.proposers.base import Asking
from visdiff_local.pipeline.proposers.caption import from_captions
from visdiff_local.pipeline.proposers.feature import from_features
from visdiff_local.pipeline.proposers.image import GRID_COLUMNS, from_images
from visdiff_local.pipeline.rankers.scores import Images
from visdiff_local.types import Caption, ImageRef


def captions_of(images: list[ImageRef], text: str) -> dict[str, Caption]:
    return {image.id: Caption(image.id, f"{text} {image.id}") for image in images}


# --- sampling ---------------------------------------------------------------------------------


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


# --- captions ---------------------------------------------------------------------------------


def test_captions_that_came_with_the_images_are_used() -> None:
    eyes = Eyes(caption=lambda image: f" seen {image}\n")
    images = [ref("x", caption="a  given\ncaption"), ref("y"), ref("y"), ref("z", caption=" ")]
    found = caption.caption_images(images, eyes)
    assert {i: c.text for i, c in found.items()} == {
        "x": "a given caption", "y": "seen y", "z": "seen z",
    }  # fmt: skip
    assert eyes.seen == ["y", "z"]


def test_no_captioner_is_asked_when_all_captions_are_there() -> None:
    class Locked:
        fingerprint = "locked"

        def caption(self, images: object, prompt: str) -> list[str]:
            raise AssertionError("asked")

    assert len(caption.caption_images([ref("x", caption="a dog")], Locked())) == 1


def test_an_image_without_words_is_absent() -> None:
    assert caption.caption_images([ref("x")], Eyes(caption=lambda image: "  ")) == {}


# --- proposing --------------------------------------------------------------------------------


def test_both_directions_ask_for_what_is_more_in_the_first_list() -> None:
    def reply(prompt: str) -> str:
        first, second = prompt.index("dogs a"), prompt.index("cats b")
        return "* dogs" if first < second else "* cats"

    a, b = refs("a", 30), refs("b", 30)
    said = captions_of(a, "dogs") | captions_of(b, "cats")
    samples = sampling.draw(a, b, size=5, rounds=2, rng=np.random.default_rng(0))
    llm = Words(complete=reply)
    found = from_captions(samples, said, llm, Asking())
    assert [(h.text, h.direction) for h in found.hypotheses] == [("dogs", "a"), ("cats", "b")]
    assert found.unparsed == ()
    assert len(llm.asked) == 4
    only_a = from_captions(samples, said, Words(complete=reply), Asking(directions=("a",)))
    assert [h.direction for h in only_a.hypotheses] == ["a"]


def test_rounds_are_united_and_the_first_keeps_the_credit() -> None:
    replies = iter(["* Dogs\n* snow", "* dogs\n* hats"])
    a, b = refs("a", 9), refs("b", 9)
    samples = sampling.draw(a, b, size=5, rounds=2, rng=np.random.default_rng(0))
    said = captions_of(a, "x") | captions_of(b, "y")
    llm = Words(complete=lambda prompt: next(replies))
    found = from_captions(samples, said, llm, Asking(directions=("a",)))
    assert [(h.text, h.provenance.round) for h in found.hypotheses] == [
        ("Dogs", 0), ("snow", 0), ("hats", 1),
    ]  # fmt: skip


def test_a_reply_that_cannot_be_read_is_kept_as_such_and_nothing_is_not() -> None:
    replies = iter(["* nothing", "I am sorry, I cannot do that."])
    a, b = refs("a", 3), refs("b", 3)
    samples = sampling.draw(a, b, size=3, rounds=1, rng=np.random.default_rng(0))
    said = captions_of(a, "x") | captions_of(b, "y")
    found = from_captions(samples, said, Words(lambda prompt: next(replies)), Asking())
    assert found.hypotheses == ()
    assert found.unparsed == ("I am sorry, I cannot do that.",)


def test_a_side_without_captions_is_not_asked_about() -> None:
    a, b = refs("a", 3), refs("b", 3)
    samples = sampling.draw(a, b, size=3, rounds=1, rng=np.random.default_rng(0))
    llm = Words()
    assert from_captions(samples, captions_of(a, "x"), llm, Asking()).hypotheses == ()
    assert llm.asked == []


def test_paired_captions_stand_side_by_side() -> None:
    a, b = refs("a", 3), refs("b", 3)
    rng = np.random.default_rng(0)
    samples = sampling.draw_pairs(a, b, np.arange(3), np.arange(3), size=3, rounds=1, rng=rng)
    llm = Words(complete=lambda prompt: "* borders")
    said = captions_of(a, "x") | captions_of(b, "y")
    from_captions(samples, said, llm, Asking(paired=True, goal="style"))
    first = samples[0].a[0].id[1:]
    assert f"1. A: x a{first}\n   B: y b{first}\n" in llm.asked[0]
    assert f"1. A: y b{first}\n   B: x a{first}\n" in llm.asked[1]
    assert "cares about this: style" in llm.asked[0]


def test_a_monstrous_caption_is_cut() -> None:
    a, b = refs("a", 1), refs("b", 1)
    said = {"a0": Caption("a0", "word " * 5000), "b0": Caption("b0", "y")}
    samples = sampling.draw(a, b, size=1, rounds=1, rng=np.random.default_rng(0))
    llm = Words(complete=lambda prompt: "* x")
    from_captions(samples, said, llm, Asking())
    assert llm.asked[0].count("word ") <= base.CAPTION_WORDS + 5


@pytest.mark.parametrize(("n", "rows"), [(20, 2), (7, 1), (25, 2), (1, 1), (40, 4)])
def test_the_grid_has_full_rows_with_a_on_top(n: int, rows: int) -> None:
    a, b = refs("a", n), refs("b", n)
    groups: list[list[str]] = []

    def describe(images: object) -> str:
        groups.append(list(images))  # type: ignore[call-overload]
        return "* dogs"

    eyes = Eyes(describe=describe)
    samples = sampling.draw(a, b, size=n, rounds=1, rng=np.random.default_rng(0))
    found = from_images(samples, eyes, Asking())
    assert [(h.direction, h.provenance.proposer) for h in found.hypotheses] == [
        ("a", "image"), ("b", "image"),
    ]  # fmt: skip
    for group, (top, bottom) in zip(groups, ("ab", "ba"), strict=True):
        assert len(group) == 2 * rows * GRID_COLUMNS
        half = len(group) // 2
        assert {image[0] for image in group[:half]} == {top}
        assert {image[0] for image in group[half:]} == {bottom}
    assert f"top {rows} row" in eyes.asked[0]


def test_several_images_are_shown_as_they_are() -> None:
    a, b = refs("a", 3), refs("b", 2)
    eyes = Eyes(describe=lambda images: "* dogs")
    samples = sampling.draw(a, b, size=5, rounds=1, rng=np.random.default_rng(0))
    from_images(samples, eyes, Asking(), grid=False)
    assert len(eyes.seen) == 10
    assert "first 3 images are group A, the other 2 are group B" in eyes.asked[0]
    assert "first 2 images are group A, the other 3 are group B" in eyes.asked[1]


def test_feature_texts_are_cleaned() -> None:
    texts = iter(["a photo of a dog.", "stock photos", "a dog", "cats", "cats"])
    a, b = refs("a", 2), refs("b", 2)
    samples = sampling.draw(a, b, size=2, rounds=1, rng=np.random.default_rng(0))
    eyes = Eyes(describe=lambda images: next(texts))
    found = from_features(samples, eyes, Asking(concepts=5, directions=("a",)))
    assert [h.text for h in base.union(found.hypotheses)] == ["a dog", "cats"]
    assert found.unparsed == ("stock photos",)


# --- keywords ---------------------------------------------------------------------------------


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


# --- refining ---------------------------------------------------------------------------------


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


# --- judging ----------------------------------------------------------------------------------


def test_wordings_are_averaged_and_silence_is_no_grade() -> None:
    answers = iter(
        [
            (0.0, 0.2, 0.8),
            (np.nan,) * 3,
            (0.0, 0.4, 0.6),
            (np.nan,) * 3,
            (np.nan,) * 3,
            (np.nan,) * 3,
        ]
    )
    questions = [judge.Question("dogs", "dogs", "cats"), judge.Question("??", "dogs", "cats")]
    first, second = judge.judge(questions, Words(choose=lambda prompt: next(answers)))
    assert first.grade == 2
    assert first.probabilities == pytest.approx((0.0, 0.3, 0.7))
    assert first.expected == pytest.approx(1.7)
    assert second == judge.Judged(None, None)
    assert second.expected is None


def test_no_questions_no_grades() -> None:
    assert judge.judge([], Words()) == []
