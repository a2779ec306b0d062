"""Very many images in columns: some fifty bytes an image, where an object each takes a thousand.

A :class:`Listing` is a sequence of :class:`~visdiff_local.types.ImageRef` that are made when they
are asked for, so that whatever takes a sequence of images takes ten million of them.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, overload

import numpy as np
import numpy.typing as npt

from visdiff_local.images.locators import File
from visdiff_local.types import ImageRef

if TYPE_CHECKING:
    import pyarrow as pa

Ids = npt.NDArray[np.void]
"""(n,), content ids of 32 bytes each."""
_ID_BYTES = 32
_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Listing(Sequence[ImageRef]):
    """Images that are files of their own, in columns.

    Args:
        ids: V32 (n,).
        folders: the folders that the files lie in, each once.
        folder: int32 (n,), which of them.
        names: of the files, without their folders, as the system has them (bytes).
    """

    ids: Ids
    folders: tuple[str, ...]
    folder: npt.NDArray[np.int32]
    names: "pa.BinaryArray"

    @classmethod
    def of(cls, refs: Iterable[ImageRef]) -> Self:
        """From images one by one; raises ValueError for one that is no plain file, that has no id,
        or that came with a caption or a window."""
        import pyarrow as pa

        ids, codes, names = bytearray(), [], []
        folders: dict[str, int] = {}
        parts: list[pa.Array] = []
        for ref in refs:
            if not isinstance(ref.at, File) or ref.at.part or ref.caption is not None:
                raise ValueError(f"{ref.name} is no plain file")
            if len(ref.id) != 2 * _ID_BYTES or ref.window is not None:
                raise ValueError(f"{ref.name}: no plain content id")
            ids += bytes.fromhex(ref.id)
            where, name = os.path.split(os.fspath(ref.at.path))
            codes.append(folders.setdefault(where, len(folders)))
            names.append(os.fsencode(name))
            if len(names) == _AT_ONCE:
                parts.append(pa.array(names, pa.binary()))
                names = []
        parts.append(pa.array(names, pa.binary()))
        raw = np.frombuffer(bytes(ids), dtype=f"V{_ID_BYTES}")
        return cls(raw, tuple(folders), np.array(codes, np.int32), pa.concat_arrays(parts))

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> ImageRef: ...

    @overload
    def __getitem__(self, place: slice) -> "Listing": ...

    def __getitem__(self, place: int | slice) -> "ImageRef | Listing":
        if isinstance(place, slice):
            return self.take(np.arange(*place.indices(len(self))))
        if not -len(self) <= place < len(self):
            raise IndexError(f"{place} of {len(self)} images")
        name = os.fsdecode(self.names[place % len(self)].as_py())
        path = Path(self.folders[self.folder[place]], name)
        return ImageRef(self.ids[place].tobytes().hex(), File(path))

    def __iter__(self) -> Iterator[ImageRef]:
        for start in range(0, len(self), _AT_ONCE):
            stop = min(start + _AT_ONCE, len(self))
            columns = (self.folder[start:stop].tolist(), self.names[start:stop].to_pylist())
            for id_, code, name in zip(self.hex_ids(start, stop), *columns, strict=True):
                yield ImageRef(id_, File(Path(self.folders[code], os.fsdecode(name))))

    def hex_ids(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Content ids, 64 hex digits each; no other column is touched."""
        text = self.ids[start:stop].tobytes().hex()
        width = 2 * _ID_BYTES
        return [text[first : first + width] for first in range(0, len(text), width)]

    def take(self, places: npt.NDArray[np.integer]) -> "Listing":
        """The images at these places; neighbours are views of the same columns."""
        if len(places) and int(places[-1]) - int(places[0]) == len(places) - 1:
            run = np.arange(int(places[0]), int(places[0]) + len(places))
            if np.array_equal(places, run):
                part = slice(int(places[0]), int(places[0]) + len(places))
                names = self.names[part.start : part.stop]
                return Listing(self.ids[part], self.folders, self.folder[part], names)
        import pyarrow as pa

        names = self.names.take(pa.array(places, pa.int64()))
        return Listing(self.ids[places], self.folders, self.folder[places], names)

    @property
    def nbytes(self) -> int:
        """Of all columns, in memory."""
        return int(self.ids.nbytes + self.folder.nbytes + self.names.nbytes)
