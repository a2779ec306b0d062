"""Archives: zip, tar, and WebDataset shards, whose members of one key belong together."""

import os
import struct
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images import compressed
from visdiff_local.images.archives import TarMember, ZipMember
from visdiff_local.images.covariates import FOLDER, Cell, Column
from visdiff_local.images.members import Member, Members
from visdiff_local.images.names import natural_key, shown
from visdiff_local.images.sources.base import Columns, Options, Source
from visdiff_local.images.sources.folder import IMAGES, why_left_out
from visdiff_local.images.sources.table import CAPTION, caption_column, cell
from visdiff_local.system import foreign
from visdiff_local.types import Locator, Skipped

SUFFIXES = (".tar", ".zip", *compressed.SUFFIXES)
_SMALL = 1 << 20
"""Bytes of a caption or a JSON beside an image; larger ones are not looked at."""
_ARCHIVE = "archive"
_UTF8 = 0x800
_UNIX = 3
"""A system on which names are UTF-8 or Latin-1, where DOS and Windows have a code page of DOS."""


@dataclass(slots=True)
class _Found:
    """What one archive holds."""

    images: list[Member] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    beside: dict[str, dict[str, Locator]] = field(default_factory=dict)
    """By key: what lies beside an image, by suffix."""
    left_out: dict[str, int] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    ignored: int = 0


def is_archive(path: Path) -> bool:
    """By the name."""
    return path.name.lower().endswith(SUFFIXES)


def listed(files: Sequence[Path], where: str, name: str, options: Options) -> Source:
    """The images of archives, in the archives' order for tars and in natural order for zips.

    Raises:
        InputError: an archive cannot be read.
    """
    parts: list[Members] = []
    columns: list[dict[str, Column]] = []
    skipped: list[Skipped] = []
    left_out, ignored = Counter[str](), 0
    for file in files:  # one after the other: what is beside an image is an object of its own
        found = _Found()
        _take(found, _members(file))
        parts.append(Members.of(found.images))
        columns.append({**_places(found, file, files), **_beside(found)})
        skipped += found.skipped
        left_out.update(found.left_out)
        ignored += found.ignored
    at = Members.joined(parts)
    names = list(dict.fromkeys(name for known in columns for name in known))
    if CAPTION in names:  # the last, as of a single archive
        names.append(names.pop(names.index(CAPTION)))
    table = Columns({name: _joined(name, columns, parts) for name in names}, len(at))
    return Source(
        name,
        where,
        table,
        at.__getitem__,
        caption=caption_column(where, table.names, options),
        skipped=tuple(skipped),
        ignored=ignored,
        left_out=left_out,
        at=at,
    )


def member(path: Path) -> Locator | None:
    """The member that a path names through its archive, ``photos.zip/1.jpg``; None if there is no
    such archive, or nothing of that name in it."""
    for parent in path.parents:
        if is_archive(parent) and parent.is_file():
            facts = parent.stat()
            stamp = (facts.st_size, facts.st_mtime_ns)
            return _by_name(parent, stamp).get(path.relative_to(parent).as_posix())
    return None


@lru_cache(maxsize=8)
def _by_name(file: Path, _stamp: tuple[int, int]) -> dict[str, Locator]:
    """The members by name; read again where the archive has changed."""
    return {shown(name): at for name, at in _members(file) if not isinstance(at, Skipped)}


def _places(found: _Found, file: Path, files: Sequence[Path]) -> dict[str, Column]:
    """The archive that each image lies in, where there are several, and the folder in it."""
    folders = Column.of([shown(str(PurePosixPath(key).parent)) for key in found.keys])
    archive = Column(np.zeros(len(found.keys), np.int32), (shown(file),))
    return {FOLDER: folders} if len(files) == 1 else {_ARCHIVE: archive, FOLDER: folders}


def _joined(name: str, known: Sequence[Mapping[str, Column]], parts: Sequence[Members]) -> Column:
    each = zip(known, parts, strict=True)
    return Column.joined([one.get(name) or Column.none(len(part)) for one, part in each])


