"""Pools of tiny checkpoints, as fixtures."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.backend_cases import folder_of, images, spec_of
from tests.support.pools import NAMES, PROFILE, Pools, Told
from visdiff_local.models import registry
from visdiff_local.models.pool import ModelPool
from visdiff_local.models.specs import Fit, Registry


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> Iterator[Callable[..., ModelPool]]:
    """Makes pools of the tiny checkpoints, on a machine that seems to have a GPU."""
    monkeypatch.setattr(registry, "gpu_present", lambda: True)
    for name in NAMES:
        (tmp_path / name).symlink_to(folder_of(name))
    known = Registry(models={n: spec_of(n) for n in NAMES}, profiles={"tiny": PROFILE})
    made: list[ModelPool] = []

    def make(fits: dict[str, Fit], **options: Any) -> ModelPool:
        made.append(
            ModelPool(known, PROFILE, tmp_path, planner=lambda: fits, listener=told.say, **options)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def wanted(pool: Pools) -> np.ndarray[Any, Any]:
    """The embeddings as they are without a fault; its self-test is passed then, too."""
    found = pool({}).handle("embedder").open().embed_images(images())
    return np.asarray(found)
