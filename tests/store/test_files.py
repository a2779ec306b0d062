"""What was read of a file is known again, and never another's."""

import os
from pathlib import Path

from tests.support.stored import ids
from visdiff_local.images import FactColumns, Facts, Stamp
from visdiff_local.images.listing import hex_of
from visdiff_local.store import Store


def _facts(n: int) -> Facts:
    return Facts(n, 2 * n, "PNG", 2**64 - 1 - n, (0.1 * n, float("nan"), 1e-300))


def test_files_are_recalled_by_path_size_and_time_alone(store: Store) -> None:
    stamps = [Stamp(os.fsdecode(b"/x/caf\xe9\n%d.png" % n), n, 10**18 + n) for n in range(1200)]
    items = [(stamps[n], id_, _facts(n)) for n, id_ in enumerate(ids(1200))]
    store.files.remember(items, "v1")
    found = store.files.recall(stamps, "v1")
    assert found.at.tolist() == list(range(1200))
    assert hex_of(found.ids) == ids(1200)
    assert found.facts == FactColumns.of(map(_facts, range(1200)))
    assert len(store.files.recall(stamps, "v2").at) == 0
    changed = [stamps[0]._replace(size=99), stamps[1]._replace(mtime_ns=5)]
    assert len(store.files.recall(changed, "v1").at) == 0


def test_files_in_any_order_and_more_than_once_are_each_recalled(store: Store) -> None:
    stamps = [Stamp(f"/x/{n}.png", n, 7) for n in range(50)]
    store.files.remember([(stamps[n], id_, _facts(n)) for n, id_ in enumerate(ids(50))], "v")
    unknown, changed = Stamp("/x/none.png", 1, 7), stamps[3]._replace(size=1000)
    wanted = [stamps[40], unknown, changed, stamps[3], stamps[40], stamps[0]]
    found = store.files.recall(wanted, "v")
    assert found.at.tolist() == [0, 3, 4, 5]
    assert hex_of(found.ids) == [ids(50)[n] for n in (40, 3, 40, 0)]
    assert [one.width for one in found.facts] == [40, 3, 40, 0]
    assert store.files.recall([stamps[3], changed], "v").at.tolist() == []  # changed meanwhile


def test_a_damaged_row_never_gives_another_image(tmp_path: Path) -> None:
    stamps = [Stamp(f"/x/{n}.png", n, 4) for n in range(2)]
    one, other = (bytes.fromhex(id_) for id_ in ids(2))
    with Store(tmp_path) as store:
        items = [(stamps[n], id_, _facts(n)) for n, id_ in enumerate(ids(2))]
        store.files.remember(items, "v")
        store._database.shrink()
    raw = (tmp_path / "answers.sqlite").read_bytes()
    places = [n for n in range(len(raw)) if raw.startswith(one, n)]
    assert len(places) >= 2  # in the table of files, and in that of facts
    for place in places:
        damaged = raw[:place] + other + raw[place + len(other) :]
        (tmp_path / "answers.sqlite").write_bytes(damaged)
        with Store(tmp_path) as store:
            found = store.files.recall(stamps, "v")
            places = found.at.tolist()
            assert 0 not in places
            assert hex_of(found.ids) == [ids(2)[n] for n in places]
            assert found.facts == FactColumns.of([_facts(n) for n in places])
