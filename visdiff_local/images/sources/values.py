"""How cells compare: numbers by value, dates by day, text as text, however a table has them."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from visdiff_local.errors import InputError
from visdiff_local.images.covariates import Cell

_ORDER: Mapping[type[ast.cmpop], Callable[..., bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_TRUE, _FALSE = ("true", "yes", "y", "t", "1", "1.0"), ("false", "no", "n", "f", "0", "0.0", "")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})$")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})$")


def compare(one: object, op: ast.cmpop, other: object) -> bool:
    """Raises :class:`InputError` where values have no order."""
    match op:
        case ast.Eq() | ast.Is():
            return _equal(one, other)
        case ast.NotEq() | ast.IsNot():
            return not _equal(one, other)
        case ast.In():
            return _contains(other, one)
        case ast.NotIn():
            return not _contains(other, one)
    if one is None or other is None:
        return False
    return _ORDER[type(op)](*_comparable(one, other))


def truth(name: str, cell: Cell) -> bool:
    """A bare column as a condition; nothing is false.

    Raises:
        InputError: the column holds something that is neither true nor false.
    """
    text = "" if cell is None else str(cell).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise InputError(
        f"the column {name!r} is neither true nor false ({cell!r}); compare it: {name} == '…'"
    )


def number(value: object) -> float | None:
    """The number that a cell holds, as text too; None where it is none."""
    try:
        return float(str(value))
    except ValueError:
        return None


def moment(value: object) -> datetime | None:
    """The day or time that a cell holds: ISO, ``2024/3/1`` or ``1.3.2024``; None where it is none.

    Without a zone it is taken to be UTC.
    """
    text = str(value).strip()
    year_first, day_first = _YEAR_FIRST.match(text), _DAY_FIRST.match(text)
    try:
        if year_first:
            year, month, day = map(int, year_first.groups())
            return datetime(year, month, day, tzinfo=UTC)
        if day_first:
            day, month, year = map(int, day_first.groups())
            return datetime(year, month, day, tzinfo=UTC)
        if "-" not in text:  # 20240301 is a number before it is a day
            return None
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _contains(container: object, item: object) -> bool:
    """Membership in a list of constants, or text within text."""
    if isinstance(container, list):
        return any(_equal(item, member) for member in container)
    return item is not None and container is not None and str(item) in str(container)


def _equal(one: object, other: object) -> bool:
    """Numbers by value even where the table holds them as text, likewise days; else as text."""
    if one is None or other is None:
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower()
    if isinstance(one, int | float) or isinstance(other, int | float):
        numbers = number(one), number(other)
        return None not in numbers and numbers[0] == numbers[1]
    if str(one) == str(other):
        return True
    times = moment(one), moment(other)
    return None not in times and times[0] == times[1]


def _comparable(one: object, other: object) -> tuple[object, object]:
    if isinstance(one, str) and isinstance(other, str):
        times = moment(one), moment(other)
        return times if None not in times else (one, other)
    first, second = number(one), number(other)
    if first is None or second is None:
        raise InputError(f"{(one if first is None else other)!r} is no number to compare by < or >")
    return first, second
