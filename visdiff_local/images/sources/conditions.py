"""Conditions on table columns, such as ``difficulty == "easy" and group_name != "dogs"``.

Python's own parser reads them, and this module interprets a handful of node types; nothing is ever
evaluated as code.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from visdiff_local.errors import InputError

Cell = str | float | bool | None
_MAX_LENGTH = 2000
_ORDER: Mapping[type[ast.cmpop], Callable[[float | str, float | str], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Condition:
    """A parsed condition: the columns that it names, and whether a row satisfies it."""

    text: str
    tree: ast.expr
    columns: tuple[str, ...]

    def holds(self, row: Mapping[str, object]) -> bool:
        """Raises :class:`InputError` where values cannot be compared."""
        return _holds(self.tree, row)


def parse_condition(text: str) -> Condition | None:
    """The condition; None when the text is not one (a plain value, say).

    Raises:
        InputError: it is a condition, but uses something that is not known here.
    """
    if len(text) > _MAX_LENGTH:
        raise InputError(f"a condition may have {_MAX_LENGTH} characters at most")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(tree, ast.Compare | ast.BoolOp | ast.UnaryOp):
        return None
    _check(tree, text)
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    if not names:
        raise InputError(f"the condition {text!r} names no column")
    return Condition(text, tree, tuple(dict.fromkeys(names)))


def _check(node: ast.expr, text: str) -> None:
    """All nodes are known: and, or, not, comparisons of a column with constants."""
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                _check(part, text)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            _check(part, text)
        case ast.Compare(left=left, comparators=rights):
            for side in (left, *rights):
                _check_operand(side, text)
        case _:
            _refuse(node, text)


def _check_operand(node: ast.expr, text: str) -> None:
    match node:
        case ast.Name() | ast.Constant(value=str() | int() | float() | None):
            pass
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            pass
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            for part in parts:
                _check_operand(part, text)
        case _:
            _refuse(node, text)


def _refuse(node: ast.expr, text: str) -> None:
    raise InputError(
        f"the condition {text!r} cannot be used: {ast.unparse(node)!r} is not understood; columns, "
        "'text', numbers, ==, !=, <, <=, >, >=, in, not in, and, or, not and brackets are"
    )


def _holds(node: ast.expr, row: Mapping[str, object]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_holds(part, row) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_holds(part, row) for part in parts)
        case ast.UnaryOp(operand=part):
            return not _holds(part, row)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            values = [_value(side, row) for side in (left, *rights)]
            steps = zip(values, ops, values[1:], strict=False)
            return all(_compare(one, op, other) for one, op, other in steps)
    raise AssertionError(f"unchecked node {ast.dump(node)}")


def _value(node: ast.expr, row: Mapping[str, object]) -> object:
    match node:
        case ast.Name(id=name):
            return row[name]
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return [_value(part, row) for part in parts]
    raise AssertionError(f"unchecked node {ast.dump(node)}")


def _compare(one: object, op: ast.cmpop, other: object) -> bool:
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


def _contains(container: object, item: object) -> bool:
    """Membership in a list of constants, or text within text."""
    if isinstance(container, list):
        return any(_equal(item, member) for member in container)
    return item is not None and container is not None and str(item) in str(container)


def _equal(one: object, other: object) -> bool:
    """Numbers by value even where the table holds them as text; all else as text."""
    if one is None or other is None:
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower()
    if isinstance(one, int | float) or isinstance(other, int | float):
        numbers = _number(one), _number(other)
        return None not in numbers and numbers[0] == numbers[1]
    return str(one) == str(other)


def _comparable(one: object, other: object) -> tuple[float, float] | tuple[str, str]:
    if isinstance(one, str) and isinstance(other, str):
        return one, other
    first, second = _number(one), _number(other)
    if first is None or second is None:
        raise InputError(f"{(one if first is None else other)!r} is no number to compare by < or >")
    return first, second


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None
