"""``store``: what was computed, looked at, searched, brought in, taken away, pruned."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from visdiff_local.cli.options import MODELS, STORE, Listed, given, with_options
from visdiff_local.system import terminal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_MIB = 1 << 20
_LONGEST_QUERY = 2000
_JSON = (click.option("--json", "as_json", is_flag=True, help="On stdout, as JSON."),)
_QUIET = (click.option("--quiet", is_flag=True, help="No progress."),)


@click.group(cls=Listed)
def store() -> None:
    """Inspect, search, fill and prune the store."""


@store.command()
@click.option("--checksum", is_flag=True, help="One number over all that it holds.")
@with_options(_JSON, _QUIET, STORE)
def info(checksum: bool, as_json: bool, quiet: bool, store: str | None) -> None:
    """Counts and sizes."""
    from visdiff_local.session import Launcher
    from visdiff_local.store import content
    from visdiff_local.system import progress

    with progress.shown(quiet=quiet or as_json) as shown, Launcher() as launcher:
        place = launcher.store_at(store)
        known = place.info()
        total = content.checksum(place, shown) if checksum else None
    if as_json:
        vectors = [
            {"fingerprint": v.fingerprint, "dimension": v.dimension, "count": v.count,
             "bytes": v.bytes}
            for v in known.vectors
        ]  # fmt: skip
        found = {"folder": str(known.folder), "bytes": known.bytes, "files": known.files}
        sums = {} if total is None else {"checksum": total}
        terminal.out_json({**found, "answers": known.answers, "embeddings": vectors, **sums})
        return
    terminal.out(f"{known.folder}: {known.bytes / _MIB:.1f} MiB")
    terminal.out(f"files known: {known.files}")
    for task, count in known.answers.items():
        terminal.out(f"{task}: {count}")
    for vectors_of in known.vectors:
        size = f"{vectors_of.bytes / _MIB:.1f} MiB"
        model, _, of_what = vectors_of.fingerprint.partition(" ")
        terminal.out(
            f"embeddings of {of_what or 'images'} by {model[:16]}: "
            f"{vectors_of.count} × {vectors_of.dimension}, {size}"
        )
    if total is not None:
        terminal.out(f"checksum: {total}")


@store.command()
@click.argument("query", metavar="TEXT | IMAGE")
@click.option("-k", type=click.IntRange(1), default=10, help="How many.  [10]")
@with_options(_JSON, MODELS, STORE)
def search(query: str, k: int, as_json: bool, **options: Any) -> None:
    """The embedded images that are most like a text, or like an image file."""
    from visdiff_local.session import Launcher, configured

    config = configured(a="", b="", **given(options))
    with Launcher() as launcher:
        embedder = launcher.roles(config).embedder
        vectors = launcher.store(config).vectors(embedder.fingerprint, embedder.dimension)
        found = vectors.nearest(_embedded(query, embedder), k)[0]
        paths = launcher.store(config).files.paths([identity for identity, _ in found])
    if as_json:
        terminal.out_json(
            [{"id": i, "path": paths.get(i), "score": round(score, 6)} for i, score in found]
        )
        return
    if not found:
        terminal.note("no image is embedded by this model yet; type: visdiff-local prepare SET")
    for identity, score in found:
        terminal.out(f"{score:.3f}  {paths.get(identity, identity)}")


@store.command()
@click.option("--threshold", type=float, default=0.97, help="Cosine from which.  [0.97]")
@click.argument("sets", nargs=-1, metavar="[SET]…")
@with_options(_JSON, _QUIET, MODELS, STORE)
def duplicates(
    threshold: float, sets: tuple[str, ...], as_json: bool, quiet: bool, **options: Any
) -> None:
    """Groups of embedded images that are nearly the same; of these sets alone, where named."""
    from visdiff_local.session import Launcher, configured
    from visdiff_local.store.duplicates import groups
    from visdiff_local.system import progress

    config = configured(a="", b="", **given(options))
    with progress.shown(quiet=quiet or as_json) as shown, Launcher() as launcher:
        place = launcher.store(config)
        embedder = launcher.roles(config).embedder
        among = _ids(sets, place) if sets else None
        vectors = place.vectors(embedder.fingerprint, embedder.dimension)
        found = groups(vectors, threshold, among, shown)
        paths = place.files.paths([id_ for group in found for id_ in group.ids])
    if as_json:
        terminal.out_json(
            [
                {
                    "lowest": round(group.lowest, 6),
                    "images": [{"id": id_, "path": paths.get(id_)} for id_ in group.ids],
                }
                for group in found
            ]
        )
        return
    for group in found:
        terminal.out(f"{len(group.ids)} images, cosine {group.lowest:.3f} or more:")
        for id_ in group.ids:
            terminal.out(f"  {paths.get(id_, id_)}")
    if not found:
        terminal.note(f"no two images are as alike as {threshold:g}")


@store.command()
@click.argument("parts", nargs=-1, required=True, metavar="PARTS…")
@with_options(_JSON, _QUIET, STORE)
def merge(parts: tuple[str, ...], as_json: bool, quiet: bool, store: str | None) -> None:
    """Take in the parts that prepare --to wrote, here or elsewhere.

    PARTS are files, or folders of them. May run beside a run, and again.
    """
    from visdiff_local.session import Launcher
    from visdiff_local.store.merge import merge as merge_parts
    from visdiff_local.system import progress

    places = [Path(part).expanduser() for part in parts]
    with progress.shown(quiet=quiet or as_json) as shown, Launcher() as launcher:
        shown.start("merge", 0)
        merged = merge_parts(launcher.store_at(store), places, shown.advance)
        shown.finish()
    if as_json:
        terminal.out_json(
            {
                "parts": merged.parts,
                "rows": merged.rows,
                "statuses": merged.statuses,
                "reasons": merged.reasons,
            }
        )
        return
    counts = ", ".join(f"{count} {status}" for status, count in sorted(merged.statuses.items()))
    terminal.out(f"{merged.rows} images of {merged.parts} parts: {counts or 'nothing in them'}")
    for reason in merged.reasons:
        terminal.note(f"  {reason}")


@store.command("import")
@click.argument("source", metavar="FILE | DIR")
@click.option("--as", "name", required=True, metavar="NAME", help="What it is called from now on.")
@click.option("--images", metavar="DIR", help="What its paths are relative to.")
@with_options(_JSON, _QUIET, STORE)
def import_(
    source: str, name: str, images: str | None, as_json: bool, quiet: bool, store: str | None
) -> None:
    """Take in vectors and captions that others computed, under a name.

    A Parquet table; .npy with a list of images of the same name beside it; or a folder as
    clip-retrieval writes it. They are never mixed with computed ones.
    """
    from visdiff_local.session import Launcher
    from visdiff_local.store.importing import take_in
    from visdiff_local.system import progress

    below = None if images is None else Path(images).expanduser()
    with progress.shown(quiet=quiet or as_json) as shown, Launcher() as launcher:
        shown.start("import", 0)
        path = Path(source).expanduser()
        done = take_in(launcher.store_at(store), path, name, images=below, tell=shown.advance)
        shown.finish()
    if as_json:
        terminal.out_json(vars(done))
        return
    terminal.out(
        f"{done.name}: {done.vectors} vectors and {done.captions} captions of {done.rows} rows "
        f"(fingerprint {done.fingerprint[:16]})"
    )
    if done.left_out:
        terminal.note(f"{done.left_out} rows were left out:")
    for line in done.skipped[:5]:
        terminal.note(f"  {line}")


@store.command()
@click.argument("folder", metavar="DIR")
@with_options(_JSON, _QUIET, MODELS, STORE)
def export(folder: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Write the embeddings as clip-retrieval has them: img_emb and metadata."""
    from visdiff_local.session import Launcher, configured
    from visdiff_local.store.ready_made import write_out
    from visdiff_local.system import progress

    config = configured(a="", b="", **given(options))
    with progress.shown(quiet=quiet or as_json) as shown, Launcher() as launcher:
        fingerprint = launcher.roles(config).embedder.fingerprint
        count = write_out(launcher.store(config), fingerprint, Path(folder).expanduser(), shown)
    if as_json:
        terminal.out_json({"folder": folder, "vectors": count})
    else:
        terminal.out(f"{count} vectors in {folder}")


