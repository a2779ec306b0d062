"""Benchmark pairs differ in what they say they differ in, and hypotheses are graded exactly."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from visdiff_local.bench.scenes.grading import Direction, Truth, grade, possible
from visdiff_local.bench.scenes.language.language import holds, phrases, understand
from visdiff_local.bench.scenes.language.vocabulary import DENIALS, SAYABLE, Assertion
from visdiff_local.bench.scenes.pairs import DIFFICULTIES, Pair, benchmark, make_pair, write_pair
from visdiff_local.bench.scenes.plans import DIFFERENCES, NUISANCE_SHARE, Difficulty
from visdiff_local.bench.scenes.world import ATTRIBUTES, Scene, is_held_out, settle

SEEDS = st.integers(0, 2**32 - 1)
LEVELS = st.sampled_from(DIFFICULTIES)
EVERY_DIFFERENCE = [(level, name) for level in DIFFICULTIES for name in DIFFERENCES[level]]

DOGS_NOT_CARS = Truth(
    a=frozenset({("kind", "dog")}),
    b=frozenset({("kind", "car")}),
    shared=frozenset({("setting", "beach")}),
)
RED_DOGS = Truth(
    a=frozenset({("kind", "dog"), ("colour", "red")}),
    b=frozenset({("kind", "dog"), ("colour", "blue")}),
)
HATS = Truth(a=frozenset({("accessory", "hat")}), b=frozenset({("accessory", "none")}))
HATS_NOT_SCARVES = Truth(
    a=frozenset({("accessory", "hat")}),
    b=frozenset({("accessory", "scarf")}),
    shared=frozenset({("kind", "dog")}),
)
RAIN = Truth(a=frozenset({("weather", "rain")}), b=frozenset({("weather", "clear")}))


def _pair(seed: int, difficulty: Difficulty, n: int = 20, purity: float = 1.0) -> Pair:
    return make_pair(difficulty, np.random.default_rng(seed), n=n, purity=purity)


@pytest.mark.parametrize(
    ("truth", "direction", "text", "expected"),
    [
        (DOGS_NOT_CARS, "a", "a dog", 2),
        (DOGS_NOT_CARS, "a", "Images of puppies", 2),
        (DOGS_NOT_CARS, "a", "a dog on a beach", 2),
        (DOGS_NOT_CARS, "a", "an animal", 1),
        (DOGS_NOT_CARS, "a", "an animal on a beach", 1),
        (DOGS_NOT_CARS, "a", "a red dog", 1),
        (DOGS_NOT_CARS, "a", "a red object", 0),
        (DOGS_NOT_CARS, "a", "on a beach", 0),
        (DOGS_NOT_CARS, "a", "a dog in the snow", 0),
        (DOGS_NOT_CARS, "a", "a car", 0),
        (DOGS_NOT_CARS, "a", "a vehicle", 0),
        (DOGS_NOT_CARS, "a", "a dog and a car", 0),
        (DOGS_NOT_CARS, "a", "a zebra", 0),
        (DOGS_NOT_CARS, "b", "a car", 2),
        (DOGS_NOT_CARS, "b", "vehicles", 1),
        (DOGS_NOT_CARS, "b", "a dog", 0),
        (DOGS_NOT_CARS, "b", "a car wearing a hat", 0),
        (RED_DOGS, "a", "a red dog", 2),
        (RED_DOGS, "a", "red objects", 1),
        (RED_DOGS, "a", "a dog", 0),
        (RED_DOGS, "a", "a red striped dog", 1),
        (RED_DOGS, "a", "a red cat", 0),
        (RED_DOGS, "a", "a pencil sketch of a red dog", 0),
        (HATS, "a", "a hat", 2),
        (HATS, "a", "a dog wearing a hat", 1),
        (HATS, "a", "no scarf", 0),
        (HATS, "b", "no hat", 2),
        (HATS, "b", "no accessory", 2),
        (HATS, "b", "no scarf", 0),
        (HATS, "b", "a hat", 0),
        (HATS_NOT_SCARVES, "a", "dogs wearing hats", 2),
        (HATS_NOT_SCARVES, "a", "no scarf", 1),
        (HATS_NOT_SCARVES, "b", "no hat", 1),
        (RAIN, "b", "clear weather", 2),
        (RAIN, "b", "no rain", 2),
        (RAIN, "a", "no rain", 0),
    ],
)
def test_grades(truth: Truth, direction: Direction, text: str, expected: int) -> None:
    assert grade(text, truth, direction=direction) == expected


def test_a_side_without_truth_cannot_be_graded() -> None:
    with pytest.raises(ValueError, match="no side 'b'"):
        grade("a dog", Truth(a=frozenset({("kind", "dog")}), b=frozenset()), direction="b")


def test_possible_scenes() -> None:
    assert possible([("accessory", "hat"), ("group", "animal")])
    assert possible([("relation", "inside"), ("kind", "pizza")])
    assert possible([("landmark", "barrel"), ("accessory", "no hat")])
    assert not possible([("accessory", "hat"), ("kind", "car")])
    assert not possible([("weather", "rain"), ("setting", "room")])
    assert not possible([("colour", "red"), ("colour", "blue")])
    assert not possible([("facing", "left"), ("group", "furniture")])


@given(seed=SEEDS, difficulty=LEVELS)
def test_truth_holds_on_its_own_side_only(seed: int, difficulty: Difficulty) -> None:
    pair = _pair(seed, difficulty)
    for scene in pair.a:
        assert holds(pair.truth.a | pair.truth.shared, scene)
        assert not holds(pair.truth.b, scene)
    for scene in pair.b:
        assert holds(pair.truth.b | pair.truth.shared, scene)
        assert not holds(pair.truth.a, scene)


@given(seed=SEEDS, difficulty=LEVELS)
def test_truth_in_words_is_graded_two(seed: int, difficulty: Difficulty) -> None:
    truth = (pair := _pair(seed, difficulty)).truth
    assert grade(pair.truth_a, truth) == grade(pair.truth_b, truth, direction="b") == 2
    assert grade(pair.truth_a, truth, direction="b") == grade(pair.truth_b, truth) == 0
    for attribute, value in truth.a:
        assert {grade(text, truth) for text in phrases(attribute, value)} == {2}


@given(seed=SEEDS, difficulty=LEVELS, data=st.data())
def test_grades_agree_with_what_holds(
    seed: int, difficulty: Difficulty, data: st.DataObject
) -> None:
    """Nothing graded above 0 is ever true of the other side, and grade 2 is true of all of A."""
    pair = _pair(seed, difficulty)
    attribute = data.draw(st.sampled_from([pair.attribute, *SAYABLE]))
    values = [*SAYABLE[attribute], *DENIALS.get(attribute, ())]
    text = data.draw(st.sampled_from(phrases(attribute, data.draw(st.sampled_from(values)))))
    said = understand(text)
    assert said is not None
    graded = grade(text, pair.truth)
    if graded > 0:
        assert not any(holds(said, scene) for scene in pair.b)
    if graded == 2:
        assert all(holds(said, scene) for scene in pair.a)


@given(seed=SEEDS, difficulty=LEVELS, held_out=st.booleans())
def test_scenes_are_drawable_and_on_their_side_of_the_split(
    seed: int, difficulty: Difficulty, held_out: bool
) -> None:
    pair = make_pair(difficulty, np.random.default_rng(seed), n=20, held_out=held_out)
    for scene in (*pair.a, *pair.b):
        assert is_held_out(scene.kind, scene.setting) == held_out
        assert settle(scene) == scene
        assert all(scene.get(name) in values for name, values in ATTRIBUTES.items())


@given(
    seed=SEEDS,
    difficulty=LEVELS,
    n=st.integers(1, 41),
    purity=st.floats(0, 1) | st.sampled_from([0.0, 0.5, 0.8, 1.0]),
)
def test_purity_swaps_exactly(seed: int, difficulty: Difficulty, n: int, purity: float) -> None:
    pure, mixed = _pair(seed, difficulty, n), _pair(seed, difficulty, n, purity)
    swaps = round(n * (1 - purity) / 2)
    assert len(mixed.a) == len(mixed.b) == n
    assert sum(holds(pure.truth.b, scene) for scene in mixed.a) == swaps
    assert sum(holds(pure.truth.a, scene) for scene in mixed.b) == swaps
    assert Counter((*mixed.a, *mixed.b)) == Counter((*pure.a, *pure.b))
    assert mixed.truth == pure.truth


@pytest.mark.parametrize("purity", [-0.1, 1.1])
def test_purity_outside_its_range_is_refused(purity: float) -> None:
    with pytest.raises(ValueError, match="purity"):
        _pair(0, "easy", purity=purity)


def test_a_difference_of_another_difficulty_is_refused() -> None:
    with pytest.raises(ValueError, match="easy pairs differ in"):
        make_pair("easy", np.random.default_rng(0), attribute="facing")


def _frequencies(scenes: tuple[Scene, ...], attribute: str) -> dict[str, float]:
    counts = Counter(scene.get(attribute) for scene in scenes)
    return {value: counts[value] / len(scenes) for value in ATTRIBUTES[attribute]}


@pytest.mark.parametrize(("difficulty", "attribute"), EVERY_DIFFERENCE)
def test_nothing_but_the_difference_and_the_nuisance_separates(
    difficulty: Difficulty, attribute: str
) -> None:
    n = 1500
    for seed in range(4):
        pair = make_pair(difficulty, np.random.default_rng(seed), attribute=attribute, n=n)
        expected = {pair.attribute}
        if pair.nuisance is not None:
            expected.add(pair.nuisance.attribute)
        for name in sorted(ATTRIBUTES.keys() - expected):
            a, b = _frequencies(pair.a, name), _frequencies(pair.b, name)
            assert max(abs(a[value] - b[value]) for value in a) < 0.07, (pair.name, name)


@pytest.mark.parametrize("attribute", DIFFERENCES["hard"])
def test_hard_pairs_have_a_nuisance_that_leans(attribute: str) -> None:
    pair = make_pair("hard", np.random.default_rng(3), attribute=attribute, n=2500)
    nuisance = pair.nuisance
    assert nuisance is not None
    assert nuisance.attribute != attribute
    in_a, in_b = (_frequencies(side, nuisance.attribute) for side in (pair.a, pair.b))
    assert in_a[nuisance.value_a] == pytest.approx(NUISANCE_SHARE, abs=0.05)
    assert in_b[nuisance.value_a] == pytest.approx(1 - NUISANCE_SHARE, abs=0.05)
    leaning: Assertion = (nuisance.attribute, nuisance.value_a)
    assert {grade(text, pair.truth) for text in phrases(*leaning)} == {0}


@given(seed=SEEDS)
def test_colours_can_be_seen_where_they_matter(seed: int) -> None:
    for pair in (
        make_pair("medium", np.random.default_rng(seed), attribute="colour", n=20),
        make_pair("hard", np.random.default_rng(seed), attribute="time", n=20),
    ):
        assert all(scene.shows_colour for scene in (*pair.a, *pair.b))


@given(seed=SEEDS)
def test_no_colour_disappears_along_with_a_rendering(seed: int) -> None:
    """A sketch has no colours: were all pictures red, "red objects" would separate it as well."""
    pair = make_pair("medium", np.random.default_rng(seed), attribute="rendering", n=60)
    assert max(_frequencies((*pair.a, *pair.b), "colour").values()) < 0.5


def test_benchmark_is_balanced_reproducible_and_named_apart() -> None:
    pairs = benchmark(12, seed=5, n=8)
    assert pairs == benchmark(12, seed=5, n=8)
    assert len({pair.name for pair in pairs}) == len(pairs) == 36
    for level in DIFFICULTIES:
        counts = Counter(pair.attribute for pair in pairs if pair.difficulty == level)
        assert set(counts) == set(DIFFERENCES[level])
        assert max(counts.values()) - min(counts.values()) <= 1
    assert benchmark(3, seed=5, n=8) == tuple(p for p in pairs if int(p.name[:3]) < 3)
    assert {p.truth_a for p in benchmark(12, seed=6, n=8)} != {p.truth_a for p in pairs}


def test_written_pairs_can_be_read_back(tmp_path: Path) -> None:
    pair = make_pair("hard", np.random.default_rng(1), n=3)
    write_pair(pair, tmp_path / "pair", size=64)
    for side, scenes in (("a", pair.a), ("b", pair.b)):
        paths = sorted((tmp_path / "pair" / side).iterdir())
        assert [path.name for path in paths] == ["0000.png", "0001.png", "0002.png"]
        assert all(Image.open(path).size == (64, 64) for path in paths)
        saved = json.loads((tmp_path / "pair" / "pair.json").read_text())
        assert tuple(Scene(**scene) for scene in saved[side]) == scenes
        assert {tuple(one) for one in saved["truth"][side]} == getattr(pair.truth, side)
    assert (saved["truth_a"], saved["truth_b"]) == (pair.truth_a, pair.truth_b)
