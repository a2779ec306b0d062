"""The caption proposer with language models that cannot list differences."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.images import File
from visdiff_local.pipeline.proposers import checks, contrast, weakness
from visdiff_local.pipeline.proposers.base import Asking
from visdiff_local.pipeline.proposers.caption import from_captions
from visdiff_local.pipeline.proposers.phrases import content, plain
from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.types import Caption, ImageRef

ANIMALS = ("dog", "duck", "horse", "cat", "owl", "cow", "rabbit", "turtle")
VEHICLES = ("car", "bus", "boat", "train", "truck", "rocket", "bike", "plane")
PLACES = ("in the snow", "on a beach", "in a forest", "on a road")


class Model:
    """Answers contrasts by ``says`` and questions by ``knows``; remembers what it was asked."""

    fingerprint = "small"

    def __init__(self, says: Callable[[str], str], knows: Callable[[str, str], float]) -> None:
        self.says, self.knows = says, knows
        self.asked: list[str] = []
        self.questions: list[str] = []
        self.grammar: str | None = None

    def complete(self, prompts: Sequence[str], *, grammar: str | None = None, **_: object):  # type: ignore[no-untyped-def]
        self.asked += prompts
        self.grammar = grammar
        return [self.says(prompt) for prompt in prompts]

    def text_p_yes(self, prompts: Sequence[str]):  # type: ignore[no-untyped-def]
        self.questions += prompts
        found = [re.search(r"<caption>(.*)</caption>\n.*following: (.*)\?", p) for p in prompts]
        return np.array([self.knows(m[1], m[2]) for m in found if m], dtype=np.float32)


def knows(caption: str, text: str) -> float:
    """Of the questions with known answers, and that dogs are animals and cars are vehicles."""
    if text in ("animals", "vehicles"):
        kinds = ANIMALS if text == "animals" else VEHICLES
        return 0.9 if any(f" {kind} " in f" {caption} " for kind in kinds) else 0.1
    shown = text.removeprefix("a ") in caption or (text == "people" and "nurses" in caption)
    return 0.9 if shown else 0.1


def sides(kinds: Sequence[str], count: int = 24) -> list[str]:
    return [f"a {kinds[i % len(kinds)]} {PLACES[i // 2 % len(PLACES)]}" for i in range(count)]


def proposed(a: Sequence[str], b: Sequence[str], model: Model, **options: object):  # type: ignore[no-untyped-def]
    captions, refs = {}, []
    for letter, texts in (("a", a), ("b", b)):
        side = tuple(
            ImageRef(f"{letter}{i}", File(Path(f"{letter}{i}"))) for i in range(len(texts))
        )
        captions |= {r.id: Caption(r.id, t) for r, t in zip(side, texts, strict=True)}
        refs.append(side)
    asking = Asking(style="contrast", model="small-1b", **options)  # type: ignore[arg-type]
    return from_captions([Sample(*refs)], captions, model, asking)


def swaps(prompt: str) -> bool:
    """Whether this prompt shows the vehicles as its group A."""
    return any(f" {kind} " in prompt.split("</group_a>")[0] for kind in VEHICLES)


def contrasting(prompt: str) -> str:
    a, b = ("vehicles", "animals") if swaps(prompt) else ("animals", "vehicles")
    return (
        f"Group A shows {a} in various settings, while group B shows {b}.\n"
        f"Group A shows outdoor scenes, while group B shows indoor scenes.\n"
        f"Group A shows {a} and snow, while group B shows a variety of {b}.\n"
    )


def test_what_no_caption_says_is_found_in_both_directions() -> None:
    found = proposed(sides(ANIMALS), sides(VEHICLES), Model(contrasting, knows))
    first = {d: next(h for h in found.hypotheses if h.direction == d).text for d in ("a", "b")}
    assert first == {"a": "animals", "b": "vehicles"}
    assert found.notes == ()
    assert not [h for h in found.hypotheses if "door" in h.text], "the check refuses it"


def test_a_concept_said_of_the_wrong_group_is_refused() -> None:
    def backwards(prompt: str) -> str:
        return (
            contrasting(prompt)
            .replace("animals", "X")
            .replace("vehicles", "animals")
            .replace("X", "vehicles")
        )

    found = proposed(sides(ANIMALS), sides(VEHICLES), Model(backwards, knows), keywords=False)
    assert found.hypotheses == ()


def test_words_that_the_captions_hold_are_counted_and_not_asked() -> None:
    a = [f"a dog with a hat {place}" for place in PLACES * 6]
    b = [f"a dog with a scarf {place}" for place in PLACES * 6]
    model = Model(
        lambda prompt: (
            "Group A shows hats and dogs, while group B shows scarves and beaches.\n"
            if "hat" in prompt.split("</group_a>")[0]
            else "Group A shows scarves and dogs, while group B shows hats and beaches.\n"
        ),
        knows,
    )
    found = proposed(a, b, model, keywords=False)
    assert {(h.text, h.direction) for h in found.hypotheses} == {("hats", "a"), ("scarves", "b")}
    assert all("hat" not in question.split("following:")[1] for question in model.questions)


def test_the_request_offers_no_way_out_and_begins_both_halves() -> None:
    model = Model(contrasting, knows)
    proposed(sides(ANIMALS), sides(VEHICLES), model)
    assert all("nothing" not in prompt for prompt in model.asked)
    assert model.grammar is not None
    assert "while group B shows" in model.grammar


def test_a_model_that_echoes_captions_is_named_and_keywords_are_used() -> None:
    a = [f"a small red dog running along a sandy beach number {i}" for i in "abcdefghijkl"]
    b = [f"a large blue boat sailing under a stormy sky number {i}" for i in "abcdefghijkl"]

    def echo(prompt: str) -> str:
        lines = re.findall(r"^- (.*)$", prompt, re.MULTILINE)
        return "".join(
            f"Group A shows {lines[-1]}, while group B shows {lines[-2]}.\n" for _ in range(3)
        )

    found = proposed(a, b, Model(echo, knows))
    (note,) = found.notes
    assert note.startswith("small-1b echoes captions: "), note
    assert note.endswith("its proposals were not used, those of keywords were")
    assert {h.provenance.proposer for h in found.hypotheses} == {"keyword"}
    assert any("dog" in h.text for h in found.hypotheses if h.direction == "a")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Group A shows dogs, while group B shows dogs.\n" * 3, "does not tell the groups apart"),
        ("Group A shows photos, while group B shows scenes.\n" * 3, "says nothing in particular"),
        ("I am sorry, but as a language model I", "does not come to an end"),
        (
            "Group A shows another difference, while group B shows general words.\n" * 3,
            "repeats the prompt",
        ),
    ],
)
def test_every_other_way_to_fail_is_named(reply: str, said: str) -> None:
    found = proposed(sides(ANIMALS), sides(VEHICLES), Model(lambda _: reply, knows))
    assert any(f"small-1b {said}" in note for note in found.notes), found.notes
    assert all(h.provenance.proposer == "keyword" for h in found.hypotheses)


def test_a_model_that_cannot_read_captions_is_not_asked_about_them() -> None:
    model = Model(contrasting, lambda caption, text: 0.6)
    found = proposed(sides(ANIMALS), sides(VEHICLES), model, keywords=False)
    assert found.hypotheses == ()
    assert "cannot tell what a caption shows" in found.notes[0]
    assert len(model.questions) == 8, "only those with known answers"


def test_the_same_captions_on_both_sides_give_nothing() -> None:
    found = proposed(sides(ANIMALS), sides(ANIMALS), Model(contrasting, knows))
    assert found.hypotheses == ()


def test_one_way_proposes_for_a_alone() -> None:
    found = proposed(sides(ANIMALS), sides(VEHICLES), Model(contrasting, knows), directions=("a",))
    assert {h.direction for h in found.hypotheses} == {"a"}


def test_rounds_draw_by_the_seed_and_nothing_else() -> None:
    models = [Model(contrasting, knows) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        proposed(sides(ANIMALS), sides(VEHICLES), model, seed=seed)
    assert models[0].asked == models[1].asked != models[2].asked


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a variety of animals in different settings", "animals"),
        ("women doing yoga on various mountains", "women doing yoga on various mountains"),
        ("images of food", "food"),
        ("a mix of scenes", None),
        ("captions about dogs", None),
        ("snowy settings", "snowy settings"),
    ],
)
def test_phrases_lose_what_only_frames_them(text: str, wanted: str | None) -> None:
    assert plain(text) == wanted


@given(st.text(max_size=80))
def test_any_text_is_taken_apart_without_an_error(text: str) -> None:
    for part in contrast.parts(text):
        assert content(part)
    weakness.fault(weakness.Said(text), [text], ["a dog"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dogs", "dog"),
        ("beaches", "beach"),
        ("outdoors", "outdoor"),
        ("puppies", "puppy"),
        ("scarves", "scarf"),
    ],
)
def test_numbers_of_a_word_are_one(one: str, other: str) -> None:
    assert content(one) == content(other)


def test_by_words_needs_enough_captions_and_the_right_direction() -> None:
    own, other = ["a dog"] * 10 + ["a cat"] * 10, ["a cat"] * 20
    assert checks.by_words("dogs", own, other) == pytest.approx(0.5)
    assert checks.by_words("dogs", other, own) == 0.0
    assert checks.by_words("birds", own, other) is None


def test_a_model_without_grammars_is_told_the_form() -> None:
    model = Model(lambda prompt: "1. " + contrasting(prompt).replace(", while", " while"), knows)
    found = proposed(sides(ANIMALS), sides(VEHICLES), model, grammar=False)
    assert model.grammar is None
    assert all("Each sentence has this form" in prompt for prompt in model.asked)
    assert found.hypotheses[0].text == "animals"
