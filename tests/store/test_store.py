"""The store: the same answers again, whatever is killed, damaged, full or busy meanwhile."""

import hashlib
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.paths import ROOT
from visdiff_local.errors import StoreError, WeightsError
from visdiff_local.images import Facts, File, Stamp
from visdiff_local.protocols import (
    Captioner,
    Embedder,
    FeatureProposer,
    FloatArray,
    ImageProposer,
    TextModel,
    VisualQA,
)
from visdiff_local.store import Store, default_folder
from visdiff_local.store.cached import (
    CachedCaptioner,
    CachedEmbedder,
    CachedFeatureProposer,
    CachedImageProposer,
    CachedTextModel,
    CachedVisualQA,
    Counter,
)
from visdiff_local.store.keys import key, keys
from visdiff_local.store.shards import as_slice
from visdiff_local.store.vectors import MERGE_AT, rounded
from visdiff_local.types import ImageRef

D = 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


def ids(count: int, first: int = 0) -> list[str]:
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(first, first + count)]


def refs(count: int) -> list[ImageRef]:
    return [ImageRef(id_, File(Path(f"/none/{id_}"))) for id_ in ids(count)]


def vector_of(id_: str) -> FloatArray:
    values = np.random.default_rng(int(id_[:12], 16)).standard_normal(D)
    return (values / np.linalg.norm(values)).astype(np.float32)


def vectors_of(names: Sequence[str]) -> FloatArray:
    return np.stack([vector_of(name) for name in names]) if names else np.zeros((0, D), np.float32)


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """This file's helpers are importable in ``code``."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


# --- keys ------------------------------------------------------------------------------------

SETTINGS = st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=5)))
QUESTION = st.tuples(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), SETTINGS)


@given(QUESTION, QUESTION)
def test_equal_keys_mean_equal_questions(
    one: tuple[str, str, str, dict[str, object]], other: tuple[str, str, str, dict[str, object]]
) -> None:
    def key_of(question: tuple[str, str, str, dict[str, object]]) -> str:
        task, model, prompt, options = question
        return key(task, model=model, prompt=prompt, image="", settings=options)  # type: ignore[arg-type]

    assert (key_of(one) == key_of(other)) == (one == other)


def test_a_key_depends_on_everything_and_not_on_the_order_of_settings() -> None:
    base = {"model": "m", "prompt": "p", "image": "i", "settings": {"a": 1, "b": 2}}
    plain = key("t", **base)  # type: ignore[arg-type]
    assert plain == key("t", **{**base, "settings": {"b": 2, "a": 1}})  # type: ignore[arg-type]
    others = [
        key("u", **base),  # type: ignore[arg-type]
        *(key("t", **{**base, name: "other"}) for name in ("model", "prompt", "image")),  # type: ignore[arg-type]
        key("t", **{**base, "settings": {"a": 1, "b": "2"}}),  # type: ignore[arg-type]
    ]
    assert len({plain, *others}) == 6
    assert keys("t", ["i", "j"], model="m", prompt="p", settings={"a": 1, "b": 2})[0] == plain
    assert key("t", model="um", prompt="") != key("tu", model="m", prompt="")
    assert key("t", model="m", prompt="\udcff") != key("t", model="m", prompt="\udcfe")


# --- records ---------------------------------------------------------------------------------


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
        assert CachedCaptioner(_never, "f", store, Counter()).caption(images, "p") == texts


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


# --- files -----------------------------------------------------------------------------------


def _facts(n: int) -> Facts:
    return Facts(n, 2 * n, "PNG", 2**64 - 1 - n, (0.1 * n, float("nan"), 1e-300))


def test_files_are_recalled_by_path_size_and_time_alone(store: Store) -> None:
    stamps = [Stamp(os.fsdecode(b"/x/caf\xe9\n%d.png" % n), n, 10**18 + n) for n in range(1200)]
    items = [(stamps[n], id_, _facts(n)) for n, id_ in enumerate(ids(1200))]
    store.files.remember(items, "v1")
    found = store.files.recall(stamps, "v1")
    assert list(map(repr, (found[s] for s in stamps))) == [
        repr((id_, _facts(n))) for n, id_ in enumerate(ids(1200))
    ]
    assert store.files.recall(stamps, "v2") == {}
    changed = [stamps[0]._replace(size=99), stamps[1]._replace(mtime_ns=5)]
    assert store.files.recall(changed, "v1") == {}


def test_a_damaged_row_never_gives_another_image(tmp_path: Path) -> None:
    stamps = [Stamp(f"/x/{n}.png", n, 4) for n in range(2)]
    one, other = (bytes.fromhex(id_) for id_ in ids(2))
    with Store(tmp_path) as store:
        items = [(stamps[n], id_, _facts(n)) for n, id_ in enumerate(ids(2))]
        store.files.remember(items, "v")
        right = store.files.recall(stamps, "v")
        store._database.shrink()
    raw = (tmp_path / "answers.sqlite").read_bytes()
    places = [n for n in range(len(raw)) if raw.startswith(one, n)]
    assert len(places) >= 2  # in the table of files, and in that of facts
    for place in places:
        damaged = raw[:place] + other + raw[place + len(other) :]
        (tmp_path / "answers.sqlite").write_bytes(damaged)
        with Store(tmp_path) as store:
            found = store.files.recall(stamps, "v")
            assert stamps[0] not in found
            assert all(repr(found[stamp]) == repr(right[stamp]) for stamp in found)


# --- vectors ---------------------------------------------------------------------------------


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
        from tests.store.test_store import Store, ids
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


# --- several processes, killed processes, full disks -----------------------------------------

WRITER = """
    import sys
    from pathlib import Path
    from tests.store.test_store import D, Store, ids, vectors_of
    with Store(Path(sys.argv[1])) as store:
        for first in range(int(sys.argv[2]), int(sys.argv[3]), 10):
            names = ids(10, first)
            store.records.put_many("x", {name: "text of " + name for name in names})
            store.vectors("m", D).add(names, vectors_of(names))
            print(first, flush=True)
