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

from visdiff_local.errors import ProblemsError, UsageError, WeightsError
from visdiff_local.models.backends.files import SETTINGS, WEIGHTS
from visdiff_local.models.specs import (
    bundled_models_toml,
    read_tables,
    registry_of,
    with_catalog,
)
from visdiff_local.models.weights import disk
from visdiff_local.models.weights.manifest import (
    LARGEST,
    NAME,
    FileRecord,
    Manifest,
    PackedModel,
    catalog_with,
    parse,
    redefined,
    write_catalog,
)
from visdiff_local.models.weights.verify import CHUNK, sha256
from visdiff_local.system.files import sync

_LONGEST_HEADER = 1 << 16
"""Bytes of an extended header."""
_MOST_MEMBERS = 100_000
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"PK": "zip"}
_TAR_ERRORS = (tarfile.TarError, ValueError, OverflowError, EOFError, UnicodeError, RecursionError)
"""What tarfile raises over headers that are not what they should be."""

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
        models = _named(manifest)
        profiles = [p.model_copy(update={"name": n}) for n, p in manifest.profiles.items()]
        _refuse(source, manifest, weights)
        disk.private(weights)
        new = {name: model for name, model in models.items() if not _is_there(model, weights)}
        disk.need(weights, sum(model.size for model in new.values()))
        with _staging(weights) as staging:
            kept = f"{weights} is as it was before"
            for name, model in new.items():
                say(f"{name}: checking and copying {model.size / 1e9:.2f} GB")
                with disk.writing(staging / model.folder, kept):
                    _copy_model(model, open_file, staging / model.folder, source)
            with disk.writing(weights, kept), _all_or_nothing() as moves:
                placed = [
                    _place(name, model, weights, staging if name in new else None, moves)
                    for name, model in models.items()
                ]
                write_catalog(weights, [model.spec for model in models.values()], profiles)
    return placed


def _named(manifest: Manifest) -> dict[str, PackedModel]:
    """The models, each entry with the name that the manifest gives it."""
    return {
        name: model.model_copy(update={"spec": model.spec.model_copy(update={"name": name})})
        for name, model in manifest.models.items()
    }


def _refuse(source: Path, manifest: Manifest, weights: Path) -> None:
    """Raises :class:`WeightsError` where the program could not go on with what the pack brings: it
    redefines a bundled name, contradicts the catalogue, or would take the place of something that
    is no model."""
    bundled = read_tables(bundled_models_toml())
    problem = redefined(manifest, registry_of(bundled, str(bundled_models_toml())))
    if problem:
        raise WeightsError(f"{source}: {problem}; a pack may add models, not replace them")
    for model in manifest.models.values():
        target = weights / model.folder
        if target.is_symlink() or (target.exists() and not _holds_a_model(target)):
            raise WeightsError(
                f"{source}: its folder {model.folder} would take the place of {target}, which "
                "holds other things than a model; move that away, or name another folder of weights"
            )
    entries = [model.spec for model in _named(manifest).values()]
    profiles = [p.model_copy(update={"name": n}) for n, p in manifest.profiles.items()]
    try:
        tables = catalog_with(weights, entries, profiles)
        registry_of(with_catalog(bundled, tables, str(source)), str(source))
    except ProblemsError as error:
        raise WeightsError(f"{error}; the pack is not imported") from error


def _holds_a_model(folder: Path) -> bool:
    return folder.is_dir() and all(
        path.is_file() and path.suffix in (*WEIGHTS, *SETTINGS) for path in folder.iterdir()
    )


@contextmanager
def _all_or_nothing() -> Iterator[list[tuple[Path, Path]]]:
    """A list of (from, to) moves; where something fails they are undone, the last first."""
    moves: list[tuple[Path, Path]] = []
    try:
        yield moves
    except BaseException:
        for before, after in reversed(moves):
            after.rename(before)
        raise


@contextmanager
def _opened(source: Path) -> Iterator[tuple[Manifest, OpenFile]]:
    if source.is_dir():
        yield _manifest(_from_folder(source), source), _from_folder(source)
    elif not source.is_file():
        raise UsageError(f"{source}: there is no such pack")
    else:
        with _tar(source) as archive:
            open_file = _from_tar(archive, source)
            yield _manifest(open_file, source), open_file


@contextmanager
def _tar(source: Path) -> Iterator[tarfile.TarFile]:
    """The archive; what tarfile raises over a damaged or hostile one is said in words."""
    try:
        with tarfile.open(source, "r:", tarinfo=_Bounded) as archive:
            yield archive
    except _TAR_ERRORS as error:
        with source.open("rb") as stream:
            start = stream.read(6)
        packed = next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), "")
        if packed:
            raise WeightsError(
                f"{source} is compressed ({packed}); a pack is a plain tar: unpack it first"
            ) from error
        raise WeightsError(
            f"{source} is no pack, neither a folder nor a sound tar ({error})"
        ) from error


class _Bounded(tarfile.TarInfo):
    """A member's header. Extended headers are read whole, and are names: they are short."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Bounded":
        info = super().frombuf(buf, encoding, errors)
        if info.type not in tarfile.REGULAR_TYPES and info.size > _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


def _manifest(open_file: OpenFile, source: Path) -> Manifest:
    with open_file(NAME) as stream:
        return parse(stream.read(LARGEST + 1), f"{source}/{NAME}")


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
            if len(members) > _MOST_MEMBERS:
                raise WeightsError(f"{source} has more than {_MOST_MEMBERS:,} members: no pack")
    except tarfile.ReadError as error:
        if not members:
            raise WeightsError(f"{source} is no pack: not a sound tar ({error})") from error
        # Cut short: whoever asks for a file behind the cut is told so.

    def open_file(name: str) -> IO[bytes]:
        member = members.get(name)
        stream = archive.extractfile(member) if member is not None and _is_plain(member) else None
        if member is None or stream is None:
            raise WeightsError(f"{name} is missing from {source}, or the pack is cut short")
        if member.offset_data + member.size > size:
            raise WeightsError(f"{name} is cut short in {source}")
        return stream

    return open_file


def _is_plain(member: tarfile.TarInfo) -> bool:
    """A file as it lies there: a sparse one can claim any size."""
    return member.isreg() and not member.issparse()


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
    while size <= record.size and (chunk := stream.read(CHUNK)):
        digest.update(chunk)
        size += len(chunk)
        written.write(chunk)
    if size != record.size:
        raise WeightsError(f"{what} has {size:,} bytes and must have {record.size:,}")
    if digest.hexdigest() != record.sha256:
        raise WeightsError(f"{what} is corrupt (its sha256 is not {record.sha256})")


def _place(
    name: str,
    model: PackedModel,
    weights: Path,
    staging: Path | None,
    moves: list[tuple[Path, Path]],
) -> Placed:
    """Moves a checked folder into place; what was there leaves with the staging folder."""
    target = weights / model.folder
    state: Literal["placed", "replaced", "already there"] = "already there"
    if staging is not None:
        state = "replaced" if target.exists() else "placed"
        old = staging / f"{model.folder}.old"
        for before, after in ((target, old), (staging / model.folder, target)):
            if before.exists():
                before.rename(after)
                moves.append((before, after))
        sync(weights)
    spec = model.spec
    return Placed(name, str(target), model.size, spec.license, spec.commercial, state)
