"""Which parts a comparison has: each is two sets of images, with what they are compared within."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from visdiff_local.comparisons.order import natural, ordered
from visdiff_local.comparisons.table import BoolArray, Labels, Table
from visdiff_local.errors import InputError, UsageError
from visdiff_local.types.comparison import Kind

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
    known: BoolArray | None = None
    """(N,) images with a label and all predictions; None: all."""
    values: tuple[str, ...] = ()
    """The groups, in their order."""
    told: bool = True
    """Whether their names tell that order."""
    left_out: tuple[str, ...] = ()
    """Groups with too few images to be compared."""

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
    names = {label for label in plan.group if label is not None}
    parts = tuple(part for part in plan.parts if _comparable(part))
    plan = replace(plan, parts=parts, values=plan.values or tuple(sorted(names, key=natural)))
    if plan.kind in ("groups", "each"):
        compared = {part.name for part in plan.parts}
        plan = replace(plan, left_out=tuple(v for v in plan.values if v not in compared))
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
    values = _values(group, columns[0], fewest=1)
    parts = [
        Part(value, a & (mine := _is(group, value)), b & mine, names, strata) for value in values
    ]
    known, all_of_them = _is(group, None, negate=True), f"within {columns[0]}"
    while all_of_them in values:
        all_of_them += " (all)"
    pooled = Part(all_of_them, a & known, b & known, names, _crossed(group, strata))
    return Plan("each", (*_enough(parts), *_enough([pooled])), group)


def _crossed(group: Labels, strata: Labels | None) -> Labels:
    """Images of one group and one stratum; None without either."""
    if strata is None:
        return group
    pairs = zip(group, strata, strict=True)
    return [None if None in pair else f"{pair[0]!r} {pair[1]!r}" for pair in pairs]


def _errors(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """What a model gets wrong against what it gets right, within class."""
    label, predicted = _named(table, columns, "--errors LABEL,MODEL", 2)
    known, (right,) = _right(columns, label, predicted)
    part = Part(columns[1], known & ~right, known & right, ("wrong", "right"), strata or label)
    return Plan("errors", _enough([part]), label, right={columns[1]: right}, known=known)


def _models(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """What one model gets wrong and the other right, against the reverse, within class."""
    label, *said = _named(table, columns, "--models LABEL,MODEL_1,MODEL_2", 3)
    known, right = _right(columns, label, *said)
    names = f"{columns[1]} wrong", f"{columns[2]} wrong"
    part = Part(
        f"{columns[1]} or {columns[2]}",
        known & ~right[0] & right[1],
        known & right[0] & ~right[1],
        names,
        strata or label,
    )
    right_of = dict(zip(columns[1:], right, strict=True))
    return Plan("models", _enough([part]), label, right=right_of, known=known)


def _right(columns: tuple[str, ...], label: Labels, *said: Labels) -> tuple[BoolArray, list[Any]]:
    """(N,) which images have a label and all predictions, and for each model which are right.

    Raises:
        InputError: a model's predictions have no value in common with the labels.
    """
    known = np.all([_is(column, None, negate=True) for column in (label, *said)], axis=0)
    classes = {label[i] for i in np.flatnonzero(known)}
    right = []
    for name, column in zip(columns[1:], said, strict=True):
        predicted = {column[i] for i in np.flatnonzero(known)}
        if not classes & predicted:
            seen = [
                ", ".join(sorted(map(repr, some))[:3]) or "none" for some in (classes, predicted)
            ]
            raise InputError(
                f"no value of {name!r} (such as {seen[1]}) is one of {columns[0]!r} (such as "
                f"{seen[0]}): labels and predictions must be written alike, label first"
            )
        right.append(np.array([one == other for one, other in zip(label, column, strict=True)]))
    return known, right


def _score(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """Proposed from the highest and the lowest quarter, tested by rank correlation on all."""
    score = table.numbers(columns[0])
    known = ~np.isnan(score)
    distinct = np.unique(score[known])
    if len(distinct) < 2:
        what = "no number" if not len(distinct) else f"the same number, {distinct[0]:g}, everywhere"
        raise InputError(f"the column {columns[0]!r} holds {what}: nothing can go with it")
    names = f"high {columns[0]}", f"low {columns[0]}"
    part = Part(columns[0], *_ends(score, 0.25), names, strata)
    cuts = np.quantile(score[known], [0.25, 0.5, 0.75])
    quarter: Labels = [
        None if np.isnan(v) else f"quarter {1 + int(np.searchsorted(cuts, v))}" for v in score
    ]
    return Plan("score", _enough([part]), quarter, score, strata)


def _trend(table: Table, columns: tuple[str, ...], strata: Labels | None) -> Plan:
    """Proposed from the latest and the earliest third of the images, tested on all of them."""
    group = table.labels(columns[0])
    values, told = ordered(_values(group, columns[0]))
    place = {value: float(number) for number, value in enumerate(values)}
    order = np.array([np.nan if label is None else place[label] for label in group])
    names = f"late {columns[0]}", f"early {columns[0]}"
    part = Part(columns[0], *_ends(order, 1 / 3), names, strata)
    return Plan("trend", _enough([part]), group, order, strata, values=tuple(values), told=told)


def _ends(order: npt.NDArray[np.float64], share: float) -> tuple[BoolArray, BoolArray]:
    """(N,) the highest and the lowest images, about this share of them each, ties together; where
    most have one value, what lies above it and below it."""
    low, high = np.nanquantile(order, [share, 1 - share])
    if low < high:
        return order >= high, order <= low
    above, below = order > high, order < low
    if above.any() and below.any():
        return above, below
    return (above, order <= low) if above.any() else (order >= high, below)


def _named(table: Table, columns: tuple[str, ...], option: str, wanted: int) -> list[Labels]:
    """Raises InputError where there are not as many columns as the option wants."""
    if len(columns) != wanted:
        raise InputError(
            f"type {option}: {wanted} columns with commas between, and not {len(columns)} "
            f"({', '.join(columns)})"
        )
    return [table.labels(column) for column in columns]


def _values(labels: Labels, column: str, fewest: int = 2) -> list[str]:
    found = sorted({label for label in labels if label is not None}, key=natural)
    if len(found) < fewest:
        only = f"only the value {found[0]!r}" if found else "no value"
        raise InputError(f"the column {column!r} has {only}: nothing can be compared")
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