"""


def _check_what_is_there(folder: Path, done: Sequence[str], through: int) -> None:
    """All finished batches are whole, and nothing is wrong."""
    with Store(folder) as store:
        answers = store.records.get_many("x", ids(through))
        assert answers == {name: "text of " + name for name in answers}
        assert set(done) <= set(answers)
        names = ids(through)
        found, values = store.vectors("m", D).get(names)
        assert {n for n, there in zip(names, found, strict=True) if there} >= set(done)
        assert np.array_equal(values[found], rounded(vectors_of(names))[found])
        assert not store.problems


@pytest.mark.slow
def test_a_killed_writer_loses_at_most_the_batch_in_flight(tmp_path: Path) -> None:
    chance, deadline, kills = random.Random(1), time.monotonic() + 12, 0
    position = 0
    while time.monotonic() < deadline and kills < 8:
        writer = run_python(WRITER, tmp_path, position, 10**6)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chance.random() * 0.2)
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        position = max(map(int, [str(position), *rest.split()])) + 10
        kills += 1
        _check_what_is_there(tmp_path, ids(position), position + 40)
    assert kills >= 2
    with Store(tmp_path) as store:
        store.gc()
        _check_what_is_there(tmp_path, ids(position), position + 40)


@pytest.mark.slow
def test_two_processes_write_at_once(tmp_path: Path) -> None:
    writers = [run_python(WRITER, tmp_path, first, first + 300) for first in (0, 200)]
    for writer in writers:
        finished(writer)
    _check_what_is_there(tmp_path, ids(500), 500)


FULL = """
    import resource, sys
    from pathlib import Path
    from visdiff_local.errors import StoreError
    from tests.store.test_store import D, Store, ids, vectors_of
    with Store(Path(sys.argv[1])) as store:
        store.records.put_many("x", {ids(1)[0]: "small"})
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        try:
            if sys.argv[2] == "records":
                store.records.put_many("x", dict.fromkeys(ids(500, 1), "large" * 100))
            else:
                store.vectors("m", D).add(ids(2000), vectors_of(ids(2000)))
        except StoreError as error:
            print(error)
