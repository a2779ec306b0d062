"""Checkpoints that are damaged on purpose."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.backend_cases import handle
from visdiff_local.errors import (
    SelfTestError,
    VisdiffError,
)


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_tensors(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def opening_fails(
    name: str, folder: Path, match: str, error: type[VisdiffError] = SelfTestError
) -> None:
    with pytest.raises(error, match=match):
        handle(name, folder).open()
