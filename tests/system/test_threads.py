"""Cores that other work takes are left to it."""

import os

import pytest

from visdiff_local.system import threads


@pytest.mark.parametrize(
    ("load", "own", "wanted"),
    [(0.0, 0.0, 4), (2.1, 0.0, 3), (8.0, 0.0, 1), (2.0, 2.0, 4), (30.0, 0.0, 1)],
)
def test_cores_in_use_by_others_are_not_counted(
    load: float, own: float, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of a machine's eight are ours."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(threads, "_BEGAN", 0.0)
    monkeypatch.setattr(threads.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(threads.time, "process_time", lambda: 100.0 * own)
    assert threads.free_cores() == wanted


def test_without_a_load_all_cores_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> None:
        raise OSError

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "getloadavg", unknown)
    assert threads.free_cores() == 2
