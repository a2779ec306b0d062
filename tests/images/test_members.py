"""Images inside larger files: in columns, and each the same as by itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images.archives import TarMember, ZipMember
from visdiff_local.images.gather import joined, located
from visdiff_local.images.located import Each
from visdiff_local.images.locators import File
from visdiff_local.images.members import Member, Members
from visdiff_local.images.rows import ArrowRow, ParquetRow

FILES = [Path(__file__), Path(__file__).parent / "test_listing.py", Path("/nowhere/at/all")]
files = st.sampled_from(FILES)
names = st.text(max_size=6) | st.just("caf\udce9/\n.png")
numbers = st.integers(0, 2**62)
members = st.lists(
    st.builds(TarMember, files, names, numbers, numbers, packed=st.booleans())
    | st.builds(ZipMember, files, names, numbers, names)
    | st.builds(ParquetRow, files, numbers, st.sampled_from(["image", "bytes"]), names)
    | st.builds(ArrowRow, files, numbers, st.just("image"), names),
    min_size=1,
    max_size=12,
)


def told(at: Member) -> tuple[object, ...]:
    try:
        stamp: object = at.stamp()
    except UnreadableImageError as error:
        stamp = error.reason
    return type(at), at, at.name, stamp, at.order()


@given(members, st.data())
def test_members_come_out_as_they_went_in(each: list[Member], data: st.DataObject) -> None:
    columns = located(each)
    assert isinstance(columns, Members)
    assert list(map(told, columns)) == list(map(told, each))
    assert [told(columns[place]) for place in range(-len(each), 0)] == list(map(told, each))
    assert columns.names() == [at.name for at in each]
    assert columns.whole.all()
    start = data.draw(st.integers(0, len(each)))
    stamps = columns.stamps(start, len(each))
    assert [getattr(one, "reason", one) for one in stamps] == [told(at)[3] for at in each[start:]]
    chosen = data.draw(st.lists(st.integers(0, len(each) - 1), max_size=9))
    taken = columns.take(np.array(chosen, np.int64))
    assert list(map(told, taken)) == [told(each[place]) for place in chosen]
    both = joined([columns, taken, columns[1:]])
    assert isinstance(both, Members) or not len(taken)
    again = [*each, *(each[place] for place in chosen), *each[1:]]
    assert list(map(told, both)) == list(map(told, again))


def test_what_is_a_part_or_a_file_among_them_stays_an_object_each() -> None:
    whole = TarMember(FILES[0], "a.tif", 0, 9)
    for other in (replace(whole, part="page 2"), File(FILES[0])):
        columns = located([whole, other])
        assert isinstance(columns, Each)
        assert list(columns) == [whole, other]
        assert list(joined([located([whole]), columns])) == [whole, whole, other]


@pytest.mark.parametrize("kind", ["tar", "row"])
def test_a_member_takes_some_hundred_bytes(kind: str) -> None:
    many = 20_000
    if kind == "tar":
        columns = Members.of(TarMember(FILES[0], f"{n:09}.jpg", n, 9) for n in range(many))
    else:
        columns = Members.of(ParquetRow(FILES[0], n, "image", f"{n:09}.jpg") for n in range(many))
    assert columns.nbytes < 60 * many
    assert len(columns.containers) == 1
