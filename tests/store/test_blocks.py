"""A block of files says what their rows say, and is asked in their place."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stored import ids
from visdiff_local.images import Facts, Levels, Stamp
from visdiff_local.images.facts import Known
from visdiff_local.images.listing import hex_of
from visdiff_local.store import Store, blocks
from visdiff_local.store.database import DAY
from visdiff_local.store.files import Files
from visdiff_local.types import Window

MANY = 6
Items = Sequence[tuple[Stamp, str, Facts]]

windows = st.builds(Window, st.floats(-9, 9), st.floats(1, 9))
levels = st.builds(
    Levels, st.just("signed"), st.floats(-9, 9), st.floats(-9, 9), st.none() | windows, st.none()
)
facts = st.builds(
    Facts,
    st.integers(1, 2**31 - 1),
    st.integers(1, 2**31 - 1),
    st.sampled_from(["PNG", "JPEG", "Größe"]),
    st.integers(0, 2**64 - 1),
    st.tuples(st.floats(width=32), st.floats(width=32)),
    st.integers(1, 9),
    st.integers(1, 40),
    st.none() | levels,
    st.dictionaries(st.sampled_from(["camera", "burst"]), st.text(max_size=3), max_size=2),
)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LEAST", 2)


def items(count: int = MANY, *, size: int = 1) -> list[tuple[Stamp, str, Facts]]:
    return [
        (Stamp(f"/x/{n}.png", size, 7), id_, Facts(n + 1, size, "PNG", n, (0.5,)))
        for n, id_ in enumerate(ids(count))
    ]


def stamps(of: Items) -> list[Stamp]:
    return [stamp for stamp, _, _ in of]


def by_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many stamps are asked about by rows, call by call."""
    asked: list[int] = []
    rows: Callable[[Files, Sequence[Stamp], str], Known] = Files._recalled

    def counted(files: Files, wanted: Sequence[Stamp], version: str) -> Known:
        asked.append(len(wanted))
        return rows(files, wanted, version)

    monkeypatch.setattr(Files, "_recalled", counted)
    return asked


@given(st.lists(facts, min_size=2, max_size=8))
def test_a_block_says_what_the_rows_say(tmp_path_factory: pytest.TempPathFactory, known) -> None:
    named = [(Stamp(f"/{n}", n, 7), id_, known[n]) for n, id_ in enumerate(ids(len(known)))]
    with pytest.MonkeyPatch.context() as patch, Store(tmp_path_factory.mktemp("store")) as store:
        patch.setattr(blocks, "LEAST", 2)
        store.files.remember(named, "v")
        rows = store.files.recall(stamps(named), "v")
        asked = by_rows(patch)
        block = store.files.recall(stamps(named), "v")
        assert asked == []
    assert block.at.tolist() == rows.at.tolist()
    assert hex_of(block.ids) == hex_of(rows.ids)
    assert block.facts == rows.facts
    for name in ("sizes", "phash", "values", "format", "frames", "bands"):
        assert getattr(block.facts, name).dtype == getattr(rows.facts, name).dtype


def test_other_files_another_order_and_another_version_are_asked_by_rows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = items()
    store.files.remember(known, "v")
    store.files.recall(stamps(known), "v")
    asked = by_rows(monkeypatch)
    store.files.recall(stamps(known)[::-1], "v")
    store.files.recall(stamps(known)[1:], "v")
    assert len(store.files.recall(stamps(known), "w").at) == 0
    changed = [stamp._replace(mtime_ns=8) for stamp in stamps(known)]
    assert len(store.files.recall(changed, "v").at) == 0
    assert asked == [MANY, MANY - 1, MANY, MANY]


def test_what_is_not_known_whole_is_no_block(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    known = items()
    store.files.remember(known[:-1], "v")
    asked = by_rows(monkeypatch)
    for _ in range(2):
        assert len(store.files.recall(stamps(known), "v").at) == MANY - 1
    store.files.remember(known, "v")
    for _ in range(3):
        assert len(store.files.recall(stamps(known), "v").at) == MANY
    assert asked == [MANY] * 3


def test_a_file_that_holds_something_else_is_never_answered_by_an_older_block(store: Store) -> None:
    """As a run with --verify finds it: the same path, size and time, other bytes."""
    known = items()
    store.files.remember(known, "v")
    store.files.recall(stamps(known), "v")
    stamp, _, said = known[2]
    other = ids(MANY + 1)[-1]
    store.files.remember([(stamp, other, said)], "v")
    found = store.files.recall(stamps(known), "v")
    assert hex_of(found.ids) == [*ids(2), other, *ids(MANY)[3:]]
    store.files.remember([(stamp._replace(mtime_ns=9), ids(1)[0], said)], "v")
    assert len(store.files.recall(stamps(known), "v").at) == MANY - 1


def test_a_damaged_block_is_named_and_the_rows_are_asked(store: Store) -> None:
    known = items()
    store.files.remember(known, "v")
    whole = store.files.recall(stamps(known), "v")
    with sqlite3.connect(store.folder / "answers.sqlite") as other:
        other.execute("UPDATE blocks SET value = zeroblob(LENGTH(value))")
    found = store.files.recall(stamps(known), "v")
    assert hex_of(found.ids) == hex_of(whole.ids)
    (problem,) = store.problems
    assert "damaged block" in problem
    store.files.recall(stamps(known), "v")
    assert len(store.problems) == 1, "it was made anew"


def test_rows_that_only_blocks_were_asked_for_are_not_forgotten(store: Store) -> None:
    known = items()
    store.files.remember(known, "v")
    store.files.recall(stamps(known), "v")
    with sqlite3.connect(store.folder / "answers.sqlite") as other:
        for table in ("files", "blocks"):
            other.execute(f"UPDATE {table} SET used = used - {2 * DAY}")
        ((before,),) = other.execute("SELECT MAX(used) FROM files").fetchall()
    store.files.recall(stamps(known), "v")
    store.files.forget(before + 1)
    assert store.files.count() == MANY
    store.files.forget(before + 3 * DAY)
    assert len(store.files.recall(stamps(known), "v").at) == 0


def test_blocks_of_other_orders_take_a_bounded_share(store: Store) -> None:
    known = items(3000)
    store.files.remember(known, "v")
    for first in range(40):
        store.files.recall(stamps(known)[first:], "v")
    ((taken,),) = store._database.rows("SELECT SUM(bytes) FROM blocks")
    store._database.shrink()
    size = (store.folder / "answers.sqlite").stat().st_size
    assert taken < 0.6 * size


def test_a_store_that_may_not_be_written_is_read_by_rows(tmp_path: Path) -> None:
    known = items()
    with Store(tmp_path) as store:
        store.files.remember(known, "v")
        store._database.read_only = True
        for _ in range(2):
            assert len(store.files.recall(stamps(known), "v").at) == MANY
        assert not store.problems
