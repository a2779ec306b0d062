"""What holds for every test: how hypothesis draws, where caches go, what is said of skips."""

import os
import shutil
import tempfile
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

_KEPT = pytest.StashKey[str]()

# A machine that is busy with other work is slow, and that is no fault of the code: no example has a
# deadline. In CI the same examples are drawn every time.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure(config: pytest.Config) -> None:
    """The tests remember nothing in the user's own home: checksums, self-tests, the store. An error
    that nobody foresaw is raised, not said.

    One cache folder a session; xdist's workers inherit it.
    """
    os.environ["VISDIFF_TRACEBACK"] = "1"
    if not hasattr(config, "workerinput"):
        config.stash[_KEPT] = tempfile.mkdtemp(prefix="visdiff-tests-cache-")
        os.environ["XDG_CACHE_HOME"] = config.stash[_KEPT]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _KEPT in config.stash:
        shutil.rmtree(config.stash[_KEPT], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Skipped tests by what they lack, above pytest's last line."""
    lacking = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
    )
    if lacking or os.environ.get("CI"):
        terminalreporter.section("not tested here")
    for reason, count in lacking.most_common():
        terminalreporter.line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")
    if not lacking and os.environ.get("CI"):
        terminalreporter.line("nothing: no test was skipped")
