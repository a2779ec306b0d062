"""Captions and hypotheses say what is true, and are read back as what they say."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from visdiff_local.bench.scenes.language.language import (
    Assertion,
    Style,
    caption,
    conjunction,
    holds,
    phrase,
    phrases,
    understand,
    vocabulary,
)
from visdiff_local.bench.scenes.language.vocabulary import DENIALS, SAYABLE, words_of
from visdiff_local.bench.scenes.world import ATTRIBUTES, DEFAULTS, Scene, sample_scene

SEEDS = st.integers(0, 2**32 - 1)
STYLES = st.sampled_from(["short", "detailed"])
ALL_ASSERTIONS: list[Assertion] = [
    (attribute, value)
    for table in (SAYABLE, DENIALS)
    for attribute, values in table.items()
    for value in values
]
DOG = Scene(kind="dog", colour="red", setting="beach", seed=0, facing="left")


def _scene(rng: np.random.Generator) -> Scene:
    return sample_scene(rng, held_out=None)


def _visible(scene: Scene) -> frozenset[Assertion]:
    """What a full caption has to say, written independently of the code that says it."""
    said = {(name, scene.get(name)) for name in ("kind", "setting")}
    if scene.rendering not in ("sketch", "black and white"):
        said.add(("colour", scene.colour))
    said |= {(n, scene.get(n)) for n, default in DEFAULTS.items() if scene.get(n) != default}
    return frozenset(said)


@given(seed=SEEDS, style=STYLES)
def test_canonical_caption_says_everything_visible(seed: int, style: Style) -> None:
    scene = _scene(np.random.default_rng(seed))
    assert understand(caption(scene, style=style)) == _visible(scene)


@given(seed=SEEDS, style=STYLES)
def test_paraphrases_are_understood_and_true(seed: int, style: Style) -> None:
    rng = np.random.default_rng(seed)
    scene = _scene(rng)
    said = understand(caption(scene, rng, style=style))
    assert said is not None
    assert said <= _visible(scene)
    assert holds(said, scene)


@given(seed=SEEDS, keep=st.sets(st.sampled_from(sorted(ATTRIBUTES))), style=STYLES)
@example(seed=66331868, keep={"landmark", "accessory"}, style="detailed")  # said without relation
def test_kept_attributes_are_never_left_out(seed: int, keep: set[str], style: Style) -> None:
    rng = np.random.default_rng(seed)
    scene = _scene(rng)
    said = understand(caption(scene, rng, style=style, keep=keep))
    assert said is not None
    assert {a for a in _visible(scene) if a[0] in keep} <= said


@given(seed=SEEDS, style=STYLES)
def test_captions_stay_within_the_vocabulary(seed: int, style: Style) -> None:
    rng = np.random.default_rng(seed)
    scene = _scene(rng)
    texts = [caption(scene, style=style), caption(scene, rng, style=style)]
    assert words_of(texts) <= vocabulary()


def test_paraphrases_vary_and_sometimes_omit() -> None:
    rng = np.random.default_rng(0)
    texts = {caption(DOG, rng) for _ in range(200)}
    assert len(texts) > 30
    assert any(understand(text) != _visible(DOG) for text in texts)


def test_short_captions_are_compact() -> None:
    rng = np.random.default_rng(1)
    lengths = [len(caption(_scene(rng)).split()) for _ in range(2000)]
    assert np.quantile(lengths, 0.95) <= 20
    assert max(lengths) <= 28


def test_vocabulary_is_small_enough_for_a_nano_model() -> None:
    assert 250 < len(vocabulary()) < 450


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "a red dog facing left on a beach"),
        (
            {"count": "two", "pattern": "striped", "accessory": "hat", "time": "sunset"},
            "two red striped dogs wearing hats facing left on a beach at sunset",
        ),
        (
            {"rendering": "sketch", "weather": "rain"},
            "a pencil sketch of a dog facing left on a beach in rain",
        ),
        ({"size": "close-up"}, "a close-up of a red dog facing left on a beach"),
        (
            {"relation": "on top of", "landmark": "box"},
            "a red dog facing left on top of a box on a beach",
        ),
    ],
)
def test_canonical_captions_word_for_word(changes: dict[str, str], text: str) -> None:
    fields = {name: DOG.get(name) for name in ATTRIBUTES} | changes
    assert caption(Scene(seed=0, **fields)) == text


@pytest.mark.parametrize(("attribute", "value"), ALL_ASSERTIONS)
def test_every_phrase_says_exactly_its_assertion(attribute: str, value: str) -> None:
    wordings = phrases(attribute, value)
    assert len(set(wordings)) == len(wordings) >= 3
    for wording in wordings:
        assert understand(wording) == frozenset({(attribute, value)}), wording
    assert phrase(attribute, value) == wordings[0]
    assert words_of(wordings) <= vocabulary()


@given(data=st.data(), seed=SEEDS)
def test_conjunctions_round_trip(data: st.DataObject, seed: int) -> None:
    names = data.draw(
        st.lists(st.sampled_from(sorted(SAYABLE)), min_size=1, max_size=3, unique=True)
    )
    if {"kind", "group"} <= set(names):
        names.remove("group")
    chosen = {
        (name, data.draw(st.sampled_from([*SAYABLE[name], *DENIALS.get(name, ())])))
        for name in names
    }
    for rng in (None, np.random.default_rng(seed)):
        text = conjunction(sorted(chosen), rng)
        assert understand(text) == frozenset(chosen), text
        assert words_of([text]) <= vocabulary()


@pytest.mark.parametrize(
    ("assertions", "text"),
    [
        ([("kind", "dog"), ("colour", "red")], "a red dog"),
        ([("setting", "beach"), ("kind", "dog")], "a dog on a beach"),
        (
            [("kind", "cat"), ("pattern", "striped"), ("accessory", "hat")],
            "a striped cat wearing a hat",
        ),
        ([("relation", "left of"), ("landmark", "box")], "left of a box"),
        ([("group", "animal"), ("setting", "snow")], "an animal in the snow"),
    ],
)
def test_conjunctions_word_for_word(assertions: list[Assertion], text: str) -> None:
    assert conjunction(assertions) == text


@pytest.mark.parametrize(
    "assertions",
    [
        [],
        [("kind", "dog"), ("kind", "cat")],
        [("kind", "dog"), ("group", "animal")],
        [("facing", "none")],
        [("colour", "beige")],
    ],
)
def test_conjunctions_that_cannot_be_said(assertions: list[Assertion]) -> None:
    with pytest.raises(ValueError, match=r"cannot say|no words|at least one"):
        conjunction(assertions)


@pytest.mark.parametrize(
    ("text", "assertions"),
    [
        ("Images of RED objects.", {("colour", "red")}),
        ("pictures showing dogs", {("kind", "dog")}),
        ("on the beach there is the dog", {("kind", "dog"), ("setting", "beach")}),
        ("scenes with snow falling in the snow", {("weather", "snowfall"), ("setting", "snow")}),
        ("a black-and-white photo", {("rendering", "black and white")}),
        ("close up of a cat", {("size", "close-up"), ("kind", "cat")}),
        ("facing to the left", {("facing", "left")}),
        (
            "a dog to the left of a crate",
            {("kind", "dog"), ("relation", "left of"), ("landmark", "box")},
        ),
        ("not wearing any hat", {("accessory", "no hat")}),
        ("inside a room", {("setting", "room")}),
    ],
)
def test_understanding_is_tolerant(text: str, assertions: set[Assertion]) -> None:
    assert understand(text) == frozenset(assertions)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "images of objects",
        "a zebra",
        "a red zebra",
        "no dogs",
        "left",
        "black dogs",
        "better art",
    ],
)
def test_what_is_not_understood(text: str) -> None:
    assert understand(text) is None


@given(seed=SEEDS)
def test_exactly_one_value_of_an_attribute_holds(seed: int) -> None:
    scene = _scene(np.random.default_rng(seed))
    for attribute, values in SAYABLE.items():
        true = [value for value in values if holds([(attribute, value)], scene)]
        assert len(true) <= 1
        for denial in DENIALS.get(attribute, ()):
            assert holds([(attribute, denial)], scene) != (denial.removeprefix("no ") in true)


def test_what_cannot_be_seen_does_not_hold() -> None:
    sketch = Scene(kind="dog", colour="red", setting="room", seed=0, rendering="sketch")
    assert holds([("kind", "dog"), ("group", "animal"), ("setting", "room")], sketch)
    assert not holds([("colour", "red")], sketch)
    assert not holds([("time", "day")], sketch)
    assert not holds([("weather", "clear")], sketch)
    assert holds([("colour", "red"), ("time", "day")], DOG)
