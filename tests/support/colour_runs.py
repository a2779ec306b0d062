"""Runs of the command on a backend that sees colours."""

import json
from pathlib import Path
from typing import Any

from visdiff_local.cli.main import main

RED_AND_BLUE = (["red"] * 9 + ["blue"]) * 3, (["blue"] * 9 + ["red"]) * 3


def run(place: Path, *options: str, command: str = "run", code: int = 0) -> Path:
    """Runs the command on a and b, or what ``options`` begin with; the run folder."""
    given = ["--profile", "colours", "--models", str(place / "models.toml")]
    given += ["--store", str(place / "store"), "--out", str(place / "out"), "--quiet"]
    sources = [] if options and not options[0].startswith("-") else [f"{place}/a", f"{place}/b"]
    assert main([command, *given, *sources, *options]) == code
    return place / "out"


def loaded(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "run.json").read_text())
    return content


def best(content: dict[str, Any], direction: str) -> dict[str, Any]:
    found: dict[str, Any] = next(d for d in content["differences"] if d["direction"] == direction)
    return found


def computed(content: dict[str, Any]) -> int:
    return sum(calls["computed"] for calls in content["calls"].values())
