"""The store under several processes, killed processes and full disks."""

import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.stored import D, finished, ids, run_python, vectors_of
from visdiff_local.errors import StoreError
from visdiff_local.store import Store
from visdiff_local.store.vectors import rounded

WRITER = """
    import sys
    from pathlib import Path
    from tests.support.stored import D, ids, vectors_of
    from visdiff_local.store import Store
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
    from tests.support.stored import D, ids, vectors_of
    from visdiff_local.store import Store
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
