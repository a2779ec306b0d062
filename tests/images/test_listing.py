"""A listing in columns is the sequence of the images that it was made of."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.images.listing import Listing, joined, ranks
from visdiff_local.images.locators import File, Memory
from visdiff_local.store.asking import ids_of
from visdiff_local.types import ImageRef, Window


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


def test_captions_windows_and_images_of_all_kinds_are_kept() -> None:
    first, second, third = refs(["a", "b", "c"])
    window = Window(0.0, 4095.0)
    mixed = [
        replace(first, caption="a caption"),
        replace(second, window=window),
        replace(third, at=Memory(b"x")),
        replace(third, at=File(Path("/photos/c.tif"), "frame 3")),
    ]
    listing = Listing.of(mixed)
    assert list(listing) == mixed
    assert list(listing.take(np.array([3, 1]))) == [mixed[3], mixed[1]]
    assert list(joined([listing, Listing.of([first])])) == [*mixed, first]
    assert listing == mixed
    assert listing != mixed[:3]
    unread = [replace(ref, id="") for ref in mixed]
    assert list(Listing.of(unread)) == unread


def test_what_has_no_place_in_the_columns_is_refused() -> None:
    (plain,) = refs(["a"])
    windows = [replace(plain, window=Window(0.0, high)) for high in (1.0, 2.0)]
    for odd in (windows, [plain, replace(plain, id="")], [replace(plain, id="abc")]):
        with pytest.raises(ValueError, match=r"have no columns|non-hexadecimal"):
            Listing.of(odd)
    assert list(joined([Listing.of(windows[:1]), Listing.of(windows[1:])])) == windows


@given(st.lists(st.lists(st.sampled_from(range(6))), min_size=1))
def test_ranks_are_those_of_the_sorted_ids(groups: list[list[int]]) -> None:
    # Ids that begin alike too: labels of eight bytes do not tell them apart.
    ids = sorted(hashlib.sha256(bytes([i])).hexdigest() for i in range(4))
    ids = sorted([*ids, ids[0][:-2] + "00", ids[0][:16] + "f" * 48])
    listed = [[ImageRef(ids[i], Memory(b"")) for i in group] for group in groups]
    there = sorted({i for group in groups for i in group})
    expected = [[there.index(i) for i in group] for group in groups]
    columns = [Listing.of(group) for group in listed]
    names = [[ids[i] for i in group] for group in groups]
    for given_ in (listed, columns, names):
        assert [rank.tolist() for rank in ranks(*given_)] == expected
    odd = [[ImageRef(f"id {i}", Memory(b"")) for i in group] for group in groups]
    assert [rank.tolist() for rank in ranks(*odd)] == expected


def test_it_takes_a_small_part_of_the_memory_of_objects() -> None:
    listing = Listing.of(refs([f"{i // 1000:03}/IMG_{i:08}.jpg" for i in range(10_000)]))
    assert listing.nbytes / len(listing) < 60
