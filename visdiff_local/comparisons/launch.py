"""From options to a comparison: finds models, store and images, and carries it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from visdiff_local.comparisons import output, run
from visdiff_local.comparisons.outcome import Comparison
from visdiff_local.comparisons.plan import Asked
from visdiff_local.config import RunConfig
from visdiff_local.images import ImageSet
from visdiff_local.images.table import ImageTable
from visdiff_local.session import Launcher, image_sets, listing
from visdiff_local.system.progress import Progress, Silent


@dataclass(frozen=True)
class Compared:
    """What a comparison found, the table of its images, and JPEGs of its examples by id."""

    found: Comparison
    images: ImageTable
    thumbnails: Mapping[str, bytes]

    def write(self, folder: Path) -> Path:
        """Writes comparison.json, images.parquet, thumbnails and report.html."""
        return output.write(self.found, self.images, self.thumbnails, folder)


def launch(asked: Asked, config: RunConfig, progress: Progress | None = None) -> Compared:
    """One comparison, with everything that it opens closed again."""
    progress = progress or Silent()
    sides: tuple[ImageSet, ...]
    if asked.kind == "each":
        sides = image_sets(config)
    else:
        sides = (ImageSet.open(config.a, None, listing(config)),)
    with Launcher(keep_open=False) as launcher:
        pool, store = launcher.pool(config), launcher.store(config)
        pool.listener = progress.say
        kept: list[ImageTable] = []
        found = run.compare(asked, config, sides, pool, store, progress, kept.append)
        return Compared(found, kept[0], output.thumbnails(found, store, progress))
