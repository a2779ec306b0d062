"""Answers in SQLite: as they went in, and damage is noticed."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stored import Fake, ids, never_opened, refs
from visdiff_local.store import Store
from visdiff_local.store.cached import (
    CachedCaptioner,
    Counter,
)
from visdiff_local.store.keys import key


@given(
    st.lists(
        st.one_of(
            st.text(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.lists(st.floats(0, 1), min_size=1, max_size=3),
            st.lists(st.text(), min_size=1, max_size=3),
        ),
        max_size=8,
    )
)
@settings(max_examples=40)
def test_values_come_back_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, values: list[str | float | list[str] | list[float]]
) -> None:
    with Store(tmp_path_factory.getbasetemp() / "values") as store:
        items = dict(zip(ids(len(values)), values, strict=True))
        store.records.put_many("x", items)
        assert store.records.get_many("x", list(items)) == items
        assert store.records.get_many("y", list(items)) == {}


def test_many_keys_at_once(store: Store) -> None:
    names = ids(3000)
    store.records.put_many("x", {name: float(n) for n, name in enumerate(names[::2])})
    found = store.records.get_many("x", names)
    assert found == {name: float(n) for n, name in enumerate(names[::2])}


def test_what_is_no_number_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.records.put_many("x", {ids(1)[0]: float("nan")})
    assert store.records.get_many("x", ids(1)) == {}


def _flip(path: Path, needle: bytes) -> None:
    """Flips one bit of the first occurrence."""
    raw = bytearray(path.read_bytes())
    place = raw.index(needle)
    raw[place] ^= 0x01
    path.write_bytes(raw)


def test_a_flipped_bit_in_an_answer_is_named_and_the_answer_computed_again(tmp_path: Path) -> None:
    images, fake = refs(3), Fake()
    with Store(tmp_path) as store:
        CachedCaptioner(lambda: fake, "f", store, Counter()).caption(images, "p")
        store._database.shrink()
    _flip(tmp_path / "answers.sqlite", f"caption of {images[1].id[:8]}".encode())
    with Store(tmp_path) as store:
        calls = Counter()
        texts = CachedCaptioner(lambda: fake, "f", store, calls).caption(images, "p")
        assert texts == [f"caption of {ref.id[:8]}" for ref in images]
        assert (calls.computed, calls.from_store) == (1, 2)
        (problem,) = store.problems
        wanted = key("caption", model="f", prompt="p", image=images[1].id)
        assert wanted in problem
        assert str(tmp_path / "answers.sqlite") in problem
    with Store(tmp_path) as store:
        assert CachedCaptioner(never_opened, "f", store, Counter()).caption(images, "p") == texts


@pytest.mark.parametrize("damage", ["not a database", "pages"])
def test_a_damaged_database_is_moved_aside_and_named(tmp_path: Path, damage: str) -> None:
    database = tmp_path / "answers.sqlite"
    with Store(tmp_path) as store:
        store.records.put_many("x", dict.fromkeys(ids(2000), "text"))
        store._database.shrink()
    raw = database.read_bytes()
    pages = raw[:4096] + b"\xff" * len(raw[4096:])
    database.write_bytes(b"rubbish" * 99 if damage == "not a database" else pages)
    with Store(tmp_path) as store:
        assert store.records.get_many("x", ids(2000)) == {}
        assert "is damaged" in store.problems[0]
        assert str(database) in store.problems[0]
        store.records.put_many("x", {ids(1)[0]: "again"})
        assert store.records.get_many("x", ids(1)) == {ids(1)[0]: "again"}
        assert len(list(tmp_path.glob("answers.sqlite.damaged-*"))) == 1
        store.gc()
        assert not list(tmp_path.glob("*damaged*"))
