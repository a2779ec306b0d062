"""The folder of a run: ``run.json``, ``images.parquet``, ``thumbnails/``, ``report.html``; private
to the user.

The report is drawn from ``run.json`` and the thumbnails alone, on any machine, at any time. Every
file is written beside its place and moved into it, ``run.json`` before the report and after the
thumbnails: a folder that has a ``run.json`` is complete.
"""

import base64
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from visdiff_local.errors import UsageError
from visdiff_local.images import UnreadableImageError, decode
from visdiff_local.images.table import ImageTable
from visdiff_local.results import scores, serialize
from visdiff_local.results.report import SHARED, write_report
from visdiff_local.store import Store, keys
from visdiff_local.system import run_folders, spreadsheets
from visdiff_local.system.files import write_whole
from visdiff_local.system.progress import Progress
from visdiff_local.types import Example, ImageRef, RunResult

THUMBNAILS = "thumbnails"
SKIPPED = "skipped.csv"
"""Which files were not used, and why."""
SIDE = 224
"""Pixels of a thumbnail's longer side."""
QUALITY = 80
_KIND = f"pixels-jpeg-{SIDE}-{QUALITY}"


def write(
    result: RunResult,
    thumbnails: Mapping[str, bytes],
    folder: Path,
    images: ImageTable | None = None,
) -> Path:
    """Writes the whole folder; raises :class:`UsageError` where it cannot be written."""
    try:
        run_folders.ensure(folder)
        pictures = folder / THUMBNAILS
        pictures.mkdir(mode=0o700, exist_ok=True)
        for identity, jpeg in thumbnails.items():
            write_whole(pictures / f"{identity}.jpg", jpeg, durable=False)
        if images is not None:
            scores.write(images, folder / scores.NAME)
        write_whole(folder / SKIPPED, _skipped(result))
        (folder / "comparison.json").unlink(missing_ok=True)
        write_whole(folder / "run.json", serialize.to_json(result).encode())
        write_report(folder)
        _clean(folder, thumbnails)
    except OSError as error:
        raise UsageError(
            f"the run folder {folder} cannot be written ({error}); name another with --out"
        ) from error
    return folder


def _skipped(result: RunResult) -> bytes:
    """Every file that was not used, with its set and the reason; and the counts of the others."""
    text = io.StringIO(newline="")
    rows: list[tuple[object, ...]] = [("set", "count", "path", "reason")]
    for letter, side in (("a", result.a), ("b", result.b)):
        rows += [(letter, 1, one.path, one.reason) for one in side.skipped]
        rows += [(letter, count, "", reason) for reason, count in side.left_out.items()]
        if side.ignored:
            rows.append((letter, side.ignored, "", "not images"))
    spreadsheets.write_rows(text, rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _clean(folder: Path, thumbnails: Mapping[str, bytes]) -> None:
    """Takes away what a run before left: pictures of other sets, and reports of other results.

    What the user added (labels, notes) stays: it is kept by image and by text.
    """
    for path in (folder / THUMBNAILS).glob("*.jpg"):
        if path.stem not in thumbnails:
            path.unlink()
    (folder / SHARED).unlink(missing_ok=True)


def thumbnails(result: RunResult, store: Store, progress: Progress) -> dict[str, bytes]:
    """JPEGs by image id of all images that the result shows; read from the store where it can."""
    return thumbnails_of(_shown(result), store, progress)


def thumbnails_of(
    examples: Iterable[Example], store: Store, progress: Progress
) -> dict[str, bytes]:
    """JPEGs by image id of these images; read from the store where it can."""
    shown = {example.id: example.source for example in examples}
    names = {identity: _key(identity, ref) for identity, ref in shown.items()}
    known = store.records.get_many("thumbnail", list(names.values()))
    found = {
        identity: base64.b64decode(str(known[name]))
        for identity, name in names.items()
        if name in known
    }
    missing = {identity: ref for identity, ref in shown.items() if ref and identity not in found}
    if not missing:
        return found
    progress.start("thumbnails", len(missing))
    drawn = {}
    for identity, ref in missing.items():
        try:
            drawn[identity] = _thumbnail(ref)
        except UnreadableImageError:
            continue  # gone or changed since it was read: the report shows its name instead
        progress.advance(1)
    progress.finish()
    encoded = {names[i]: base64.b64encode(jpeg).decode() for i, jpeg in drawn.items()}
    store.records.put_many("thumbnail", encoded)
    return found | drawn


def _shown(result: RunResult) -> Iterator[Example]:
    yield from result.a.preview
    yield from result.b.preview
    for found in result.differences:
        yield from found.evidence.a
        yield from found.evidence.b
        yield from found.evidence.against


def _key(identity: str, ref: ImageRef | None) -> str:
    window = None if ref is None or ref.window is None else ref.window.text.split(",")
    settings = {} if window is None else {"window": window}
    return keys.key("thumbnail", image=identity, model=_KIND, prompt="", settings=settings)


def _thumbnail(ref: ImageRef) -> bytes:
    """Pixels alone: the decoder hands on no comment, no tag and no profile of the file."""
    image = decode(ref, size_hint=SIDE)
    image.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
