"""All images of a run, column by column: what ``images.parquet`` holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, eq=False)
class TextScores:
    """What a ranker said of one text, for every image: ``values`` float (N,), NaN: no answer."""

    text: str
    kind: Literal["cosine", "p_yes", "rank"]
    """A cosine of CLIP, P(yes) of a model that answers questions, or an ensemble's mean rank."""
    values: Any


@dataclass(frozen=True, slots=True, eq=False)
class Made(Sequence[Any]):
    """A column whose cells are made part by part, when they are asked for.

    Args:
        rows: how many.
        part: the cells from the first row to before the second.
        array: the same as Arrow has them, where no cell needs to be an object for it; None of
            rows that want to be made one by one.
    """

    rows: int
    part: Callable[[int, int], Sequence[Any]]
    array: "Callable[[int, int], pa.Array | None]" = lambda first, last: None

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, place: int | slice) -> Any:
        if not isinstance(place, slice):
            place = range(self.rows)[place]
            return self.part(place, place + 1)[0]
        start, stop, step = place.indices(self.rows)
        return self.part(start, max(start, stop))[::step] if step > 0 else list(self)[place]


@dataclass(frozen=True, slots=True, eq=False)
class ImageTable:
    """All images of a run or comparison, column by column; ``images.parquet`` is this, written
    down. Every column has N values; None, or NaN in a column of numbers, where there is none."""

    facts: Mapping[str, Sequence[Any]]
    """Who each image is and what it was used for; see :mod:`visdiff_local.results.scores`."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What was measured: float (N,) by attribute."""
    texts: tuple[TextScores, ...] = ()
