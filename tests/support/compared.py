"""Tables of coloured squares, compared end to end by models that know colours."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local.cli.main import main
from visdiff_local.models import registry

Row = tuple[str, dict[str, str]]
"""A colour and the columns of its row."""


def table(folder: Path, rows: Sequence[Row]) -> Path:
    draw(folder / "pictures", [colour for colour, _ in rows], seed=3)
    columns = list(rows[0][1])
    lines = [",".join(["path", *columns])]
    lines += [
        ",".join([f"pictures/{i:03d}.png", *(row[column] for column in columns)])
        for i, (_, row) in enumerate(rows)
    ]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    (folder / "models.toml").write_text(colours.MODELS_TOML)
    return folder / "table.csv"


def compare(source: Path, *options: str) -> dict[str, Any]:
    folder = source.parent
    given = ["--profile", "colours", "--models-file", str(folder / "models.toml"), "--quiet"]
    given += ["--store", str(folder / "store"), "--out", str(folder / "out")]
    assert main(["compare", str(source), *options, *given]) == 0
    content: dict[str, Any] = json.loads((folder / "out" / "comparison.json").read_text())
    return content


def confirmed(content: dict[str, Any]) -> dict[str, str]:
    """Direction by text."""
    return {t["text"]: t["direction"] for t in content["texts"] if t["verdict"] == "confirmed"}


def cameras(folder: Path) -> Path:
    """Camera 2 is red, the others blue and green by halves."""
    return table(
        folder,
        [
            (
                "red" if camera == 2 else ("blue", "green")[i % 2],
                {"camera": f"camera {camera}", "same": "1", "none": ""},
            )
            for camera in (1, 2, 3)
            for i in range(30)
        ],
    )


def refused(source: Path, *options: str) -> int:
    """The exit code of a command that is not to get far."""
    folder = source.parent
    given = ["--profile", "colours", "--models-file", str(folder / "models.toml"), "--quiet"]
    given += ["--store", str(folder / "store"), "--out", str(folder / "out")]
    return main(["compare", str(source), *options, *given])


@contextmanager
def colour_models() -> Iterator[None]:
    """The colours' backend stands for the fake one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
        Colours.reset()
        yield
        Colours.reset()
