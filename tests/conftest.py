"""The tests remember nothing in the user's own home: checksums, self-tests, speeds, the store."""

import os
import shutil
import tempfile

import pytest

_KEPT = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """One cache folder a session; xdist's workers inherit it."""
    if not hasattr(config, "workerinput"):
        config.stash[_KEPT] = tempfile.mkdtemp(prefix="visdiff-tests-cache-")
        os.environ["XDG_CACHE_HOME"] = config.stash[_KEPT]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _KEPT in config.stash:
        shutil.rmtree(config.stash[_KEPT], ignore_errors=True)
