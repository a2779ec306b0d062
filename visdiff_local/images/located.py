"""Where very many images lie, in columns: a locator is made when it is asked for."""

import os
import sys
from abc import abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar, overload

import numpy as np
import numpy.typing as npt

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images import arrow
from visdiff_local.images.locators import File
from visdiff_local.images.names import all_shown
from visdiff_local.types import Locator, Stamp

if TYPE_CHECKING:
    import pyarrow as pa

Shared = TypeVar("Shared", bound=Hashable)
IntArray = npt.NDArray[np.int64]
_NAMES = (sys.getfilesystemencoding(), "surrogateescape")
"""As os.fsencode and os.fsdecode have it, without their check of every name."""
AT_ONCE = 65_536
"""Images whose columns become Python objects together."""


class Located(Sequence[Locator]):
    """Where n images lie, in their order."""

    @abstractmethod
    def take(self, indices: IntArray) -> "Located":
        """Those of the images at these indices."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Of all columns, in memory."""

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        """(n,) which are all of their bytes, and no frame or box of them."""
        return np.array([not at.part for at in self], np.bool_)

    def names(self, start: int = 0, stop: int | None = None) -> list[str]:
        """What people see, of these images."""
        return [at.name for at in self._part(start, stop)]

    def columns(self, start: int, stop: int) -> "tuple[pa.StringArray, pa.StringArray] | None":
        """The names of these images, without and with their folders, as people see them; None
        where they are to be had one by one alone."""
        return None

    def stamps(self, start: int, stop: int) -> list[Stamp | UnreadableImageError]:
        """Size and age of these images, or why they cannot be read."""
        return [_stamp(at) for at in self._part(start, stop)]

    def __iter__(self) -> Iterator[Locator]:
        for start in range(0, len(self), AT_ONCE):
            yield from self._part(start, start + AT_ONCE)

    def _part(self, start: int, stop: int | None) -> Iterator[Locator]:
        stop = len(self) if stop is None else min(stop, len(self))
        return (self[index] for index in range(start, stop))

    @overload
    def __getitem__(self, index: int) -> Locator: ...

    @overload
    def __getitem__(self, index: slice) -> "Located": ...

    def __getitem__(self, index: int | slice) -> "Locator | Located":
        if isinstance(index, slice):
            return self.take(np.arange(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(f"{index} of {len(self)} images")
        return self._one(index % len(self))

    @abstractmethod
    def _one(self, index: int) -> Locator: ...


@dataclass(frozen=True, slots=True, eq=False)
class Each(Located):
    """Of whatever kind, an object each."""

    of: tuple[Locator, ...]

    def __len__(self) -> int:
        return len(self.of)

    def take(self, indices: IntArray) -> "Each":
        return Each(tuple(self.of[index] for index in indices.tolist()))

    @property
    def nbytes(self) -> int:
        return 8 * len(self.of)

    def _one(self, index: int) -> Locator:
        return self.of[index]


@dataclass(frozen=True, slots=True, eq=False)
class Files(Located):
    """Files of their own: some twenty-four bytes each.

    Args:
        folders: absolute, each once.
        folder: int32 (n,), which of them.
        names_: of the files, without their folders, as the system has them (bytes).
    """

    folders: tuple[str, ...]
    folder: npt.NDArray[np.int32]
    names_: "pa.BinaryArray"

    @classmethod
    def of(cls, paths: Iterable[tuple[str, str]]) -> Self:
        """From folders and names, as ``os.path.split`` gives them."""
        import pyarrow as pa

        codes, names = [], [arrow.raw(())]
        folders: dict[str, int] = {}
        rest = iter(paths)
        while part := list(islice(rest, AT_ONCE)):
            for where in dict.fromkeys(where for where, _ in part):
                folders.setdefault(where, len(folders))
            codes.append(np.array([folders[where] for where, _ in part], np.int32))
            names.append(arrow.raw([name.encode(*_NAMES) for _, name in part]))
        folder = np.concatenate(codes) if codes else np.zeros(0, np.int32)
        return cls(tuple(folders), folder, pa.concat_arrays(names))

    @classmethod
    def joined(cls, parts: Sequence["Files"]) -> Self:
        """Those of one part after those of the other."""
        import pyarrow as pa

        folders, codes = recoded([(part.folders, part.folder) for part in parts])
        return cls(folders, codes, pa.concat_arrays([part.names_ for part in parts]))

    def __len__(self) -> int:
        return len(self.folder)

    def take(self, indices: IntArray) -> "Files":
        """Neighbours are views of the same columns."""
        if consecutive(indices):
            first, last = int(indices[0]), int(indices[-1]) + 1
            return Files(self.folders, self.folder[first:last], self.names_[first:last])
        names = self.names_.take(arrow.numbers(indices))
        return Files(self.folders, self.folder[indices], names)

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        return np.ones(len(self), np.bool_)

    @property
    def nbytes(self) -> int:
        return int(self.folder.nbytes + self.names_.nbytes)

    def file_names(self) -> Iterator[str]:
        """Without their folders."""
        for start in range(0, len(self), AT_ONCE):
            yield from self._texts(start, start + AT_ONCE)

    def _texts(self, start: int, stop: int | None) -> list[str]:
        names = self.names_[start:stop].to_pylist()  # none holds a NUL
        return b"\0".join(names).decode(*_NAMES).split("\0") if names else []

    def paths(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Of these files, whole."""
        names = self._texts(start, stop)
        heads = [_head(folder) for folder in self.folders]
        if len(heads) == 1:
            return [heads[0] + name for name in names]
        codes = self.folder[start:stop].tolist()
        return [heads[code] + name for code, name in zip(codes, names, strict=True)]

    def names(self, start: int = 0, stop: int | None = None) -> list[str]:
        return all_shown(self.paths(start, stop))

    def columns(self, start: int, stop: int) -> "tuple[pa.StringArray, pa.StringArray] | None":
        """None where one of them is not shown as it is."""
        from pyarrow import compute

        tails = arrow.printable(self.names_[start:stop])
        heads = arrow.printable(arrow.raw([_head(f).encode(*_NAMES) for f in self.folders]))
        if tails is None or heads is None:
            return None
        folders = heads.take(arrow.numbers(self.folder[start:stop]))
        return tails, compute.binary_join_element_wise(folders, tails, "")

    def stamps(self, start: int, stop: int) -> list[Stamp | UnreadableImageError]:
        found: list[Stamp | UnreadableImageError] = []
        for path in self.paths(start, stop):
            try:
                facts = os.stat(path)  # noqa: PTH116 (a third of the time of Path.stat)
                found.append(Stamp(path, facts.st_size, facts.st_mtime_ns))
            except (OSError, ValueError):
                found.append(_stamp(File(Path(path))))
        return found

    def _part(self, start: int, stop: int | None) -> Iterator[Locator]:
        return (File(Path(path)) for path in self.paths(start, stop))

    def _one(self, index: int) -> File:
        name = os.fsdecode(self.names_[index].as_py())
        return File(Path(self.folders[self.folder[index]], name))


def _head(folder: str) -> str:
    return folder if folder[-1:] in ("", "/") else f"{folder}/"


def recoded(
    parts: Sequence[tuple[Sequence[Shared], npt.NDArray[np.int32]]],
) -> tuple[tuple[Shared, ...], npt.NDArray[np.int32]]:
    """What images of several parts share, each once, and the code of every image in it.

    Args:
        parts: what a part's images share, and their codes in that, int32 (n,).
    """
    known: dict[Shared, int] = {}
    codes = []
    for shared, own in parts:
        renamed = [known.setdefault(one, len(known)) for one in shared]
        codes.append(np.array([*renamed, 0], np.int32)[own])
    return tuple(known), np.concatenate(codes)


def consecutive(indices: IntArray) -> bool:
    """Whether each index is the one before and one more."""
    return (
        len(indices) > 0
        and int(indices[-1]) - int(indices[0]) == len(indices) - 1
        and bool((np.diff(indices) == 1).all())
    )


def _stamp(at: Locator) -> Stamp | UnreadableImageError:
    try:
        return at.stamp()
    except UnreadableImageError as error:
        return error
