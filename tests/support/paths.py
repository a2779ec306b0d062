"""Where things are: the repository, the package, and what was put beside them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "visdiff_local"


def shared(name: str) -> Path:
    """A file or folder of data that does not ship with the repository; without it, a skip."""
    path = ROOT.parent / "shared" / name
    if not path.exists():
        pytest.skip(f"../shared/{name} is not there")
    return path
