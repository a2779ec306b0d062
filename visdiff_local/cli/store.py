"""``index``: the store of answers and embeddings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from visdiff_local.cli.options import MODELS, STORE, given, with_options
from visdiff_local.system import terminal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


_MIB = 1 << 20
_ROWS_AT_ONCE = 4096
"""Images whose near-duplicates are looked for together."""


@click.group()
def index() -> None:
    """The store: what it holds, what is like what, and what may go."""


@index.command()
@with_options(STORE)
def info(store: str | None) -> None:
    """Counts and sizes."""
    from visdiff_local.session import Launcher

    with Launcher() as launcher:
        known = launcher.store_at(store).info()
    terminal.out(f"{known.folder}: {known.bytes / _MIB:.1f} MiB")
    terminal.out(f"files known: {known.files}")
    for task, count in known.answers.items():
        terminal.out(f"{task}: {count}")
    for vectors in known.vectors:
        size = f"{vectors.bytes / _MIB:.1f} MiB"
        terminal.out(
            f"embeddings of {vectors.fingerprint[:16]}: "
            f"{vectors.count} × {vectors.dimension}, {size}"
        )


@index.command()
@click.argument("query", metavar="TEXT | IMAGE")
@click.option("-k", type=click.IntRange(1), default=10, help="How many.  [10]")
@with_options(MODELS, STORE)
def search(query: str, k: int, **options: Any) -> None:
    """The embedded images that are most like a text, or like an image file."""
    from visdiff_local.session import Launcher, configured

    config = configured(a="", b="", **given(options))
    with Launcher() as launcher:
        embedder = launcher.roles(config).embedder
        vectors = launcher.store(config).vectors(embedder.fingerprint, embedder.dimension)
        found = vectors.nearest(_embedded(query, embedder), k)[0]
        paths = launcher.store(config).files.paths([identity for identity, _ in found])
    if not found:
        terminal.note("no image is embedded by this model yet: run visdiff-local run A B")
    for identity, score in found:
        terminal.out(f"{score:.3f}  {paths.get(identity, identity)}")


@index.command()
@click.option("--threshold", type=float, default=0.97, help="Cosine from which.  [0.97]")
@with_options(MODELS, STORE)
def duplicates(threshold: float, **options: Any) -> None:
    """Pairs of embedded images that are nearly the same."""
    import numpy as np

    from visdiff_local.session import Launcher, configured

    config = configured(a="", b="", **given(options))
    with Launcher() as launcher:
        embedder = launcher.roles(config).embedder
        vectors = launcher.store(config).vectors(embedder.fingerprint, embedder.dimension)
        ids, matrix = vectors.matrix()
        files = launcher.store(config).files
        pairs = []
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            close = vectors.within(np.asarray(matrix[part], dtype=np.float32), threshold)
            pairs += [
                (one, other, score)
                for one, near in zip(ids[part], close, strict=True)
                for other, score in near
                if one < other
            ]
        paths = files.paths(sorted({identity for pair in pairs for identity in pair[:2]}))
    for one, other, score in sorted(pairs, key=lambda pair: -pair[2]):
        terminal.out(f"{score:.3f}  {paths.get(one, one)}  {paths.get(other, other)}")


@index.command()
@click.option("--older-than", "days", type=float, metavar="DAYS", help="Not used for so long.")
@click.option("--max-gib", type=float, help="Then the oldest, until the rest is so small.")
@click.option("--all", "everything", is_flag=True, help="Everything, from the disk too.")
@with_options(STORE)
def gc(days: float | None, max_gib: float | None, everything: bool, store: str | None) -> None:
    """Forget what has not been used for long; tidy and compact the rest."""
    from visdiff_local.session import Launcher

    with Launcher() as launcher:
        place = launcher.store_at(store)
        if everything:
            freed = place.clear()
        else:
            limit = None if max_gib is None else int(max_gib * (1 << 30))
            freed = place.gc(older_than_days=days, max_bytes=limit)
    terminal.out(f"{freed / _MIB:.1f} MiB freed in {place.folder}")


def _embedded(query: str, embedder: Any) -> "npt.NDArray[np.float32]":
    from visdiff_local.images import ImageSet, read_set
    from visdiff_local.measure import measure

    if not Path(query).is_file():
        return embedder.embed_texts([query])  # type: ignore[no-any-return]
    images = read_set(ImageSet.open(query), measure=measure, version="search").images.images
    return embedder.embed_images(images)  # type: ignore[no-any-return]
