"""From options to a comparison: finds models, store and images, and carries it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from visdiff_local.comparisons import output, run
from visdiff_local.comparisons.outcome import Comparison, Text
from visdiff_local.comparisons.plan import Asked
from visdiff_local.config import RunConfig
from visdiff_local.images import ImageSet
from visdiff_local.images.table import ImageTable
from visdiff_local.session import Launcher, image_sets, listing
from visdiff_local.system.progress import Progress, Silent


@dataclass(frozen=True, repr=False, eq=False)
class Compared:
    """What a comparison found, the table of its images, and JPEGs of its examples by id."""

    found: Comparison
    images: ImageTable
    thumbnails: Mapping[str, bytes]

    @property
    def texts(self) -> tuple[Text, ...]:
        """Every text, confirmed ones first, each with its figures in every part."""
        return self.found.texts

    @property
    def confirmed(self) -> tuple[Text, ...]:
        """Those that hold; empty when no difference was found."""
        return self.found.confirmed

    def save(self, folder: str | Path) -> Path:
        """Writes comparison.json, images.parquet, thumbnails and report.html; returns the folder.

        Raises:
            UsageError: it cannot be written.
        """
        return output.write(self.found, self.images, self.thumbnails, Path(folder))

    def to_json(self) -> str:
        """``comparison.json`` as text."""
        return output.to_json(self.found)

    def __repr__(self) -> str:
        return repr(self.found)


def launch(
    asked: Asked,
    config: RunConfig,
    progress: Progress | None = None,
    table: ImageSet | None = None,
) -> Compared:
    """One comparison, with everything that it opens closed again.

    Args:
        table: the images themselves, in place of what ``config.a`` names; not for ``each``.
    """
    progress = progress or Silent()
    sides: tuple[ImageSet, ...]
    if asked.kind == "each":
        sides = image_sets(config)
    else:
        sides = (table or ImageSet.open(config.a, None, listing(config)),)
    with Launcher(keep_open=False) as launcher:
        pool, store = launcher.pool(config), launcher.store(config)
        pool.listener = progress.say
        kept: list[ImageTable] = []
        found = run.compare(asked, config, sides, pool, store, progress, kept.append)
        return Compared(found, kept[0], output.thumbnails(found, store, progress))
