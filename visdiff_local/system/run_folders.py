"""The one place that makes a run's folder, and knows one from a stranger's.

A run folder has a small marker file in it. Nothing is written into a folder that has none, unless
it is empty or was made by a version before the marker; no mode of a folder that is there is
changed. A folder belongs to one run at a time: who comes second is told so.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from visdiff_local.errors import UsageError

MARKER = ".visdiff-run"
_CONTENT = b"A run folder of visdiff-local, format 1. Its files are replaced by a run into it.\n"
_OWN = frozenset(
    (
        *("run.json", "images.parquet", "comparison.json", "notes.json", "labels.json"),
        *("skipped.csv", "parts"),
        *("report.html", "report-shared.html", "thumbnails", MARKER),
    )
)
"""What a run folder of an earlier version, which has no marker, may hold."""
_DRAFT = "."
_UNNAMED = ".unnamed"
_MOST_TRIES = 1000
_HEAD = 4096
_BEGINNING = re.compile(r'\{\s*"schema_version":\s*[0-9]+,\s*"(run|kind)":')


def is_run_folder(folder: Path) -> bool:
    """Whether a run wrote this folder: by its marker, else by a run.json among nothing foreign."""
    try:
        if (folder / MARKER).is_file():
            return True
        names = {path.name for path in folder.iterdir() if not path.name.startswith(_DRAFT)}
        return "run.json" in names and names <= _OWN and _is_ours(folder / "run.json")
    except OSError:
        return False


@contextmanager
def claimed(wanted: str | None, sets: Sequence[str] = (), parent: str = "runs") -> Iterator[Path]:
    """A folder for one run, held until the block ends; gone again where nothing was written to it.

    Args:
        wanted: the folder (``--out``); a new one below ``parent``, named by the time, unless given.
        sets: the folders or globs of the sets, none of which may hold it.

    Raises:
        UsageError: it lies inside a set, holds something else, is in use, or cannot be made.
    """
    folder = Path(wanted).expanduser() if wanted is not None else None
    with ExitStack() as held:
        try:
            if folder is None:
                _not_inside(Path(parent) / _UNNAMED, sets)
                folder, made = _fresh(Path(parent)), True
            else:
                _not_inside(folder, sets)
                made = _make(folder)
            held.enter_context(_held(folder))
        except OSError as error:
            raise UsageError(
                f"the run folder {folder or parent} cannot be written "
                f"({error.strerror or error}); name another with --out"
            ) from error
        try:
            yield folder
        finally:
            with suppress(OSError):
                if made and [path.name for path in folder.iterdir()] == [MARKER]:
                    (folder / MARKER).unlink()
                    folder.rmdir()


def ensure(folder: Path) -> None:
    """Makes the folder, or checks that it may be written to. Raises UsageError and OSError."""
    _make(folder)
    _mark(folder)


def _make(folder: Path) -> bool:
    """Whether it was made now; it is private then, and so are those above that were missing."""
    if folder.is_dir():
        foreign = next((p.name for p in folder.iterdir() if p.name != MARKER), None)
        if foreign is not None and not is_run_folder(folder):
            raise UsageError(
                f"{folder} is no run folder: it holds {foreign!r}, and is left as it is; name "
                "another with --out, or an empty one"
            )
        return False
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is no folder; name another with --out")
    for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=missing != folder)
    return True


def _fresh(parent: Path) -> Path:
    """A folder that nobody else has, also where two runs begin in the same second."""
    for missing in reversed([p for p in (parent, *parent.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    name = time.strftime("%Y%m%d-%H%M%S")
    for number in range(1, _MOST_TRIES):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise UsageError(f"{parent} has {_MOST_TRIES} runs of this second; name a folder with --out")


def _mark(folder: Path) -> None:
    with suppress(FileExistsError):
        handle = os.open(folder / MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(_CONTENT)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The lock on the marker; the system frees it when a process dies."""
    _mark(folder)
    handle = os.open(folder / MARKER, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{folder} is being written by another run; wait for it, or name another with --out"
            ) from None
        yield
    finally:
        os.close(handle)


def _not_inside(folder: Path, sets: Sequence[str]) -> None:
    """A run's thumbnails would be images of the set that it lies in, the next time."""
    place = folder.resolve()
    for source in sets:
        root, pattern = _split(source)
        if not root.is_dir() or not place.is_relative_to(root.resolve()):
            continue
        below = (*place.relative_to(root.resolve()).parts, "thumbnails", "x.jpg")
        if not pattern or "**" in pattern or len(pattern) == len(below):
            raise UsageError(
                f"the run folder {_called(folder)} lies inside the set {source}, and its "
                "thumbnails would be taken for images of it; name another with --out"
            )


def _called(folder: Path) -> str:
    """As it is named to a user: the one below ``runs/`` has no name yet."""
    return str(folder.parent) if folder.name == _UNNAMED else str(folder)


def _split(source: str) -> tuple[Path, tuple[str, ...]]:
    """The folder that a glob begins in, and its pattern by parts; a folder has none."""
    if Path(source).expanduser().exists():
        return Path(source).expanduser(), ()
    parts = source.split("/")
    plain = next((i for i, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    start = "/".join(parts[:plain]) or ("/" if source.startswith("/") else ".")
    return Path(start).expanduser(), tuple(part for part in parts[plain:] if part)


def _is_ours(path: Path) -> bool:
    """By how every run.json of ours begins; it is not parsed here."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD).decode("utf-8", "replace")
    return _BEGINNING.match(head) is not None
