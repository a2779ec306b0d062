"""Which parts a comparison has: each is two sets of images, with what they are compared within."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from visdiff_local.comparisons.table import BoolArray, Labels, Table
from visdiff_local.errors import InputError, UsageError

Kind = Literal["groups", "each", "trend", "models", "errors", "score"]
FEWEST = 4
"""Images a side that a part must have."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What the command names: the kind and its columns."""

    kind: Kind
    columns: tuple[str, ...]

    @classmethod
    def of(
        cls,
        by: str | None,
        each: str | None,
        models: str | None,
        errors: str | None,
        score: str | None,
        *,
        ordered: bool,
        sides: bool,
    ) -> "Asked":
        """From options, of which one says what to compare.

        Args:
            sides: whether conditions for A and B are given.

        Raises:
            UsageError: it is not said, or said twice; the message says what to type.
        """
        named: dict[Kind, str | None] = {
            "trend" if ordered else "groups": by,
            "each": each,
            "models": models,
            "errors": errors,
            "score": score,
        }
        chosen = [(kind, value) for kind, value in named.items() if value is not None]
        if len(chosen) != 1:
            raise UsageError(
                "say what to compare, with one of --by COLUMN, --each COLUMN, --score COLUMN,"
                " --errors LABEL,MODEL, --models LABEL,MODEL_1,MODEL_2"
            )
        if ordered and by is None:
            raise UsageError(
                "--ordered goes with --by: visdiff-local compare TABLE --by month --ordered"
            )
        if sides != (each is not None):
            raise UsageError("--a and --b go with --each COLUMN, and it needs them")
        ((kind, value),) = chosen
        return cls(kind, tuple(part.strip() for part in value.split(",") if part.strip()))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One comparison of two sets."""

    name: str
    a: BoolArray
    b: BoolArray
    names: tuple[str, str]
    strata: Labels | None = None
    one_way: bool = False
    """Only what is more true of A counts: a group against the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The parts, and an order of the images where scores are to rise or fall with it."""

    kind: Kind
    parts: tuple[Part, ...]
    group: Labels
    """(N,) the group of each image, for the table text × group."""
    order: npt.NDArray[np.float64] | None = None
    strata: Labels | None = None
    """What the order counts within."""
    right: dict[str, BoolArray] | None = None
    """(N,) by model: whether its prediction is right."""

    @property
    def kinds(self) -> list[Hashable]:
        """(N,) what the halves are balanced by."""
        in_parts = np.zeros(len(self.group), np.int64)
        for part in self.parts[:20]:
            in_parts = in_parts * 3 + part.a + 2 * part.b
        return list(zip(self.group, in_parts.tolist(), strict=True))


def make(table: Table, asked: Asked, within: str | None) -> Plan:
    """The plan for what was asked.

    Raises:
        InputError: a column is missing, or has too few values or images to compare.
    """
    strata = None if within is None else table.labels(within)
    maker = {
        "groups": _groups, "trend": _trend, "each": _each,
        "models": _models, "errors": _errors, "score": _score,
    }[asked.kind]  # fmt: skip
    plan = maker(table, asked.columns, strata)
    plan = replace(plan, parts=tuple(part for part in plan.parts if _comparable(part)))
    if not plan.parts and asked.kind in ("models", "errors") and within is None:
        raise InputError(
            f"no class of {asked.columns[0]!r} has both {FEWEST} images that are compared and "
            f"{FEWEST} to compare them with; name coarser classes with --within COLUMN"
        )
    if not plan.parts:
        raise InputError(
            f"no part of {', '.join(asked.columns)} has {FEWEST} images on either side: nothing "
            "can be compared"
        )
    return plan


def _groups(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """Each value of a column against all others."""
    group = table.labels(columns[0])
    values = _values(group, columns[0])
    known = _is(group, None, negate=True)
    parts = [
        Part(value, mine := _is(group, value), known & ~mine, (value, "the rest"), strata, True)
        for value in values
    ]
    return Plan("groups", _enough(parts), group)


def _each(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """A against B within each value; and within all of them together."""
    group, side = table.labels(columns[0]), table.side
    a, b = side == 0, side == 1
    names = table.sides[0].name, table.sides[-1].name
    parts = [
        Part(value, a & (mine := _is(group, value)), b & mine, names, strata)
        for value in _values(group, columns[0])
    ]
    pooled = Part(f"within {columns[0]}", a, b, names, group)
    return Plan("each", (*_enough(parts), *_enough([pooled])), group)


def _errors(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """What a model gets wrong against what it gets right, within class."""
    label, predicted = _two(table, columns, 2)
    right = np.array([one == other for one, other in zip(label, predicted, strict=True)])
    known = _is(label, None, negate=True) & _is(predicted, None, negate=True)
    part = Part(columns[1], known & ~right, known & right, ("wrong", "right"), strata or label)
    return Plan("errors", _enough([part]), label, right={columns[1]: right})


def _models(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """What one model gets wrong and the other right, against the reverse, within class."""
    label, one, other = _two(table, columns, 3)
    right = [np.array([x == y for x, y in zip(label, said, strict=True)]) for said in (one, other)]
    names = f"{columns[1]} wrong", f"{columns[2]} wrong"
    part = Part(
        f"{columns[1]} or {columns[2]}",
        ~right[0] & right[1],
        right[0] & ~right[1],
        names,
        strata or label,
    )
    right_of = dict(zip(columns[1:], right, strict=True))
    return Plan("models", _enough([part]), label, right=right_of)


def _score(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """Proposed from the highest and the lowest quarter, tested by rank correlation on all."""
    score = table.numbers(columns[0])
    low, high = np.nanquantile(score, [0.25, 0.75])
    names = f"high {columns[0]}", f"low {columns[0]}"
    part = Part(columns[0], score >= high, score <= low, names, strata)
    quarter: Labels = [
        None if np.isnan(v) else f"quarter {1 + int(np.searchsorted(_cuts(score), v))}"
        for v in score
    ]
    return Plan("score", _enough([part]), quarter, score, strata)


def _trend(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """Proposed from the last and the first third of the values, tested on all of them."""
    group = table.labels(columns[0])
    values = sorted(_values(group, columns[0]), key=natural)
    place = {value: float(number) for number, value in enumerate(values)}
    order = np.array([np.nan if label is None else place[label] for label in group])
    third = max(1, len(values) // 3)
    names = f"late {columns[0]}", f"early {columns[0]}"
    part = Part(columns[0], order >= len(values) - third, order < third, names, strata)
    return Plan("trend", _enough([part]), group, order, strata)


def _two(table: Table, columns: tuple[str, ...], wanted: int) -> list[Labels]:
    if len(columns) != wanted:
        raise InputError(f"{wanted} columns are needed, with commas between; {len(columns)} given")
    return [table.labels(column) for column in columns]


def _values(labels: Labels, column: str) -> list[str]:
    found = sorted({label for label in labels if label is not None}, key=natural)
    if len(found) < 2:
        raise InputError(f"the column {column!r} has fewer than two values: nothing to compare")
    return found


def _is(labels: Labels, value: str | None, *, negate: bool = False) -> BoolArray:
    found = np.array([label == value for label in labels], np.bool_)
    return ~found if negate else found


def _enough(parts: list[Part]) -> tuple[Part, ...]:
    return tuple(part for part in parts if min(part.a.sum(), part.b.sum()) >= FEWEST)


def _comparable(part: Part) -> bool:
    """Whether its strata, together, have enough images on either side in classes of both sides."""
    if part.strata is None:
        return True
    sides = [Counter(part.strata[i] for i in np.flatnonzero(mask)) for mask in (part.a, part.b)]
    shared = (sides[0].keys() & sides[1].keys()) - {None}
    # Halving must leave both sides of a class on both halves.
    return sum(min(side[name] for side in sides) >= 2 for name in shared) > 0 and all(
        sum(side[name] for name in shared) >= FEWEST for side in sides
    )


def _cuts(score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.nanquantile(score, [0.25, 0.5, 0.75]))


def natural(text: str) -> tuple[tuple[int, float, str], ...]:
    """Sorts "camera 2" before "camera 10"."""
    import re

    return tuple(
        (0, float(part), "") if part.isdecimal() else (1, 0.0, part)
        for part in re.split(r"(\d+)", text)
    )
