"""Proposing: from captions, from a grid, from features."""

import numpy as np
import pytest

from tests.support.stage_doubles import Eyes, Words, captions_of, refs
from visdiff_local.pipeline.proposers import base, sampling
from visdiff_local.pipeline.proposers.base import Asking
from visdiff_local.pipeline.proposers.caption import from_captions
from visdiff_local.pipeline.proposers.feature import from_features
from visdiff_local.pipeline.proposers.image import GRID_COLUMNS, from_images
from visdiff_local.types import Caption


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
