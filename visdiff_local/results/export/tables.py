"""A table that ``run`` takes again: ``path``, ``group_name``, and everything that is known."""

from pathlib import Path
from typing import Any

from visdiff_local.results.export.rows import Choice, Rows
from visdiff_local.system import spreadsheets
from visdiff_local.system.files import replaced


def write_csv(run_dir: Path, place: Path, choice: Choice) -> None:
    """CSV; with tabs where the name ends in .tsv. An empty cell: not known."""
    mark = "\t" if place.suffix.lower() == ".tsv" else ","
    _write(run_dir, place, choice, lambda s, schema: spreadsheets.writing(s, schema, mark))


def write_parquet(run_dir: Path, place: Path, choice: Choice) -> None:
    """Parquet, with the types of ``images.parquet``."""
    from pyarrow import parquet

    _write(run_dir, place, choice, parquet.ParquetWriter)


def _write(run_dir: Path, place: Path, choice: Choice, opened: Any) -> None:
    batches = Rows(run_dir, choice).batches()
    first = next(batches)
    with replaced(place) as stream, opened(stream, first.schema) as writer:
        writer.write_table(first)
        for table in batches:
            writer.write_table(table)
