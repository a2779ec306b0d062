"""Embeddings: the same to the last bit, whatever is merged or damaged."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stored import D, finished, ids, run_python, vectors_of
from visdiff_local.store import Store
from visdiff_local.store.shards import as_slice
from visdiff_local.store.vectors import MERGE_AT, rounded


def test_vectors_come_back_the_same_to_the_last_bit_in_any_order(tmp_path: Path) -> None:
    names = ids(300)
    vectors = vectors_of(names)
    with Store(tmp_path) as store:
        for start in range(0, 300, 37):
            store.vectors("m", D).add(names[start : start + 37], vectors[start : start + 37])
    with Store(tmp_path) as store:
        index = store.vectors("m", D)
        found, values = index.get(names[::-1])
        assert found.all()
        assert np.array_equal(values[::-1], rounded(vectors))
        assert np.array_equal(rounded(vectors[5:6]), rounded(vectors)[5:6])
        assert np.allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)
        assert np.abs(values[::-1] - vectors).max() < 1e-3
        found, values = index.get([*ids(2, first=900), names[3]])
        assert found.tolist() == [False, False, True]
        assert store.dimension("m") == D
        assert store.dimension("other") is None
        assert len(store.vectors("other", D)) == 0
        assert index.get([])[1].shape == (0, D)


@given(
    st.lists(
        st.lists(st.integers(0, 59), max_size=12, unique=True)
        | st.tuples(st.integers(0, 59), st.integers(1, 12)).map(
            lambda run: [i % 60 for i in range(run[0], run[0] + run[1])]
        ),
        max_size=6,
    )
)
@settings(max_examples=40)
def test_images_are_found_where_they_are_whatever_was_asked_before(
    tmp_path_factory: pytest.TempPathFactory, asked: list[list[int]]
) -> None:
    """In stored order and any other, within a shard and across, with ids that nobody stored."""
    names = ids(60)
    vectors, stored = rounded(vectors_of(names)), range(5, 50)
    with Store(tmp_path_factory.mktemp("store")) as store:
        index = store.vectors("m", D)
        for start in range(5, 50, 15):
            index.add(names[start : start + 15], vectors_of(names[start : start + 15]))
        for places in asked:
            found, values = index.get([names[place] for place in places])
            assert found.tolist() == [place in stored for place in places]
            for row, place in enumerate(places):
                assert np.array_equal(values[row], vectors[place] * (place in stored))


@pytest.mark.filterwarnings("ignore:invalid value")
def test_every_half_precision_number_is_widened_to_the_bit() -> None:
    """Subnormals, both zeros, large numbers, infinities and NaN, in rows that are whole without."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)]
    small = finite[np.abs(finite) < 2]
    for numbers in (halves, finite, small):
        for rows in (
            numbers[: len(numbers) // 8 * 8].reshape(-1, 8),
            numbers[1:4][None],
            halves[:0, None],
        ):
            for layout in (rows, rows[::-1, ::2]):
                expected = layout.astype(np.float32)
                expected /= np.sqrt(np.einsum("ij,ij->i", expected, expected))[:, None]
                assert np.array_equal(rounded(layout), expected, equal_nan=True)


@given(st.lists(st.integers(0, 9), max_size=6))
def test_rows_that_follow_each_other_are_a_slice_and_others_stay_as_they_are(
    rows: list[int],
) -> None:
    everything = np.arange(40).reshape(10, 4)
    for wanted in (rows, sorted(set(rows)), [*range(len(rows))]):
        places = np.array(wanted, dtype=np.int64)
        chosen = as_slice(places)
        assert np.array_equal(everything[chosen], everything[places])
        follow = bool(wanted) and wanted == [*range(wanted[0], wanted[0] + len(wanted))]
        assert isinstance(chosen, slice) == follow


def test_shards_are_merged_and_an_id_added_twice_is_there_once(store: Store) -> None:
    index, names = store.vectors("m", D), ids(200)
    for start in range(0, 200, 10):
        index.add(names[start : start + 10], vectors_of(names[start : start + 10]))
    shards = list(store.folder.rglob("*.json"))
    assert len(shards) < MERGE_AT + 3
    index.add(names[:50], vectors_of(names[:50]))
    view_ids, view = index.matrix()
    assert sorted(view_ids) == sorted(names)
    assert view.dtype == np.float16
    assert np.array_equal(rounded(view), rounded(vectors_of(view_ids)))
    assert len(list(store.folder.rglob("*.json"))) == len(list(store.folder.rglob("*.faiss"))) == 1


def test_a_view_outlives_the_merge_of_its_shard(store: Store) -> None:
    index, names = store.vectors("m", D), ids(64)
    index.add(names[:32], vectors_of(names[:32]))
    _, view = index.matrix()
    before = view.copy()
    index.add(names[32:], vectors_of(names[32:]))
    index.matrix()
    store.close()
    assert np.array_equal(view, before)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 0


@pytest.mark.slow
def test_a_matrix_is_mapped_and_not_loaded(tmp_path: Path) -> None:
    code = """
        import resource, sys
        from pathlib import Path
        import faiss, numpy as np
        from tests.support.stored import ids
        from visdiff_local.store import Store
        rows, d = 100_000, 512
        with Store(Path(sys.argv[1])) as store:
            if sys.argv[2] == "write":
                store.vectors("m", d).add(ids(rows), np.ones((rows, d), np.float16))
            else:
                pages = lambda: list(map(int, Path("/proc/self/statm").read_text().split()))
                held = lambda: (pages()[1] - pages()[2]) * 4096 / 2**20  # what is no file's
                before = held()
                view = store.vectors("m", d).matrix()[1]
                print(view.nbytes / 2**20, held() - before)
    """
    finished(run_python(code, tmp_path, "write"))
    size, resident = map(float, finished(run_python(code, tmp_path, "read")).split())
    assert size > 90
    assert resident < 60  # ids, their order and a buffer; the rows are on the disk


def test_nearest_and_near_duplicates_are_those_of_a_matrix_product(store: Store) -> None:
    index, names = store.vectors("m", D), ids(120)
    vectors = vectors_of(names)
    for start in range(0, 120, 40):
        index.add(names[start : start + 40], vectors[start : start + 40])
    exact = vectors[:5] @ vectors.astype(np.float16).astype(np.float32).T
    for row, found in enumerate(index.nearest(vectors[:5], 7)):
        assert [name for name, _ in found] == [names[i] for i in np.argsort(-exact[row])[:7]]
        assert np.allclose([score for _, score in found], np.sort(exact[row])[::-1][:7], atol=1e-5)
    for row, found in enumerate(index.within(vectors[:5], 0.3)):
        assert {name for name, _ in found} == {names[i] for i in np.flatnonzero(exact[row] > 0.3)}
    assert len(index.nearest(vectors[:1], 999)[0]) == 120


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no index", "no ids", "bad json"])
def test_a_damaged_shard_is_named_and_its_vectors_computed_again(
    tmp_path: Path, damage: str
) -> None:
    names = ids(20)
    with Store(tmp_path) as store:
        store.vectors("m", D).add(names[:10], vectors_of(names[:10]))
        first = next(tmp_path.rglob("*.json"))
        store.vectors("m", D).add(names[10:], vectors_of(names[10:]))
    index_file = first.with_suffix(".faiss")
    if damage == "truncated":
        os.truncate(index_file, index_file.stat().st_size // 2)
    elif damage == "flipped":
        raw = bytearray(index_file.read_bytes())
        raw[len(raw) // 2] ^= 4
        index_file.write_bytes(raw)
    elif damage == "bad json":
        first.write_text('{"fingerprint": "m", "dim')
    else:
        first.with_suffix(".faiss" if damage == "no index" else ".ids").unlink()
    with Store(tmp_path) as store:
        found, values = store.vectors("m", D).get(names)
        assert found.tolist() == [False] * 10 + [True] * 10
        assert np.array_equal(values[10:], rounded(vectors_of(names[10:])))
        (problem,) = store.problems
        assert str(index_file) in problem
        store.vectors("m", D).add(names[:10], vectors_of(names[:10]))
    with Store(tmp_path) as store:
        assert store.vectors("m", D).get(names)[0].all()
        assert not store.problems


def test_a_store_whose_name_is_not_utf8_works(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    for _ in range(2):
        with Store(folder) as store:
            store.vectors("m", D).add(ids(3), vectors_of(ids(3)))
            store.records.put_many("x", {ids(1)[0]: "text"})
    with Store(folder) as store:
        assert store.vectors("m", D).get(ids(3))[0].all()
        assert store.vectors("m", D).matrix()[1].shape == (3, D)
        assert store.records.get_many("x", ids(1)) == {ids(1)[0]: "text"}


def test_a_row_that_is_damaged_after_its_shard_was_opened_is_never_used(tmp_path: Path) -> None:
    names = ids(20)
    with Store(tmp_path) as store:
        store.vectors("m", D).add(names[:10], vectors_of(names[:10]))
        index_file = next(tmp_path.rglob("*.faiss"))
        store.vectors("m", D).add(names[10:], vectors_of(names[10:]))
    with Store(tmp_path) as store:
        assert len(store.vectors("m", D)) == 20  # opened, no row read yet
        raw = bytearray(index_file.read_bytes())
        raw[len(raw) // 2] ^= 4
        index_file.write_bytes(raw)
        store.vectors("m", D).compact()
        assert store.vectors("m", D).get(names)[0].tolist() == [False] * 10 + [True] * 10
        assert str(index_file) in store.problems[0]


def test_vectors_that_are_none_are_refused(store: Store) -> None:
    index = store.vectors("m", D)
    with pytest.raises(ValueError, match="not finite"):
        index.add(ids(1), np.full((1, D), np.nan))
    with pytest.raises(ValueError, match="is not"):
        index.add(ids(1), np.zeros((1, D + 1)))
    assert len(index) == 0
