"""A listing in columns is the sequence of the images that it was made of."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.images.listing import Listing
from visdiff_local.images.locators import File, Memory
from visdiff_local.store.asking import ids_of
from visdiff_local.types import ImageRef


def refs(names: list[str]) -> list[ImageRef]:
    return [
        ImageRef(hashlib.sha256(f"{i}".encode()).hexdigest(), File(Path("/photos", name)))
        for i, name in enumerate(names)
    ]


NAMES = st.lists(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(
        lambda text: text not in (".", "..")
    ),
    min_size=1,
    max_size=30,
)


@given(NAMES, st.data())
def test_it_is_the_sequence_that_it_was_made_of(names: list[str], data: st.DataObject) -> None:
    plain = refs(names)
    listing = Listing.of(plain)
    assert list(listing) == plain
    assert len(listing) == len(plain)
    place = data.draw(st.integers(-len(plain), len(plain) - 1))
    assert listing[place] == plain[place]
    part = data.draw(st.slices(len(plain)))
    assert list(listing[part]) == plain[part]
    assert ids_of(listing) == [ref.id for ref in plain]
    places = data.draw(st.lists(st.integers(0, len(plain) - 1)))
    assert list(listing.take(np.array(places, np.int64))) == [plain[i] for i in places]


def test_names_that_are_no_text_are_kept() -> None:
    plain = refs(["a\udcff.jpg", "b/c d.png", "ü.jpg"])
    assert list(Listing.of(plain)) == plain


def test_places_outside_are_refused() -> None:
    listing = Listing.of(refs(["a"]))
    for place in (1, -2):
        with pytest.raises(IndexError, match="1 images"):
            listing[place]


def test_what_has_no_place_in_the_columns_is_refused() -> None:
    (plain,) = refs(["a"])
    for odd in (
        ImageRef("", plain.at),
        ImageRef(plain.id, Memory(b"x")),
        ImageRef(plain.id, plain.at, "a caption"),
    ):
        with pytest.raises(ValueError, match="no plain"):
            Listing.of([odd])


def test_it_takes_a_small_part_of_the_memory_of_objects() -> None:
    listing = Listing.of(refs([f"{i // 1000:03}/IMG_{i:08}.jpg" for i in range(10_000)]))
    assert listing.nbytes / len(listing) < 60
