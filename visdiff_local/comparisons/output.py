"""The folder of a comparison: ``comparison.json``, images.parquet, thumbnails, report.html."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from visdiff_local.comparisons import parts
from visdiff_local.errors import UsageError
from visdiff_local.images.table import ImageTable
from visdiff_local.results import comparison, scores
from visdiff_local.results import folder as run_folder
from visdiff_local.results.report import write_report
from visdiff_local.results.report.comparison import pictured
from visdiff_local.store import Store
from visdiff_local.system import run_folders
from visdiff_local.system.files import write_whole
from visdiff_local.system.progress import Progress
from visdiff_local.types import Example, ImageRef
from visdiff_local.types.comparison import ComparisonResult

EAGER = 50_000
"""Images of all parts together, up to which each part is written as a run at once."""
PICTURED = 40
"""Parts whose confirmed texts have pictures of their own, the first of those that have any."""


def write(
    found: ComparisonResult, images: ImageTable, thumbnails: Mapping[str, bytes], folder: Path
) -> Path:
    """Writes the whole folder; raises :class:`UsageError` where it cannot be written.

    Parts are written as runs while they are few and small; others when one is first opened.
    """
    try:
        run_folders.ensure(folder)
        parts.clear(folder)
        pictures = folder / run_folder.THUMBNAILS
        pictures.mkdir(mode=0o700, exist_ok=True)
        for identity, jpeg in thumbnails.items():
            write_whole(pictures / f"{identity}.jpg", jpeg, durable=False)
        for stale in pictures.glob("*.jpg"):
            if stale.stem not in thumbnails:
                stale.unlink()
        scores.write(images, folder / scores.NAME)
        (folder / "run.json").unlink(missing_ok=True)
        write_whole(folder / comparison.NAME, comparison.to_json(found).encode())
        write_report(folder)
        if sum(part.n_a + part.n_b for part in found.comparisons) <= EAGER:
            for part in found.comparisons:
                parts.write(found, images, part.name, folder)
    except OSError as error:
        raise UsageError(
            f"the run folder {folder} cannot be written ({error}); name another with --out"
        ) from error
    return folder


def thumbnails(
    found: ComparisonResult,
    images: ImageTable,
    refs: Sequence[ImageRef],
    store: Store,
    progress: Progress,
) -> dict[str, bytes]:
    """JPEGs by image id of what the report shows, and the parts of what is confirmed in them."""
    return run_folder.thumbnails_of(_shown(found, images, refs), store, progress)


def _shown(
    found: ComparisonResult, images: ImageTable, refs: Sequence[ImageRef]
) -> Iterator[Example]:
    yield from pictured(found)
    by_id = {ref.id: ref for ref in refs}
    for part in [part for part in found.comparisons if part.confirmed][:PICTURED]:
        for example in parts.shown(found, images, part.name):
            yield replace(example, source=by_id[example.id])