def _members(file: Path) -> Iterable[tuple[str, Locator | Skipped]]:
    """Raises :class:`InputError` for what is no archive, or holds nothing that can be read."""
    try:
        with file.open("rb") as stream:
            head = stream.read(4)
        if head[:2] == b"PK":
            return _zip_members(file)
        return _tar_members(file)
    except UnreadableImageError as error:
        raise InputError(f"{shown(file)}: {error.reason}") from error
    except (tarfile.TarError, zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise InputError(f"{shown(file)}: cannot be read as an archive ({error})") from error
    except (ArithmeticError, MemoryError, RuntimeError, LookupError, struct.error) as error:
        raise InputError(f"{shown(file)}: damaged archive ({type(error).__name__})") from error


def _tar_members(file: Path) -> list[tuple[str, Locator | Skipped]]:
    """What comes before the damage, where a tar is damaged or cut off."""
    found: list[tuple[str, Locator | Skipped]] = []
    try:
        _into(found, file)
    except (tarfile.TarError, UnreadableImageError, OSError, ValueError, EOFError) as error:
        if not found:
            raise
        reason = error.reason if isinstance(error, UnreadableImageError) else str(error)
        found.append(("", Skipped(shown(file), f"truncated or damaged from there on ({reason})")))
    return found


def _into(found: list[tuple[str, Locator | Skipped]], file: Path) -> None:
    packed = file.name.lower().endswith(compressed.SUFFIXES)
    content = compressed.View(compressed.inflated(file)) if packed else file.open("rb")
    size = None if packed else file.stat().st_size
    with content, tarfile.open(fileobj=content, mode="r:") as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # else it keeps them all
            if not member.isfile():
                continue
            cut = size is not None and member.offset_data + member.size > size
            if member.issparse() or cut:
                reason = "a sparse member" if member.issparse() else "truncated archive"
                found.append((member.name, Skipped(f"{shown(file)}/{shown(member.name)}", reason)))
                continue
            at = TarMember(file, member.name, member.offset_data, member.size, packed=packed)
            found.append((member.name, at))
        # Behind the first member the library takes a header that is cut off or damaged for the end.
        content.seek(archive.offset)
        if any(content.read(tarfile.BLOCKSIZE)):
            raise tarfile.ReadError("the next member has no header")


def _zip_members(file: Path) -> list[tuple[str, Locator | Skipped]]:
    found: list[tuple[str, Locator | Skipped]] = []
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.filename:  # damaged: it begins with a NUL
                found.append(("", Skipped(shown(file), "a member without a name")))
                continue
            if info.is_dir():
                continue
            name = _zip_name(info)
            at: Locator | Skipped = ZipMember(file, info.filename, info.header_offset, name)
            if info.flag_bits & 1:
                at = Skipped(f"{shown(file)}/{shown(name)}", "it is encrypted")
            found.append((name, at))
    return sorted(found, key=lambda item: natural_key(_text(item[0])))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: zip has no mark for any encoding but UTF-8, and few set that."""
    if info.flag_bits & _UTF8 or info.filename.isascii():
        return info.filename
    try:
        raw = info.filename.encode("cp437")  # as the library has read it
    except UnicodeEncodeError:
        return info.filename
    for encoding in ("utf-8", "cp1252" if info.create_system == _UNIX else "cp437"):
        with suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return info.filename


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _take(found: _Found, members: Iterable[tuple[str, Locator | Skipped]]) -> None:
    for name, at in members:
        path = PurePosixPath(name)
        reason = why_left_out(path.parts)
        if reason:
            found.left_out[reason] = found.left_out.get(reason, 0) + 1
            continue
        stem, _, suffix = path.name.partition(".")
        key = os.fspath(path.parent / stem)
        if isinstance(at, Skipped):
            found.skipped.append(at)
        elif path.suffix.lower() in IMAGES and isinstance(at, TarMember | ZipMember):
            found.images.append(at)
            found.keys.append(key)
        elif suffix.lower() in ("txt", "caption", "json", "cls"):
            found.beside.setdefault(key, {})[suffix.lower()] = at
        else:
            found.ignored += 1


def _beside(found: _Found) -> dict[str, Column]:
    """Columns of the JSON beside images, and captions of the text; in the images' order."""
    if not found.beside:
        return {}
    captions: list[Cell] = []
    rows: list[dict[str, Cell]] = []
    for key in found.keys:
        files = found.beside.get(key, {})
        row = _json(files.get("json"))
        label = _small(files.get("cls"))
        if label is not None:
            row["label"] = label.strip()
        text = _small(files.get("txt") or files.get("caption"))
        caption = row.pop(CAPTION, None) if text is None else text
        captions.append(None if caption is None else str(caption).strip())
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: Column.of([row.get(name) for row in rows]) for name in names}
    return {**columns, CAPTION: Column.of(captions)} if any(captions) else columns


def _json(at: Locator | None) -> dict[str, Cell]:
    text = _small(at)
    if text is None:
        return {}
    try:
        content: Any = foreign.json_value(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {str(k): cell(v) for k, v in content.items() if not isinstance(v, dict | list)}


def _small(at: Locator | None) -> str | None:
    if at is None:
        return None
    try:
        content = at.read()
    except UnreadableImageError:
        return None
    return content.decode("utf-8", "replace") if len(content) <= _SMALL else None
