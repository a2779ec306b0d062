"""General words: each word is asked about by itself, and its kind counted as words are."""

import re
from collections.abc import Sequence

import numpy as np
import pytest

from visdiff_local.pipeline.proposers import kinds

OVER = {
    **dict.fromkeys(("dog", "duck", "horse", "cat"), "animal"),
    **dict.fromkeys(("car", "bus", "boat", "train"), "vehicle"),
    **dict.fromkeys(("red", "blue"), "colour"),
    "snow": "weather",
    "animal": "organism",
    "vehicle": "Vehicles are",
}


class Dictionary:
    """Knows what a word is a kind of; remembers what it was asked."""

    fingerprint = "dictionary"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def complete(self, prompts: Sequence[str], **_: object) -> list[str]:
        self.asked += prompts
        words = [re.search(r"Word: (.*)\n", prompt) for prompt in prompts]
        return [OVER.get(word[1], word[1]) if word else "" for word in words]


def side(names: Sequence[str], count: int = 24) -> list[str]:
    return [f"a {('red', 'blue')[i % 2]} {names[i % len(names)]} in snow" for i in range(count)]


A, B = side(("dog", "duck", "horse", "cat")), side(("car", "bus", "boat", "train"))


def test_the_kind_of_each_sides_words_is_found_though_no_caption_says_it() -> None:
    found = kinds.from_kinds(A, B, Dictionary(), family="default")  # type: ignore[arg-type]
    assert {(kind.text, kind.direction) for kind in found} == {
        ("animal", "a"),
        ("organism", "a"),
        ("vehicle", "b"),
    }
    assert all(kind.gap == pytest.approx(1) for kind in found)


def test_sides_with_the_same_words_have_no_kind_of_their_own() -> None:
    shuffled = [A[i] for i in np.random.default_rng(0).permutation(len(A))]
    assert kinds.from_kinds(A, shuffled, Dictionary(), family="default") == []  # type: ignore[arg-type]


def test_no_question_tells_which_group_a_word_is_of() -> None:
    model = Dictionary()
    kinds.from_kinds(A, B, model, family="default")  # type: ignore[arg-type]
    forwards = set(model.asked)
    model.asked.clear()
    kinds.from_kinds(B, A, model, family="default")  # type: ignore[arg-type]
    assert set(model.asked) == forwards
    assert all(prompt.count("Word: ") == 1 for prompt in forwards)


def test_a_kind_of_one_word_and_a_word_said_again_are_no_kinds() -> None:
    known = kinds.kinds_of(["snow", "duck", "odd"], Dictionary(), "default")  # type: ignore[arg-type]
    assert known == {"snow": ("weather",), "duck": ("animal", "organism"), "odd": ()}
    lone = [f"a thing number {word} in snow" for word in "abcdefgh"]
    bare = [f"a thing number {word}" for word in "abcdefgh"]
    assert kinds.from_kinds(lone, bare, Dictionary(), family="default") == []  # type: ignore[arg-type]


def test_rare_words_are_not_asked_about_and_no_captions_give_nothing() -> None:
    model = Dictionary()
    assert kinds.from_kinds(["a dog"], ["a car"], model, family="default") == []  # type: ignore[arg-type]
    assert model.asked == []


def test_a_kind_that_tells_no_more_than_one_of_its_words_is_left_out() -> None:
    names = ["dog"] * 12 + ["cat"] * 6 + ["house"] * 6, ["cat"] * 6 + ["house"] * 18
    a, b = ([f"a {name} in snow" for name in side] for side in names)
    found = kinds.from_kinds(a, b, Dictionary(), family="default")  # type: ignore[arg-type]
    assert found == [], "the dogs are all that there is"
