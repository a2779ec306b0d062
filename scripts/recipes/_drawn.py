"""What the recipes share: a table of drawn pictures, or the user's own, handed to a command."""

import csv
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from visdiff_local.bench.scenes import world
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.cli.main import main

Row = tuple[world.Scene, dict[str, object]]
"""A picture, and the columns of its row."""
SETTINGS = ("beach", "forest", "desert", "meadow", "mountains")


def scene(rng: random.Random, kind: str, setting: str = "", **more: str) -> world.Scene:
    """One picture of that kind; all else is drawn at random."""
    place = setting or rng.choice(SETTINGS)
    return world.Scene(kind, rng.choice(world.COLOURS), place, rng.randrange(10**9), **more)


def run(draw: Callable[[random.Random], Sequence[Row]], *command: str) -> None:
    """``command`` on drawn pictures; or ``command[0]`` with what was typed behind the recipe, which
    begins with a table of your own. Ends the program with the command's exit code."""
    typed = sys.argv[1:]
    if typed and not typed[0].startswith("-"):
        raise SystemExit(main([command[0], *typed]))
    with tempfile.TemporaryDirectory() as made:
        table = write(Path(made), draw(random.Random(0)))
        given = [command[0], str(table), *command[1:], "--profile", "nano", *typed]
        raise SystemExit(main(given))


def write(folder: Path, rows: Sequence[Row]) -> Path:
    """The pictures, and table.csv with a column ``path``."""
    table = folder / "table.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["path", *rows[0][1]])
        writer.writeheader()
        for number, (picture, columns) in enumerate(rows):
            render(picture, size=96).image.save(folder / f"{number:04}.png")
            writer.writerow({"path": f"{number:04}.png", **columns})
    return table
