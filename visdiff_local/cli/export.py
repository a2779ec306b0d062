"""``export``: the images of a run, for a spreadsheet, a notebook, a labelling tool."""

from pathlib import Path
from typing import Any

import click

from visdiff_local.system import terminal


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path())
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path())
@click.option(
    "--to",
    required=True,
    metavar="FORMAT",
    help="FILE.csv, FILE.parquet, coco.json, imagefolder or fiftyone.",
)
@click.option("--text", metavar="TEXT", help="Only this text's scores, best first.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="So many of them.")
@click.option("--no-paths", is_flag=True, help="Nothing that names a file or a folder.")
def export(
    run_dir: str, folder: str | None, to: str, text: str | None, top: int | None, no_paths: bool
) -> None:
    """Write a run's images, captions, attributes and scores.

    The table is one that `run` takes again: visdiff-local run x.csv --a a --b b. DIR is where
    imagefolder and fiftyone go; without it a folder called like the format.
    """
    from visdiff_local.results.export import Choice, export

    choice = Choice(text, top, not no_paths, _locate(Path(run_dir)))
    place = export(Path(run_dir), to, choice, Path(folder) if folder else None)
    terminal.out(place)


def _locate(run_dir: Path) -> Any:
    """Finds members of archives and the like by what the run was made of."""
    from visdiff_local.results import serialize
    from visdiff_local.session import locating

    known = (run_dir / "run.json").is_file()
    return locating(serialize.load(run_dir).run.config if known else {})
