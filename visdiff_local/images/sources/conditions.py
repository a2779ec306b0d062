"""Conditions on table columns, such as ``difficulty == "easy" and score > quantile(0.75)``.

Python's own parser reads them, and this module interprets a handful of node types; nothing is ever
evaluated as code. A name with blanks stands in backticks: ``\\`site name\\` == "north"``.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from visdiff_local.errors import InputError
from visdiff_local.images.covariates import Cell
from visdiff_local.images.sources.values import compare, number, truth

_MAX_LENGTH = 2000
_BACKTICKS = re.compile(r"`([^`]*)`")
_SINGLE_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_QUANTILE = "quantile"


@dataclass(frozen=True)
class Condition:
    """A parsed condition: the columns that it names, and whether a row satisfies it."""

    text: str
    tree: ast.expr
    columns: tuple[str, ...]
    quantiles: Mapping[tuple[str, float], float]
    """Of the columns, once they are known; see :meth:`bound`."""

    def bound(self, columns: Mapping[str, Sequence[Cell]]) -> "Condition":
        """With its quantiles, of all rows.

        Raises:
            InputError: a quantile is asked for of a column without numbers.
        """
        found = {}
        for name, share in _quantiles(self.tree):
            numbers = [n for n in map(number, columns[name]) if n is not None and np.isfinite(n)]
            if not numbers:
                raise InputError(f"the column {name!r} has no numbers, and so no quantile")
            found[name, share] = float(np.quantile(numbers, share))
        return replace(self, quantiles=found)

    def holds(self, row: Mapping[str, Cell]) -> bool:
        """Raises :class:`InputError` where values cannot be compared."""
        return self._holds(self.tree, row)

    def _holds(self, node: ast.expr, row: Mapping[str, Cell]) -> bool:
        match node:
            case ast.BoolOp(op=ast.And(), values=parts):
                return all(self._holds(part, row) for part in parts)
            case ast.BoolOp(values=parts):
                return any(self._holds(part, row) for part in parts)
            case ast.UnaryOp(operand=part):
                return not self._holds(part, row)
            case ast.Name(id=name):
                return truth(name, row[name])
            case ast.Compare(left=left, ops=ops, comparators=rights):
                sides = [left, *rights]
                values = [self._value(side, sides, row) for side in sides]
                steps = zip(values, ops, values[1:], strict=False)
                return all(compare(one, op, other) for one, op, other in steps)
        raise AssertionError(f"unchecked node {ast.dump(node)}")

    def _value(self, node: ast.expr, sides: Sequence[ast.expr], row: Mapping[str, Cell]) -> object:
        match node:
            case ast.Name(id=name):
                return row[name]
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                return [self._value(part, sides, row) for part in parts]
            case ast.Call():
                return self.quantiles[_quantile(node, sides)]
        raise AssertionError(f"unchecked node {ast.dump(node)}")


def parse_condition(text: str, known: Sequence[str] = ()) -> Condition | None:
    """The condition; None when the text is not one (a plain value, say).

    Args:
        known: names of the columns; a bare name is a condition where it is one of them.

    Raises:
        InputError: it is a condition, but uses something that is not known here.
    """
    if len(text) > _MAX_LENGTH:
        raise InputError(f"a condition may have {_MAX_LENGTH} characters at most")
    plain, names = _without_backticks(text.strip())
    try:
        tree = ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        _single_equals(text, plain)
        return None
    try:
        tree = _Renamed(names).visit(tree)
    except RecursionError as error:
        raise InputError("the condition is nested too deeply") from error
    is_name = isinstance(tree, ast.Name) and (tree.id in known or bool(names))
    if not is_name and not isinstance(tree, ast.Compare | ast.BoolOp | ast.UnaryOp):
        return None
    try:
        _check(tree, text)
        columns = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    except RecursionError as error:
        raise InputError("the condition is nested too deeply") from error
    columns = [name for name in columns if name != _QUANTILE]
    if not columns:
        raise InputError(f"the condition {text!r} names no column")
    return Condition(text, tree, tuple(dict.fromkeys(columns)), {})


class _Renamed(ast.NodeTransformer):
    """Puts names that stood in backticks back in place."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(self._names.get(node.id, node.id), node.ctx), node)


def _without_backticks(text: str) -> tuple[str, dict[str, str]]:
    names: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        names[f"column_in_backticks_{len(names)}"] = found[1]
        return list(names)[-1]

    return _BACKTICKS.sub(stand_in, text), names


def _single_equals(text: str, plain: str) -> None:
    """Raises :class:`InputError` where ``=`` was typed for ``==``."""
    if not _SINGLE_EQUALS.search(_QUOTED.sub("", plain)):
        return
    meant = _SINGLE_EQUALS.sub("==", text)
    try:
        ast.parse(_without_backticks(meant)[0], mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    raise InputError(f"the condition {text!r}: did you mean ==? Type: {meant}")


def _check(node: ast.expr, text: str) -> None:
    """All nodes are known: and, or, not, columns, and their comparisons with constants."""
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                _check(part, text)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            _check(part, text)
        case ast.Compare(left=left, comparators=rights):
            for side in (left, *rights):
                _check_operand(side, text, [left, *rights])
        case ast.Name():
            pass
        case _:
            _refuse(node, text)


def _check_operand(node: ast.expr, text: str, sides: Sequence[ast.expr]) -> None:
    match node:
        case ast.Name() | ast.Constant(value=str() | int() | float() | None):
            pass
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            pass
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            for part in parts:
                _check_operand(part, text, sides)
        case ast.Call(func=ast.Name(id="quantile")):
            try:
                _quantile(node, sides)
            except ValueError as error:
                raise InputError(f"the condition {text!r}: {error}") from error
        case _:
            _refuse(node, text)


def _quantile(node: ast.Call, sides: Sequence[ast.expr]) -> tuple[str, float]:
    """Column and share of ``quantile(0.75)`` or ``quantile(column, 0.75)``."""
    named = [arg.id for arg in node.args if isinstance(arg, ast.Name)]
    shares = [
        float(arg.value)
        for arg in node.args
        if isinstance(arg, ast.Constant) and isinstance(arg.value, int | float)
    ]
    beside = named or [side.id for side in sides if isinstance(side, ast.Name)]
    if (
        len(named) + len(shares) != len(node.args)
        or len(shares) != 1
        or not 0 <= shares[0] <= 1
        or len(beside) != 1
        or node.keywords
    ):
        raise ValueError("type quantile(0.75) beside a column, or quantile(column, 0.75)")
    return beside[0], shares[0]


def _quantiles(tree: ast.expr) -> list[tuple[str, float]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            found += [
                _quantile(call, sides)
                for side in sides
                for call in ast.walk(side)
                if isinstance(call, ast.Call)
            ]
    return found


def _refuse(node: ast.expr, text: str) -> None:
    raise InputError(
        f"the condition {text!r} cannot be used: {ast.unparse(node)!r} is not understood; columns, "
        "'text', numbers, ==, !=, <, <=, >, >=, in, not in, and, or, not, brackets and "
        "quantile(0.75) are; a name with blanks stands in backticks"
    )
