"""From a pack into the folder of weights: every byte checked, all of it or nothing.

Files are copied beside their place, hashed on the way, and a model's folder is moved into place as
a whole once all models of the pack have passed. A pack is a stranger's data: only plain files that
its manifest names are read, and only into the folders that it names.
"""

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from visdiff_local.errors import UsageError, WeightsError
from visdiff_local.models.weights import disk
from visdiff_local.models.weights.manifest import (
    NAME,
    FileRecord,
    Manifest,
    PackedModel,
    parse,
    write_catalog,
)
from visdiff_local.models.weights.verify import CHUNK, sha256
from visdiff_local.system.files import sync

Say = Callable[[str], None]
OpenFile = Callable[[str], IO[bytes]]
"""Opens a file of the pack by its name in it; :class:`WeightsError` where it is not whole."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of one model."""

    model: str
    folder: str
    size: int
    license: str
    commercial: bool | None
    state: Literal["placed", "replaced", "already there"]


def import_pack(source: Path, weights: Path, *, say: Say = lambda _: None) -> list[Placed]:
    """Places the models of a pack under ``weights`` and enters them in its models.toml.

    Raises:
        UsageError: there is no such pack.
        WeightsError: names the first file that is missing, cut short or changed, or says that the
            disk is full; the folder of weights is as it was before.
    """
    with _opened(source) as (manifest, open_file):
        disk.private(weights)
        new = {name: m for name, m in manifest.models.items() if not _is_there(m, weights)}
        disk.need(weights, sum(model.size for model in new.values()))
        with _staging(weights) as staging:
            kept = f"{weights} is as it was before"
            for name, model in new.items():
                say(f"{name}: checking and copying {model.size / 1e9:.2f} GB")
                with disk.writing(staging / model.folder, kept):
                    _copy_model(model, open_file, staging / model.folder, source)
            placed = [
                _place(name, model, weights, staging if name in new else None)
                for name, model in manifest.models.items()
            ]
    specs = [model.spec for model in manifest.models.values()]
    write_catalog(weights, specs, manifest.profiles.values())
    return placed


@contextmanager
def _opened(source: Path) -> Iterator[tuple[Manifest, OpenFile]]:
    if source.is_dir():
        yield _manifest(_from_folder(source), source), _from_folder(source)
    elif not source.is_file():
        raise UsageError(f"{source}: there is no such pack")
    elif not tarfile.is_tarfile(source):
        raise WeightsError(f"{source} is no pack: neither a folder nor a tar")
    else:
        with tarfile.open(source, "r:") as archive:
            open_file = _from_tar(archive, source)
            yield _manifest(open_file, source), open_file


def _manifest(open_file: OpenFile, source: Path) -> Manifest:
    with open_file(NAME) as stream:
        return parse(stream.read(), f"{source}/{NAME}")


def _from_folder(source: Path) -> OpenFile:
    def open_file(name: str) -> IO[bytes]:
        path = source / name
        if path.is_symlink() or not path.is_file():
            raise WeightsError(f"{path} is missing from the pack")
        return path.open("rb")

    return open_file


def _from_tar(archive: tarfile.TarFile, source: Path) -> OpenFile:
    members: dict[str, tarfile.TarInfo] = {}
    size = source.stat().st_size
    try:
        for member in archive:
            members[member.name] = member
    except tarfile.ReadError:
        pass  # cut short: whoever asks for a file behind the cut is told so

    def open_file(name: str) -> IO[bytes]:
        member = members.get(name)
        stream = archive.extractfile(member) if member is not None and member.isreg() else None
        if member is None or stream is None:
            raise WeightsError(f"{name} is missing from {source}, or the pack is cut short")
        if member.offset_data + member.size > size:
            raise WeightsError(f"{name} is cut short in {source}")
        return stream

    return open_file


@contextmanager
def _staging(weights: Path) -> Iterator[Path]:
    """A folder on the same disk, gone afterwards whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=".importing-", dir=weights))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _is_there(model: PackedModel, weights: Path) -> bool:
    folder = weights / model.folder
    return all(
        (folder / name).is_file()
        and (folder / name).stat().st_size == record.size
        and sha256(folder / name) == record.sha256
        for name, record in model.files.items()
    )


def _copy_model(model: PackedModel, open_file: OpenFile, folder: Path, source: Path) -> None:
    for name, record in model.files.items():
        inside = f"{model.folder}/{name}"
        target = folder / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open_file(inside) as stream, target.open("xb") as written:
            _copy(stream, written, record, f"{inside} in {source}")
        sync(target)
    sync(folder)


def _copy(stream: IO[bytes], written: IO[bytes], record: FileRecord, what: str) -> None:
    digest = hashlib.sha256()
    size = 0
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        written.write(chunk)
    if size != record.size:
        raise WeightsError(f"{what} has {size:,} bytes and must have {record.size:,}")
    if digest.hexdigest() != record.sha256:
        raise WeightsError(f"{what} is corrupt (its sha256 is not {record.sha256})")


def _place(name: str, model: PackedModel, weights: Path, staging: Path | None) -> Placed:
    """Moves a checked folder into place; what was there leaves with the staging folder."""
    target = weights / model.folder
    state: Literal["placed", "replaced", "already there"] = "already there"
    if staging is not None:
        state = "replaced" if target.exists() else "placed"
        if target.exists():
            target.rename(staging / f"{model.folder}.old")
        (staging / model.folder).rename(target)
        sync(weights)
    spec = model.spec
    return Placed(name, str(target), model.size, spec.license, spec.commercial, state)
