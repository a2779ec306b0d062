"""The kinds of sources there are, a row each: how one is known, and who reads it."""

import glob
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from visdiff_local.errors import InputError
from visdiff_local.images.locators import File
from visdiff_local.images.names import absolute, is_stream, natural_key, shown
from visdiff_local.images.sources import archive, coco, lists, stored
from visdiff_local.images.sources import folder as folders
from visdiff_local.images.sources import table as tables
from visdiff_local.images.sources.base import Columns, Options, Source

_CARDS = (".md", ".json", ".txt")
_METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")


def source_of(text: str, options: Options) -> Source:
    """The source of this name, told apart by what there is.

    Raises:
        InputError: there is nothing of that name, or no image in it.
    """
    if text.lower().startswith("file://"):
        text = text[len("file://") :]
    path = Path(text).expanduser()
    if is_stream(path):
        raise InputError(f"{shown(path)}: a pipe is no source; write it to a file first")
    for kind in KINDS:
        if kind.fits(path, text):
            return kind.read(path, text, options)
    raise InputError(_nothing(path, text))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source: how it is known, and who reads it."""

    fits: Callable[[Path, str], bool]
    read: Callable[[Path, str, Options], Source]


def of_folder(folder: Path) -> Source:
    found = folders.listed(folder)
    if not found.images:
        raise InputError(_no_image(folder, found))
    return folders.source(found, folder, shown(folder), absolute(folder).name)


def _one_file(path: Path) -> Source:
    place = absolute(path)
    return Source(path.stem, shown(path), Columns({}, 1), lambda _: File(place))


def of_glob(pattern: str, options: Options) -> Source:
    expanded = os.fspath(Path(pattern).expanduser())
    found = map(Path, glob.glob(expanded, recursive=True))  # noqa: PTH207 (may be absolute)
    files = sorted((path for path in found if not path.is_dir()), key=natural_key)
    where = shown(Path(pattern))
    if files and all(map(archive.is_archive, files)):
        return archive.listed(files, where, pattern, options)
    if files and all(map(_is_parquet, files)):
        held = stored.parquet(files, where, pattern, options)
        if held is not None:
            return held
    images = folders.among(files)
    if not images.images:
        raise InputError(_no_image(Path(pattern), images))
    heads = {head for head, _ in images.images}
    common = Path(os.path.commonpath([absolute(Path(head)) for head in heads]))
    return folders.source(images, common, where, pattern)


def _metadata(folder: Path) -> Path | None:
    there = (folder / name for name in _METADATA)
    return next((path for path in there if path.is_file()), None)


def _image_folder(folder: Path, options: Options) -> Source:
    """A folder with a table of its own, as Hugging Face's ImageFolder has it."""
    path = _metadata(folder)
    assert path is not None
    found = tables.read(path, options)
    custom = "text" if "text" in found.table.names else None
    caption = tables.caption_column(found.shown, found.table.names, options, custom)
    there = folders.listed(folder)
    listed = [found.locate(place) for place in range(len(found.table))]
    named = {at.path for at in listed if isinstance(at, File)}
    extra = sum(absolute(Path(*image)) not in named for image in there.images)
    left_out = {**there.left_out, **({f"not in {path.name}": extra} if extra else {})}
    return replace(
        found,
        name=absolute(folder).name,
        caption=caption,
        ignored=max(0, there.ignored - 1),
        left_out=left_out,
    )


def _only(folder: Path, fits: Callable[[Path], bool]) -> list[Path]:
    """The files right in a folder where they are all of one kind; dataset cards do not count."""
    files = []
    with os.scandir(folder) as entries:  # not iterdir, which makes an object of each of a million
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(_CARDS):
                continue
            path = Path(folder, entry.name)
            if not fits(path) or path.is_dir():
                return []
            files.append(path)
    return sorted(files, key=natural_key)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _parquet_parts(folder: Path, options: Options) -> Source:
    files = _only(folder, _is_parquet)
    held = stored.parquet(files, shown(folder), absolute(folder).name, options)
    if held is None:
        raise InputError(
            f"{shown(folder)}: these Parquet files hold no images; name one that has a column of "
            f"paths: {shown(files[0])}"
        )
    return held


def _is_table(path: Path, _: str) -> bool:
    return path.suffix.lower() in tables.SUFFIXES and not path.is_dir()


def _is_archive(path: Path, _: str) -> bool:
    return archive.is_archive(path) and path.is_file()


KINDS = (
    Kind(lambda _, text: text == lists.STDIN, lambda *_: lists.standard_input()),
    Kind(_is_table, lambda path, _, options: tables.read(path, options)),
    Kind(
        lambda path, _: path.suffix.lower() == ".txt" and path.is_file(),
        lambda path, *_: lists.read(path),
    ),
    Kind(
        lambda path, _: path.suffix.lower() == ".json" and path.is_file(),
        lambda path, _, options: coco.read(path, options),
    ),
    Kind(
        _is_archive,
        lambda path, _, options: archive.listed([path], shown(path), path.stem, options),
    ),
    Kind(
        lambda path, _: path.suffix.lower() == ".arrow" and path.is_file(),
        lambda path, _, options: stored.arrow(path, options),
    ),
    Kind(
        lambda path, _: (
            path.is_dir()
            and ((path / "state.json").is_file() or (path / "dataset_dict.json").is_file())
        ),
        lambda path, _, options: stored.saved_to_disk(path, options),
    ),
    Kind(
        lambda path, _: path.is_dir() and _metadata(path) is not None,
        lambda path, _, options: _image_folder(path, options),
    ),
    Kind(
        lambda path, _: path.is_dir() and bool(_only(path, _is_parquet)),
        lambda path, _, options: _parquet_parts(path, options),
    ),
    Kind(
        lambda path, _: path.is_dir() and bool(_only(path, archive.is_archive)),
        lambda path, _, options: archive.listed(
            _only(path, archive.is_archive), shown(path), absolute(path).name, options
        ),
    ),
    Kind(lambda path, _: path.is_dir(), lambda path, *_: of_folder(path)),
    Kind(lambda path, _: path.exists(), lambda path, *_: _one_file(path)),
    Kind(lambda _, text: glob.has_magic(text), lambda _, text, options: of_glob(text, options)),
)
"""Tried in this order."""


def _no_image(where: Path, found: folders.Found) -> str:
    others = [f"{found.ignored} other files are there"] if found.ignored else []
    others += [f"{count} images {reason} are left out" for reason, count in found.left_out.items()]
    more = "; " + "; ".join(others) if others else ""
    if found.stored is not None:
        alike = found.stored.parent / f"*{found.stored.suffix}"
        return (
            f"{shown(where)}: no image is there{more}; to read the images within "
            f"{shown(found.stored.name)} and others like it, name them: '{shown(alike)}'"
        )
    return (
        f"{shown(where)}: no image is there (by suffix, such as .jpg or .png){more}; "
        'give a folder of images, or a quoted glob such as "photos/**/*.jpg"'
    )


def _nothing(path: Path, text: str) -> str:
    if "://" in text:
        return (
            f"{shown(text)}: a URL; this program uses no network: download it and name the folder"
        )
    turned = Path(text.replace("\\", "/"))
    hint = f"; did you mean {shown(turned)}?" if turned != Path(text) and turned.exists() else ""
    kind = "table" if path.suffix.lower() in tables.SUFFIXES else "folder"
    return (
        f"{shown(path)}: there is no such {kind}{hint}; give a folder of images, a quoted glob "
        'such as "photos/*.jpg", an archive, or a table (.csv, .parquet, .jsonl) with --a and --b'
    )
