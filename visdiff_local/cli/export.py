"""``export``: the images of a run, for a spreadsheet, a notebook, a labelling tool."""

from pathlib import Path

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
    """Write a run's images, captions, attributes and scores; or a comparison's.

    The table is one that `run` takes again: visdiff-local run x.csv --a a --b b. DIR is where
    imagefolder and fiftyone go; without it a folder called like the format.
    """
    from visdiff_local.comparisons import parts
    from visdiff_local.results.comparison import options_of
    from visdiff_local.results.export import Choice, export
    from visdiff_local.session import locating

    run = parts.ready(Path(run_dir).expanduser())
    choice = Choice(text, top, not no_paths, locating(options_of(run)))
    place = export(run, to, choice, Path(folder) if folder else None)
    terminal.out(place)
