"""Images inside larger files (members of archives, rows of tables), in columns.

Some forty bytes each and their names, where an object each takes four hundred.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeGuard

import numpy as np
import numpy.typing as npt

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images import arrow
from visdiff_local.images.archives import TarMember, ZipMember, stamped
from visdiff_local.images.located import AT_ONCE, IntArray, Located, consecutive, recoded
from visdiff_local.images.rows import ArrowRow, ParquetRow
from visdiff_local.types import Locator, Stamp

if TYPE_CHECKING:
    import pyarrow as pa

Member = TarMember | ZipMember | ParquetRow | ArrowRow
_NAMES = ("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Container:
    """A file that holds many images, and what all of them have in common.

    Args:
        column: of a table, the column that holds them.
        packed: whether an archive is compressed as a whole.
    """

    kind: type[Member]
    path: Path
    column: str = ""
    packed: bool = False

    @classmethod
    def of(cls, at: Member) -> Self:
        if isinstance(at, ParquetRow | ArrowRow):
            return cls(type(at), at.file, at.column)
        return cls(type(at), at.archive, packed=isinstance(at, TarMember) and at.packed)

    def member(self, text: str, other: str, place: int, size: int) -> Member:
        if self.kind is TarMember:
            return TarMember(self.path, text, place, size, packed=self.packed)
        if self.kind is ZipMember:
            return ZipMember(self.path, text, place, other)
        row = ParquetRow if self.kind is ParquetRow else ArrowRow
        return row(self.path, place, self.column, text)


@dataclass(frozen=True, slots=True, eq=False)
class Members(Located):
    """Images inside larger files.

    Args:
        containers: each once.
        container: int32 (n,), which of them.
        texts: the name in an archive; of a row what it calls its image.
        others: the name for people, where the library that reads it has another.
        place: int64 (n,), the offset or the row.
        size: int64 (n,), bytes; 0 where the container knows it better.
    """

    containers: tuple[Container, ...]
    container: npt.NDArray[np.int32]
    texts: "pa.BinaryArray"
    others: "pa.BinaryArray"
    place: IntArray
    size: IntArray

    @classmethod
    def of(cls, members: Iterable[Member]) -> Self:
        """From members one by one; no more than some thousand of them are held."""
        import pyarrow as pa

        known: dict[Container, int] = {}
        codes, places, sizes = ([np.zeros(0, np.int64)] for _ in range(3))
        texts, others = [arrow.raw(())], [arrow.raw(())]
        rest = iter(members)
        while part := list(islice(rest, AT_ONCE)):
            found = [known.setdefault(Container.of(one), len(known)) for one in part]
            codes.append(np.array(found, np.int64))
            texts.append(_raw([_text(one) for one in part]))
            others.append(_raw([_other(one) for one in part]))
            places.append(np.array([_place(one) for one in part], np.int64))
            held = [one.size if isinstance(one, TarMember) else 0 for one in part]
            sizes.append(np.array(held, np.int64))
        return cls(
            tuple(known),
            np.concatenate(codes).astype(np.int32),
            pa.concat_arrays(texts),
            pa.concat_arrays(others),
            np.concatenate(places),
            np.concatenate(sizes),
        )

    @classmethod
    def joined(cls, parts: Sequence["Members"]) -> Self:
        """Those of one part after those of the other."""
        import pyarrow as pa

        containers, codes = recoded([(part.containers, part.container) for part in parts])
        return cls(
            containers,
            codes,
            pa.concat_arrays([part.texts for part in parts]),
            pa.concat_arrays([part.others for part in parts]),
            np.concatenate([part.place for part in parts]),
            np.concatenate([part.size for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.container)

    def take(self, indices: IntArray) -> "Members":
        """Neighbours are views of the same columns."""
        chosen: IntArray | slice = indices
        if consecutive(indices):
            chosen = slice(int(indices[0]), int(indices[-1]) + 1)
            texts, others = self.texts[chosen], self.others[chosen]
        else:
            numbers = arrow.numbers(indices)
            texts, others = self.texts.take(numbers), self.others.take(numbers)
        return Members(
            self.containers,
            self.container[chosen],
            texts,
            others,
            self.place[chosen],
            self.size[chosen],
        )

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        return np.ones(len(self), np.bool_)

    @property
    def nbytes(self) -> int:
        columns = (self.container, self.texts, self.others, self.place, self.size)
        return sum(int(column.nbytes) for column in columns)

    def stamps(self, start: int, stop: int) -> list[Stamp | UnreadableImageError]:
        """As each one's own; the system is asked about each container once."""
        ages: dict[int, Stamp | UnreadableImageError] = {}
        for code in np.unique(self.container[start:stop]).tolist():
            try:
                ages[code] = stamped(self.containers[code].path, "", "")
            except UnreadableImageError as error:
                ages[code] = error
        found: list[Stamp | UnreadableImageError] = []
        codes = self.container[start:stop].tolist()
        for code, at in zip(codes, self._part(start, stop), strict=True):
            age = ages[code]
            found.append(age._replace(path=age.path + at.inside) if isinstance(age, Stamp) else age)
        return found

    def _part(self, start: int, stop: int | None) -> Iterator[Member]:
        rows = zip(
            self.container[start:stop].tolist(),
            _texts(self.texts[start:stop]),
            _texts(self.others[start:stop]),
            self.place[start:stop].tolist(),
            self.size[start:stop].tolist(),
            strict=True,
        )
        for code, *fields in rows:
            yield self.containers[code].member(*fields)

    def _one(self, index: int) -> Member:
        return next(self._part(index, index + 1))


def all_members(each: Sequence[Locator]) -> TypeGuard[Sequence[Member]]:
    """Whether all are whole images inside larger files."""
    return bool(each) and all(isinstance(at, Member) and not at.part for at in each)


def _text(at: Member) -> str:
    return at.shown_name if isinstance(at, ParquetRow | ArrowRow) else at.member


def _other(at: Member) -> str:
    return at.shown_name if isinstance(at, ZipMember) and at.shown_name != at.member else ""


def _place(at: Member) -> int:
    return at.row if isinstance(at, ParquetRow | ArrowRow) else at.offset


def _raw(texts: Sequence[str]) -> "pa.BinaryArray":
    return arrow.raw([text.encode(*_NAMES) for text in texts])


def _texts(values: "pa.BinaryArray") -> list[str]:
    return [value.decode(*_NAMES) for value in values.to_pylist()]
