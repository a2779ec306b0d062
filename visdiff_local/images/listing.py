"""Very many images in columns: some sixty bytes an image, where an object each takes a thousand.

A :class:`Listing` is a sequence of :class:`~visdiff_local.types.ImageRef` that are made when they
are asked for, so that whatever takes a sequence of images takes ten million of them. The functions
below take any sequence, and touch the columns alone where there are columns.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, Self, overload

import numpy as np
import numpy.typing as npt

from visdiff_local.images import arrow, gather
from visdiff_local.images.located import AT_ONCE, Located
from visdiff_local.types import ImageRef, Window

if TYPE_CHECKING:
    import pyarrow as pa

Ids = npt.NDArray[np.void]
"""(n,), content ids of 32 bytes each."""
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ID_BYTES = 32


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Listing(Sequence[ImageRef]):
    """Images in columns; equal to any sequence of the same images.

    Args:
        at: where they lie.
        ids: V32 (n,); None while they are listed and not read.
        captions: that came with them, null where none did; None: with none of them.
        window: through which those of ``deep`` are seen.
        deep: bool (n,), which have more than 8 bits; None: none of them.
    """

    at: Located
    ids: Ids | None = None
    captions: "pa.StringArray | None" = None
    window: Window | None = None
    deep: BoolArray | None = None

    @classmethod
    def of(cls, refs: Iterable[ImageRef]) -> Self:
        """From images one by one, all of them read or none; raises ValueError for an id that is no
        sha256, and for several windows."""
        each = tuple(refs)
        ids = None if not any(ref.id for ref in each) else raw_ids([ref.id for ref in each])
        windows = {ref.window for ref in each} - {None}
        if len(windows) > 1 or (ids is not None and len(ids) != len(each)):
            raise ValueError("these images have no columns: several windows, or odd ids")
        deep = np.array([ref.window is not None for ref in each], np.bool_) if windows else None
        captions = [ref.caption for ref in each]
        return cls(
            gather.located(ref.at for ref in each),
            ids,
            arrow.texts(captions) if any(one is not None for one in captions) else None,
            windows.pop() if windows else None,
            deep,
        )

    def __len__(self) -> int:
        return len(self.at)

    @overload
    def __getitem__(self, index: int) -> ImageRef: ...

    @overload
    def __getitem__(self, index: slice) -> "Listing": ...

    def __getitem__(self, index: int | slice) -> "ImageRef | Listing":
        if isinstance(index, slice):
            return self.take(np.arange(*index.indices(len(self))))
        at = self.at[index]
        index %= len(self)
        id_ = "" if self.ids is None else self.ids[index].tobytes().hex()
        caption = None if self.captions is None else self.captions[index].as_py()
        through = self.window if self.deep is not None and self.deep[index] else None
        return ImageRef(id_, at, caption, through)

    def __iter__(self) -> Iterator[ImageRef]:
        for start in range(0, len(self), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            ids = repeat("") if self.ids is None else self.hex_ids(start, start + AT_ONCE)
            captions = repeat(None) if self.captions is None else self.captions[part].to_pylist()
            deep = repeat(False) if self.deep is None else self.deep[part].tolist()
            for at, id_, caption, seen in zip(self.at[part], ids, captions, deep, strict=False):
                yield ImageRef(id_, at, caption, self.window if seen else None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Listing of {len(self)} images>"

    def hex_ids(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Content ids, 64 hex digits each; no other column is touched.

        Raises:
            ValueError: the images are listed and not read.
        """
        if self.ids is None:
            raise ValueError(f"no content id yet (read_set gives it): {self[0].name}")
        return hex_of(self.ids[start:stop])

    def take(self, indices: IntArray) -> "Listing":
        """The images at these indices; neighbours are views of the same columns."""
        captions = self.captions
        if captions is not None:
            captions = captions.take(arrow.numbers(indices))
        return Listing(
            self.at.take(indices),
            None if self.ids is None else self.ids[indices],
            captions,
            self.window,
            None if self.deep is None else self.deep[indices],
        )

    @property
    def nbytes(self) -> int:
        """Of all columns, in memory."""
        columns = (self.ids, self.captions, self.deep)
        return self.at.nbytes + sum(int(c.nbytes) for c in columns if c is not None)


def taken(images: Sequence[ImageRef], indices: IntArray) -> Sequence[ImageRef]:
    """The images at these indices: (n,) of a listing a listing, else a tuple."""
    if isinstance(images, Listing):
        return images.take(indices)
    return tuple(images[index] for index in indices.tolist())


