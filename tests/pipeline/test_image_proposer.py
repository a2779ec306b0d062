"""The image proposer shows a model no more pictures than it takes; most parts decide."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stage_doubles import Eyes
from visdiff_local.models.specs import ModelSpec
from visdiff_local.pipeline.proposers.base import Asking
from visdiff_local.pipeline.proposers.image import from_images
from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.types import ImageRef


def refs(prefix: str, n: int) -> tuple[ImageRef, ...]:
    return tuple(ImageRef(f"{prefix}{i}", Path(f"{prefix}{i}.png")) for i in range(n))


def shown_to(eyes_say: object, sample: Sample, most: int, concepts: int = 10):  # type: ignore[no-untyped-def]
    groups: list[list[str]] = []

    def describe(images: object) -> str:
        groups.append(list(images))  # type: ignore[call-overload]
        return eyes_say(len(groups)) if callable(eyes_say) else str(eyes_say)

    eyes = Eyes(describe=describe)
    asking = Asking(concepts=concepts, directions=("a",))
    return groups, from_images([sample], eyes, asking, grid=False, most=most), eyes


@given(n_a=st.integers(1, 30), n_b=st.integers(1, 30), most=st.integers(2, 70))
def test_no_prompt_shows_more_than_the_model_takes(n_a: int, n_b: int, most: int) -> None:
    groups, found, eyes = shown_to("* dogs", Sample(refs("a", n_a), refs("b", n_b)), most)
    assert groups
    assert all(len(group) <= most for group in groups)
    assert all({image[0] for image in group} == {"a", "b"} for group in groups)
    every = [image for group in groups for image in group]
    assert len(every) == len(set(every))
    if n_a + n_b <= most:
        assert len(every) == n_a + n_b
    sides = [[image[0] for image in group] for group in groups]
    assert all(side == sorted(side) for side in sides)  # A's pictures come first
    assert [h.text for h in found.hypotheses] == ["dogs"]
    assert f"first {sides[0].count('a')} images" in eyes.asked[0]


def test_pairs_stay_together() -> None:
    groups, _, _ = shown_to("* dogs", Sample(refs("a", 20), refs("b", 20)), 7)
    for group in groups:
        half = len(group) // 2
        assert [image[1:] for image in group[:half]] == [image[1:] for image in group[half:]]


def test_what_most_parts_find_is_proposed() -> None:
    said = ["* a hat\n* snow", "* Snow\n* a dog", "* rain\n* snow", "* a dog", "nothing"]
    sample = Sample(refs("a", 10), refs("b", 10))
    _, found, _ = shown_to(lambda number: said[number - 1], sample, 4, concepts=3)
    assert [h.text for h in found.hypotheses] == ["snow", "a dog", "a hat"]
    assert found.unparsed == ()


def test_what_is_said_the_other_way_round_counts_for_less() -> None:
    """A model that sees "a road" everywhere, hats on A, and snow here and there, mostly on B."""

    def describe(images: object) -> str:
        first, other = images  # type: ignore[misc]
        if first[0] == "a":
            return "* a road\n* a hat" if other != "b0" else "* a road\n* a hat\n* snow"
        return "* A road\n* snow"

    sample = Sample(refs("a", 6), refs("b", 6))
    found = from_images([sample], Eyes(describe=describe), Asking(), grid=False, most=2)
    assert [(h.text, h.direction) for h in found.hypotheses] == [
        ("a hat", "a"),
        ("a road", "a"),
        ("snow", "b"),
        ("A road", "b"),
    ]
    two = from_images([sample], Eyes(describe=describe), Asking(concepts=1), grid=False, most=2)
    assert [h.text for h in two.hypotheses] == ["a hat", "snow"]


def test_a_model_that_takes_one_image_compares_nothing() -> None:
    with pytest.raises(ValueError, match="most_images must be 2 or more"):
        ModelSpec(backend="vlm", most_images=1)


def test_parts_are_the_same_in_every_run() -> None:
    sample = Sample(refs("a", 9), refs("b", 9))
    first, _, _ = shown_to("* dogs", sample, 6)
    assert first == shown_to("* dogs", sample, 6)[0]
    assert np.shape(first) == (3, 6)
