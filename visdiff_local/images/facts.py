"""What is known of images by their bytes alone: of one, and of very many in columns.

A :class:`FactColumns` takes some ninety bytes an image, where an object each takes a thousand.
Measured values are float32 there, in a cold run and a warm one alike.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from visdiff_local.images.covariates import Column
from visdiff_local.images.decoders.window import Levels
from visdiff_local.images.listing import Ids, raw_ids

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an image by its bytes alone. Width and height as shown, upright."""

    width: int
    height: int
    format: str
    phash: int
    """Perceptual hash, 64 bits, unsigned."""
    values: tuple[float, ...]
    """Measured attributes, in the order that the measuring function documents."""
    frames: int = 1
    """Pictures in the file: pages, frames of an animation, slices."""
    bands: int = 3
    """Of a pixel as stored."""
    levels: Levels | None = None
    """How the values of deep pixels are spread; nothing is measured on them until a window is
    known, and ``values`` is empty then."""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What its header says that may group images, keyed so that nobody reads it; see
    :mod:`.decoders.exif`."""


_FIELDS = tuple(one.name for one in fields(Facts))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FactColumns(Sequence[Facts]):
    """Facts of n images, in their order; an item is made when it is asked for.

    Args:
        sizes: int32 (n, 2), width and height.
        phash: uint64 (n,).
        values: float32 (n, k); NaN where an attribute does not exist for the image.
        format: int16 (n,), the index in ``formats``.
        formats: names of file formats, each once.
        frames: int32 (n,).
        bands: int16 (n,).
        deep: by index, how the values of deep pixels are spread; most images have none.
        tags: what headers say that may group images, by name.
    """

    sizes: npt.NDArray[np.int32]
    phash: npt.NDArray[np.uint64]
    values: npt.NDArray[np.float32]
    format: npt.NDArray[np.int16]
    formats: tuple[str, ...]
    frames: npt.NDArray[np.int32]
    bands: npt.NDArray[np.int16]
    deep: Mapping[int, Levels] = field(default_factory=dict)
    tags: Mapping[str, Column] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Iterable[Facts]) -> Self:
        """From facts one by one. Raises ValueError where they differ in the number of values."""
        return cls.of_rows([tuple(getattr(one, n) for n in _FIELDS) for one in facts])

    @classmethod
    def of_rows(cls, rows: Sequence[Sequence[Any]]) -> Self:
        """From the fields of facts, a row an image, in the order of :class:`Facts`. Raises
        ValueError where they differ in their number, or in the number of values."""
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(_FIELDS)
        widths, heights, names, phash, measured, frames, bands, levels, told = columns
        formats = {name: code for code, name in enumerate(dict.fromkeys(names))}
        width = max(map(len, measured), default=0)
        blank = (np.nan,) * width  # deep pixels before there is a window
        values = measured if all(measured) else [one or blank for one in measured]
        tags = dict.fromkeys(name for one in told if one for name in one)
        return cls(
            np.array([widths, heights], np.int32).T,
            np.array(phash, np.uint64),
            np.array(values, np.float32).reshape(len(rows), width),
            np.array([formats[name] for name in names], np.int16),
            tuple(formats),
            np.array(frames, np.int32),
            np.minimum(bands, 32767).astype(np.int16),
            {i: one for i, one in enumerate(levels) if one is not None},
            {name: Column.of([one.get(name) for one in told]) for name in tags},
        )

    def __len__(self) -> int:
        return len(self.phash)

    @overload
    def __getitem__(self, index: int) -> Facts: ...

    @overload
    def __getitem__(self, index: slice) -> "FactColumns": ...

    def __getitem__(self, index: int | slice) -> "Facts | FactColumns":
        if isinstance(index, slice):
            return self.take(np.arange(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(f"{index} of {len(self)} images")
        return next(iter(self.take(np.array([index % len(self)]))))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FactColumns) and repr(list(self)) == repr(list(other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<FactColumns of {len(self)} images>"

    def __iter__(self) -> Iterator[Facts]:
        rows = zip(self.sizes, self.format, self.phash, self.values, strict=True)
        for index, ((width, height), code, phash, values) in enumerate(rows):
            tags = {name: column[index] for name, column in self.tags.items()}
            yield Facts(
                *(int(width), int(height), self.formats[code], int(phash)),
                tuple(values.tolist()),
                *(int(self.frames[index]), int(self.bands[index]), self.deep.get(index)),
                {name: str(value) for name, value in tags.items() if value is not None},
            )

    def take(self, indices: IntArray) -> "FactColumns":
        """Those of the images at these indices."""
        deep: dict[int, Levels] = {}
        if self.deep:
            known = ((new, self.deep.get(old)) for new, old in enumerate(indices.tolist()))
            deep = {new: levels for new, levels in known if levels is not None}
        return FactColumns(
            self.sizes[indices],
            self.phash[indices],
            self.values[indices],
            self.format[indices],
            self.formats,
            self.frames[indices],
            self.bands[indices],
            deep,
            {name: column.take(indices) for name, column in self.tags.items()},
        )

    @property
    def nbytes(self) -> int:
        """Of all columns, in memory; the levels of deep pixels are not among them."""
        columns = (self.sizes, self.phash, self.values, self.format, self.frames, self.bands)
        return sum(column.nbytes for column in columns)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of some of many images, in rising order of their indices (m,) there."""

    at: IntArray
    ids: Ids
    facts: FactColumns

    @classmethod
    def of(cls, found: Sequence[tuple[int, str, Facts]]) -> "Known":
        """Index, content id, facts."""
        return cls(
            np.array([index for index, _, _ in found], np.int64),
            raw_ids([id_ for _, id_, _ in found]),
            FactColumns.of(facts for _, _, facts in found),
        )

    def take(self, chosen: IntArray) -> "Known":
        return Known(self.at[chosen], self.ids[chosen], self.facts.take(chosen))

    @classmethod
    def joined(cls, parts: Sequence["Known"]) -> "Known":
        """All of them, in rising order of their indices."""
        if not parts:
            return cls.of(())
        whole = cls(
            np.concatenate([part.at for part in parts]),
            np.concatenate([part.ids for part in parts]),
            joined([part.facts for part in parts]),
        )
        if (np.diff(whole.at) > 0).all():
            return whole
        return whole.take(np.argsort(whole.at, kind="stable"))


def joined(parts: Sequence[FactColumns]) -> FactColumns:
    """The facts of one part after those of the other."""
    if len(parts) == 1:
        return parts[0]
    formats: dict[str, int] = {}
    codes, deep, first = [], {}, 0
    for part in parts:
        renamed = [formats.setdefault(name, len(formats)) for name in part.formats]
        codes.append(np.array([*renamed, 0], np.int16)[part.format])
        deep.update({first + index: levels for index, levels in part.deep.items()})
        first += len(part)
    width = max((part.values.shape[1] for part in parts), default=0)
    return FactColumns(
        np.concatenate([part.sizes for part in parts]),
        np.concatenate([part.phash for part in parts]),
        np.concatenate([_widened(part.values, width) for part in parts]),
        np.concatenate(codes),
        tuple(formats),
        np.concatenate([part.frames for part in parts]),
        np.concatenate([part.bands for part in parts]),
        deep,
        {
            name: Column.joined([part.tags.get(name) or Column.none(len(part)) for part in parts])
            for name in dict.fromkeys(name for part in parts for name in part.tags)
        },
    )


def _widened(values: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """Of deep pixels alone no window was known, and nothing was measured."""
    if values.shape[1] == width:
        return values
    return np.full((len(values), width), np.nan, np.float32)