"""


@pytest.mark.parametrize("what", ["records", "vectors"])
def test_a_full_disk_is_a_named_error_and_nothing_half_written_is_believed(
    tmp_path: Path, what: str
) -> None:
    said = finished(run_python(FULL, tmp_path, what))
    assert str(tmp_path) in said
    assert "--store DIR" in said
    with Store(tmp_path) as store:
        assert store.records.get_many("x", ids(501)) == {ids(1)[0]: "small"}
        assert not store.vectors("m", D).get(ids(2000))[0].any()
        assert not store.problems
        assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_a_named_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="--store DIR"), Store(tmp_path / "store"):
        pass


def test_a_store_that_cannot_be_a_folder_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/store.*--store DIR"):
        Store(tmp_path / "file" / "store")
    (tmp_path / "answers.sqlite").mkdir()
    with pytest.raises(StoreError, match=r"answers.sqlite.*--store DIR"):
        Store(tmp_path).records.get_many("x", ids(1))


# --- the store as a whole --------------------------------------------------------------------


def test_where_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "named"))
    assert default_folder() == tmp_path / "named"
    monkeypatch.delenv("VISDIFF_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_folder().is_relative_to(tmp_path / "cache")


def test_the_store_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Store(tmp_path / "new" / "store") as store:
            store.records.put_many("x", {ids(1)[0]: "secret"})
            store.vectors("m", D).add(ids(2), vectors_of(ids(2)))
            for path in (store.folder, *store.folder.rglob("*")):
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    finally:
        os.umask(old)


def test_a_folder_of_other_things_keeps_its_mode_and_they_outlive_clear(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "mine.txt").touch()
    with Store(tmp_path) as store:
        store.records.put_many("x", {ids(1)[0]: "text"})
        store.vectors("m", D).add(ids(2), vectors_of(ids(2)))
        assert store.clear() > 0
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
        assert store.records.get_many("x", ids(1)) == {}
        assert not store.vectors("m", D).get(ids(2))[0].any()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def _age(store: Store, days: float, names: Sequence[str]) -> None:
    store._database.write(
        (
            "UPDATE answers SET used = used - ? WHERE key = ?",
            [(int(days * 86_400), bytes.fromhex(name)) for name in names],
        )
    )


def test_gc_forgets_what_was_not_used_for_long(store: Store) -> None:
    names = ids(20)
    store.records.put_many("x", dict.fromkeys(names, "text" * 1000))
    _age(store, 10, names[:15])
    store.records.get_many("x", names[:5])  # used again now
    for model in ("old", "new"):
        store.vectors(model, D).add(names, vectors_of(names))
    long_ago = time.time() - 10 * 86_400
    (folder,) = {p.parent for p in store.folder.rglob("*.json") if '"old"' in p.read_text()}
    (folder / "used").touch()
    os.utime(folder / "used", (long_ago, long_ago))
    assert store.gc(older_than_days=5) > 10 * 4000
    assert set(store.records.get_many("x", names)) == {*names[:5], *names[15:]}
    assert [info.fingerprint for info in store.info().vectors] == ["new"]


def test_gc_by_size_forgets_the_oldest_first(store: Store) -> None:
    names = ids(20)
    store.records.put_many("x", dict.fromkeys(names, "text" * 1000))
    for days, name in enumerate(names):
        _age(store, 100 - days, [name])
    store.gc(max_bytes=45_000)
    left = store._database.rows("SELECT key FROM answers")
    assert {row[0].hex() for row in left} == set(names[-10:])
    assert store.info().bytes < 100_000


def test_info_counts_what_is_there(store: Store) -> None:
    store.records.put_many("caption", dict.fromkeys(ids(3), "text"))
    store.records.put_many("p_yes", dict.fromkeys(ids(2, first=9), 0.5))
    store.vectors("m", D).add(ids(7), vectors_of(ids(7)))
    info = store.info()
    assert info.answers == {"caption": 3, "p_yes": 2}
    assert [(v.fingerprint, v.dimension, v.count) for v in info.vectors] == [("m", D, 7)]
    assert info.bytes > 0


# --- models behind the store -----------------------------------------------------------------


@dataclass
class Fake:
    """Answers by content, says what it was asked, and gives no answer about ``silent`` images."""

    fingerprint: str = "f"
    dimension: int = D
    silent: set[str] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)
    fails_after: int = 10**9

    def _count(self, count: int) -> None:
        self.asked.append(count)
        if sum(self.asked) > self.fails_after:
            raise KeyboardInterrupt

    def caption(self, images: Sequence[ImageRef], prompt: str) -> list[str]:
        self._count(len(images))
        return ["" if r.id in self.silent else f"caption of {r.id[:8]}" for r in images]

    def text_p_yes(self, prompts: Sequence[str]) -> FloatArray:
        self._count(len(prompts))
        return np.array([len(text) % 7 / 7 for text in prompts], dtype=np.float32)

    def p_yes(self, images: Sequence[ImageRef], questions: Sequence[str]) -> FloatArray:
        self._count(len(images) * len(questions))
        return np.array(
            [
                [
                    np.nan if ref.id in self.silent else int(ref.id[:6], 16) / 2**24 / len(question)
                    for question in questions
                ]
                for ref in images
            ],
            dtype=np.float32,
        )

    def describe(
        self, groups: Sequence[Sequence[ImageRef]], prompt: str, *, seed: int, grid: bool
    ) -> list[str]:
        self._count(len(groups))
        return [f"{[r.id[:4] for r in group]} {prompt} {seed} {grid}" for group in groups]

    def describe_difference(
        self, a: Sequence[ImageRef], b: Sequence[ImageRef], *, samples: int, seed: int
    ) -> list[str]:
        self._count(1)
        return [f"{len(a)} {len(b)} {seed} {n}" for n in range(samples)]

    def complete(self, prompts: Sequence[str], **options: object) -> list[str]:
        self._count(len(prompts))
        return [f"{prompt} {sorted(options.items())}" for prompt in prompts]

    def choose(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        self._count(len(prompts))
        rows = [[np.nan if "?" in p else 1 / len(options)] * len(options) for p in prompts]
        return np.array(rows, dtype=np.float32)

    def embed_images(self, images: Sequence[ImageRef]) -> FloatArray:
        self._count(len(images))
        vectors = vectors_of([ref.id for ref in images])
        vectors[[ref.id in self.silent for ref in images]] = np.nan
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        self._count(len(texts))
        return vectors_of([hashlib.sha256(text.encode()).hexdigest() for text in texts])


def _never() -> Fake:
    raise AssertionError("the model was opened")


def test_the_wrappers_have_the_protocols_of_what_they_wrap(store: Store) -> None:
    for wrapper, protocol in (
        (CachedCaptioner, Captioner),
        (CachedVisualQA, VisualQA),
        (CachedImageProposer, ImageProposer),
        (CachedFeatureProposer, FeatureProposer),
        (CachedTextModel, TextModel),
    ):
        assert isinstance(wrapper(_never, "f", store, Counter()), protocol)
    store.vectors("f", D).add(ids(1), vectors_of(ids(1)))
    assert isinstance(CachedEmbedder(_never, "f", store, Counter()), Embedder)


Ask = Callable[[Callable[[], Fake], Store, Counter], object]


def _ask_all(open_model: Callable[[], Fake], store: Store, calls: Counter) -> list[object]:
    some = refs(9)
    llm = CachedTextModel(open_model, "f", store, calls)
    embedder = CachedEmbedder(open_model, "f", store, calls)
    judge = CachedVisualQA(open_model, "f", store, calls)
    images = CachedImageProposer(open_model, "f", store, calls)
    features = CachedFeatureProposer(open_model, "f", store, calls)
    return [
        CachedCaptioner(open_model, "f", store, calls).caption(some, "p"),
        judge.p_yes(some, ["a dog?", "a cat?"]).tolist(),
        images.describe([some[:4], some[4:]], "p", seed=1, grid=True),
        features.describe_difference(some[:2], some[2:], samples=3, seed=0),
        llm.complete(["one", "two"], seed=3, temperature=0.7, grammar="g"),
        llm.choose(["one", "two"], ["0", "1", "2"]).tolist(),
        llm.text_p_yes(["one", "three"]).tolist(),
        embedder.embed_images(some).tolist(),
        embedder.embed_texts(["red", "blue"]).tolist(),
    ]


def test_the_second_time_no_model_is_opened_and_every_answer_is_the_same(tmp_path: Path) -> None:
    cold, warm = Counter(), Counter()
    with Store(tmp_path) as store:
        first = _ask_all(Fake, store, cold)
    with Store(tmp_path) as store:
        second = _ask_all(_never, store, warm)
    assert first == second
    assert (cold.computed, cold.from_store) == (9 + 18 + 2 + 1 + 2 + 2 + 2 + 9 + 2, 0)
    assert (warm.computed, warm.from_store) == (0, cold.computed)


def test_settings_and_fingerprints_make_other_questions(store: Store) -> None:
    fake, calls = Fake(), Counter()
    llm = CachedTextModel(lambda: fake, "f", store, calls)
    for options in ({}, {"seed": 1}, {"temperature": 0.5}, {"grammar": "g"}, {"max_tokens": 9}):
        llm.complete(["one"], **options)  # type: ignore[arg-type]
    llm.complete(["one"], temperature=0)
    images = CachedImageProposer(lambda: fake, "f", store, calls)
    for seed, grid, prompt in ((0, True, "p"), (1, True, "p"), (0, False, "p"), (0, True, "q")):
        images.describe([refs(2)], prompt, seed=seed, grid=grid)
    images.describe([refs(2)[::-1]], "p", seed=0, grid=True)
    assert (calls.computed, calls.from_store) == (10, 1)
    other = Fake(fingerprint="g")
    CachedTextModel(lambda: other, "g", store, calls).complete(["one"])
    assert calls.computed == 11


def test_equal_requests_are_computed_once_and_answered_in_place(store: Store) -> None:
    fake, calls = Fake(), Counter()
    some = [*refs(5), *refs(3)]
    captioner = CachedCaptioner(lambda: fake, "f", store, calls)
    assert captioner.caption(some, "p") == [f"caption of {ref.id[:8]}" for ref in some]
    assert (calls.computed, calls.from_store) == (5, 0)
    judge = CachedVisualQA(lambda: fake, "f", store, calls)
    questions = ["b", "aaa", "b"]
    assert np.array_equal(judge.p_yes(some, questions), fake.p_yes(some, questions))
    embedder = CachedEmbedder(lambda: fake, "f", store, calls)
    expected = rounded(vectors_of([ref.id for ref in some]))
    assert np.array_equal(embedder.embed_images(some), expected)
    assert captioner.caption([], "p") == []
    assert judge.p_yes([], ["x"]).shape == (0, 1)
    assert judge.p_yes(some, []).shape == (8, 0)
    assert embedder.embed_texts([]).shape == (0, D)


def test_only_the_missing_questions_are_asked_and_together(store: Store) -> None:
    fake, calls = Fake(), Counter()
    judge = CachedVisualQA(lambda: fake, "f", store, calls)
    judge.p_yes(refs(4), ["a"])
    fake.asked.clear()
    result = judge.p_yes(refs(10), ["a", "bb", "ccc"])
    assert np.array_equal(result, Fake().p_yes(refs(10), ["a", "bb", "ccc"]))
    assert sorted(fake.asked) == [8, 18]  # 4 images lack two answers, 6 lack three
    assert (calls.computed, calls.from_store) == (30, 4)


def test_what_is_no_answer_is_handed_on_and_never_stored(store: Store) -> None:
    silent = Fake(silent={ref.id for ref in refs(2)})
    calls = Counter()
    for model in (silent, silent, Fake()):

        def opened(model: Fake = model) -> Fake:
            return model

        captions = CachedCaptioner(opened, "f", store, calls).caption(refs(3), "p")
        answers = CachedVisualQA(opened, "f", store, calls).p_yes(refs(3), ["x"])
        chosen = CachedTextModel(opened, "f", store, calls).choose(["a", "b?"], ["0", "1"])
        embedded = CachedEmbedder(opened, "f", store, calls).embed_images(refs(3))
        missing = [0, 1] if model is silent else []
        assert [n for n, text in enumerate(captions) if not text] == missing
        assert np.flatnonzero(np.isnan(answers[:, 0])).tolist() == missing
        assert np.flatnonzero(np.isnan(embedded).any(axis=1)).tolist() == missing
        assert np.flatnonzero(np.isnan(chosen).any(axis=1)).tolist() == [1]
    assert calls.computed == (3 + 3 + 2 + 3) + 2 * (2 + 2 + 1 + 2)


def test_an_interrupted_run_keeps_its_finished_chunks(tmp_path: Path) -> None:
    images = refs(200)
    for ask in (
        lambda fake, store, calls: CachedCaptioner(fake, "f", store, calls).caption(images, "p"),
        lambda fake, store, calls: CachedEmbedder(fake, "f", store, calls).embed_images(images),
        lambda fake, store, calls: CachedVisualQA(fake, "f", store, calls).p_yes(images, ["x"]),
    ):
        interrupted, resumed = Counter(), Counter()
        fake = Fake(fails_after=100)
        with Store(tmp_path) as store, pytest.raises(KeyboardInterrupt):
            ask(lambda fake=fake: fake, store, interrupted)
        with Store(tmp_path) as store:
            ask(Fake, store, resumed)
        assert interrupted.computed == resumed.from_store >= 40
        assert resumed.from_store + resumed.computed == 200


def test_answers_are_not_stored_under_another_models_name(store: Store) -> None:
    captioner = CachedCaptioner(lambda: Fake(fingerprint="other"), "f", store, Counter())
    with pytest.raises(WeightsError, match="run the same command again"):
        captioner.caption(refs(1), "p")
    assert store.info().answers == {}


def test_images_that_were_not_read_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="no content id"):
        CachedCaptioner(Fake, "f", store, Counter()).caption(
            [ImageRef("", File(Path("x.png")))], "p"
        )


def test_importing_the_store_imports_no_faiss() -> None:
    code = "import visdiff_local.store.cached, sys; assert 'faiss' not in sys.modules"
    finished(run_python(code))


def test_the_database_is_in_write_ahead_mode(store: Store) -> None:
    store.records.put_many("x", {ids(1)[0]: "text"})
    other = sqlite3.connect(store.folder / "answers.sqlite")
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
