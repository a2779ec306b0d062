"""What a benchmark runs on, and when a result that is already there may be used again."""

import hashlib
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol

from visdiff_local import __file__ as _package_file
from visdiff_local.bench.ledger import Json, Ledger, key_of
from visdiff_local.config import RunConfig
from visdiff_local.errors import VisdiffError
from visdiff_local.models.pool import ModelPool
from visdiff_local.protocols import ROLES
from visdiff_local.types import RunResult

_NO_MATTER = ("out", "store", "verify")
"""Options that say where things lie and change no result."""
_NOT_RESULTS = ("cli", "docs", "results", "serve")
"""Parts of the package that show results and do not make them."""


class Engine(Protocol):
    """Runs configurations one after the other; models stay open in between."""

    def run(self, config: RunConfig) -> RunResult: ...

    def pool(self, config: RunConfig) -> ModelPool:
        """The models that this configuration is run with."""
        ...


def run_once(
    engine: Engine,
    config: RunConfig,
    ledger: Ledger,
    record: Callable[[RunResult, float], Json],
) -> Json:
    """The record of this run: from the ledger, or made now from the result and its seconds.

    A record is used again as long as the configuration, the models and the program are the same.
    """
    options = {name: value for name, value in config.as_dict().items() if name not in _NO_MATTER}
    key = key_of(
        {"options": options, "models": _fingerprints(engine, config), "program": program_version()}
    )
    known = ledger.get(key)
    if known is None:
        began = time.monotonic()
        result = engine.run(config)
        known = record(result, time.monotonic() - began)
        ledger.add(key, known)
    return known


@cache
def program_version() -> str:
    """Changes with every part of the package that results depend on, its prompts included."""
    return _digest(Path(_package_file).parent, ("*.py", "*.txt"), _NOT_RESULTS)


@cache
def world_version() -> str:
    """Changes with the code that draws scenes, so that old pictures are not mixed in."""
    return _digest(Path(_package_file).parent / "bench" / "scenes", ("*.py",), ())


def _digest(folder: Path, patterns: tuple[str, ...], without: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in folder.rglob(pattern)):
        place = path.relative_to(folder)
        if place.parts[0] not in without:
            digest.update(place.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _fingerprints(engine: Engine, config: RunConfig) -> dict[str, str]:
    """Of every role; a model that cannot be had is told by the error it gives, and the run, if it
    needs that model, gives the same error to the user."""
    pool = engine.pool(config)
    found: dict[str, str] = {}
    for role in ROLES:
        try:
            found[role] = pool.handle(role).fingerprint
        except VisdiffError as error:
            found[role] = f"{type(error).__name__}: {error}"
    return found
