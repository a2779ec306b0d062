"""From options to a comparison: finds models, store and images, and carries it out."""

from collections.abc import Sequence

from visdiff_local.comparisons import output, run
from visdiff_local.comparisons.comparison import Comparison
from visdiff_local.comparisons.plan import Asked
from visdiff_local.config import RunConfig
from visdiff_local.images import ImageSet
from visdiff_local.images.table import ImageTable
from visdiff_local.session import Launcher, image_sets, listing
from visdiff_local.system.progress import SILENT, Progress
from visdiff_local.types import ImageRef


def launch(
    asked: Asked,
    config: RunConfig,
    progress: Progress | None = None,
    table: ImageSet | None = None,
) -> Comparison:
    """One comparison, with everything that it opens closed again.

    Args:
        table: the images themselves, in place of what ``config.a`` names; not for ``each``.
    """
    progress = progress or SILENT
    sides: tuple[ImageSet, ...]
    if asked.kind == "each":
        sides = image_sets(config)
    else:
        sides = (table or ImageSet.open(config.a, None, listing(config)),)
    with Launcher(keep_open=False) as launcher:
        pool, store = launcher.pool(config), launcher.store(config)
        pool.listener = progress.say
        kept: list[tuple[ImageTable, Sequence[ImageRef]]] = []
        found = run.compare(
            asked, config, sides, pool, store, progress, lambda *both: kept.append(both)
        )
        pictures = output.thumbnails(found, *kept[0], store, progress)
        return Comparison(found, pictures, kept[0][0])