@store.command()
@click.option("--older-than", "days", type=float, metavar="DAYS", help="Not used for so long.")
@click.option("--max-gib", type=float, help="Then the oldest, until the rest is so small.")
@click.option("--all", "everything", is_flag=True, help="Everything, from the disk too.")
@with_options(_JSON, _QUIET, STORE)
def gc(
    days: float | None,
    max_gib: float | None,
    everything: bool,
    as_json: bool,
    quiet: bool,
    store: str | None,
) -> None:
    """Forget what has not been used for long; tidy and compact the rest."""
    from visdiff_local.session import Launcher
    from visdiff_local.system import progress

    with progress.shown(quiet=quiet or as_json) as shown, Launcher() as launcher:
        place = launcher.store_at(store)
        if everything:
            freed = place.clear()
        else:
            limit = None if max_gib is None else int(max_gib * (1 << 30))
            freed = place.gc(older_than_days=days, max_bytes=limit, progress=shown)
    if as_json:
        terminal.out_json({"folder": str(place.folder), "freed_bytes": freed})
    else:
        terminal.out(f"{freed / _MIB:.1f} MiB freed in {place.folder}")


def _embedded(query: str, embedder: Any) -> "npt.NDArray[np.float32]":
    from visdiff_local.errors import UsageError
    from visdiff_local.images import ImageSet, read_set
    from visdiff_local.measure import measure

    if len(query) > _LONGEST_QUERY:
        raise UsageError(f"a text to search for has up to {_LONGEST_QUERY:,} characters")
    try:
        is_file = Path(query).is_file()
    except (OSError, ValueError):  # longer than a name may be: it is a text then
        is_file = False
    if not is_file:
        return embedder.embed_texts([query])  # type: ignore[no-any-return]
    images = read_set(ImageSet.open(query), measure=measure, version="search").images.images
    return embedder.embed_images(images)  # type: ignore[no-any-return]


def _ids(sets: tuple[str, ...], place: Any) -> set[str]:
    from visdiff_local.images import ImageSet, read_set
    from visdiff_local.measure import measure
    from visdiff_local.pipeline.read import MEASURE_VERSION

    read = (
        read_set(
            ImageSet.open(one), measure=measure, version=MEASURE_VERSION, memory=place.files
        ).images.images
        for one in sets
    )
    return {ref.id for images in read for ref in images}