def joined(parts: Sequence[Sequence[ImageRef]]) -> Sequence[ImageRef]:
    """The images of one part after those of the other; columns where all parts have them."""
    listings = [part for part in parts if isinstance(part, Listing)]
    windows = {part.window for part in listings} - {None}
    unread = {part.ids is None for part in listings}
    if len(listings) < len(parts) or len(windows) > 1 or len(unread) != 1:
        return tuple(ref for part in parts for ref in part)
    ids = [part.ids for part in listings if part.ids is not None]
    deep = [np.zeros(len(p), np.bool_) if p.deep is None else p.deep for p in listings]
    return Listing(
        gather.joined([part.at for part in listings]),
        np.concatenate(ids) if ids else None,
        _all_captions(listings),
        windows.pop() if windows else None,
        np.concatenate(deep) if any(part.deep is not None for part in listings) else None,
    )


def _all_captions(listings: Sequence[Listing]) -> "pa.StringArray | None":
    if all(part.captions is None for part in listings):
        return None
    import pyarrow as pa

    return pa.concat_arrays(
        [
            pa.nulls(len(part), pa.string()) if part.captions is None else part.captions
            for part in listings
        ]
    )


def named(images: Sequence[ImageRef], start: int = 0, stop: int | None = None) -> list[str]:
    """What people see, of these images."""
    if isinstance(images, Listing):
        return images.at.names(start, stop)
    return [ref.name for ref in images[start:stop]]


def whole_files(images: Sequence[ImageRef]) -> BoolArray:
    """(n,) which are all of their bytes, and no frame or box of them."""
    if isinstance(images, Listing):
        return images.at.whole
    return np.array([not ref.at.part for ref in images], np.bool_)


def ids_of(
    images: Sequence[ImageRef] | Sequence[str], start: int = 0, stop: int | None = None
) -> list[str]:
    """Content ids, 64 hex digits each; "" of an image that is listed and not read."""
    if isinstance(images, Listing) and images.ids is not None:
        return images.hex_ids(start, stop)
    return [one if isinstance(one, str) else one.id for one in images[start:stop]]


def ranks(*groups: Sequence[ImageRef] | Sequence[str]) -> list[IntArray]:
    """For each group (n,) the rank of every id among the ids of all groups: equal ids have equal
    ranks, from 0 without gaps, and ranks rise as ids do.

    Args:
        groups: of images, or of ids.
    """
    raw = [_raw(group) for group in groups]
    sound = [ids for ids in raw if ids is not None]
    if len(sound) == len(groups):
        rank = _ranks_of(np.concatenate(sound))
    else:
        names = [one if isinstance(one, str) else one.id for group in groups for one in group]
        place = {name: number for number, name in enumerate(sorted(set(names)))}
        rank = np.array([place[name] for name in names], np.int64)
    cuts = np.cumsum([len(group) for group in groups])[:-1]
    return np.split(rank, cuts)


def _raw(group: Sequence[ImageRef] | Sequence[str]) -> Ids | None:
    """Of 32 bytes each; None where an id is no sha256, as in a test."""
    if isinstance(group, Listing):
        return group.ids
    ids = [one if isinstance(one, str) else one.id for one in group]
    if any(len(id_) != 2 * ID_BYTES for id_ in ids):
        return None
    try:
        return raw_ids(ids)
    except ValueError:
        return None


def _ranks_of(ids: Ids) -> IntArray:
    if not len(ids):
        return np.zeros(0, np.int64)
    words = np.ascontiguousarray(ids).view(">u8").reshape(-1, ID_BYTES // 8).astype(np.uint64)
    order = np.argsort(words[:, 0], kind="stable")
    first = words[order, 0]
    same = first[1:] == first[:-1]
    if same.any() and (words[order[1:]][same] != words[order[:-1]][same]).any():
        order = np.lexsort(words.T[::-1])  # ids that begin alike and are not the same
        same = (words[order[1:]] == words[order[:-1]]).all(axis=1)
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.concatenate([[0], np.cumsum(~same)])
    return rank


def raw_ids(ids: Sequence[str]) -> Ids:
    """Content ids, 64 hex digits each, as 32 bytes each."""
    return np.frombuffer(bytes.fromhex("".join(ids)), dtype=f"V{ID_BYTES}")


def hex_of(ids: Ids) -> list[str]:
    """Content ids of 32 bytes as 64 hex digits."""
    text = ids.tobytes().hex()
    width = 2 * ID_BYTES
    return [text[first : first + width] for first in range(0, len(text), width)]


def with_captions(images: Listing, captions: Sequence[str | None]) -> Listing:
    """The same images, captioned."""
    return replace(images, captions=arrow.texts(captions))
