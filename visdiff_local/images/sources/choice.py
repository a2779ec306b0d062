"""Which rows: a ``group_name``, or a condition on the columns."""

from collections.abc import Mapping, Sequence

from visdiff_local.errors import InputError
from visdiff_local.images.covariates import Cell, Column, label, no_column
from visdiff_local.images.sources.base import Columns, Table
from visdiff_local.images.sources.conditions import Condition, parse_condition

GROUP = "group_name"
_SHOWN_VALUES = 20


def chosen(shown: str, table: Table, where: str) -> list[int]:
    """Places of the rows that ``where`` chooses.

    Raises:
        InputError: a column is missing, the condition cannot be understood, or no row is chosen.
    """
    groups = [None if cell is None else label(cell) for cell in _groups(table)]
    of_group = [place for place, group in enumerate(groups) if group == where]
    if of_group:
        return of_group
    condition = parse_condition(where, table.names)
    if condition is None:
        require(shown, table.names, [GROUP])
        raise InputError(
            f"{shown}: no row has the {GROUP} {where!r}{_there_are(groups)}; "
            "or give a condition such as 'group_name != \"dogs\"'"
        )
    found = _matching(shown, table, condition)
    if not found:
        raise InputError(
            f"{shown}: no row satisfies {where!r}{_there_are(groups)}{_values(table, condition)}"
        )
    return found


def matching(sets: Sequence[tuple[Mapping[str, Column], int]], where: str) -> list[list[bool]]:
    """Which images of several sets a choice of rows holds for; quantiles are of all of them.

    Args:
        sets: columns, and how many images, of each.

    Raises:
        InputError: as :func:`chosen`.
    """
    names = dict.fromkeys(name for columns, _ in sets for name in columns)
    cells = {
        name: [
            columns[name][place] if name in columns else None
            for columns, count in sets
            for place in range(count)
        ]
        for name in names
    }
    total = sum(count for _, count in sets)
    found = set(chosen("the images", Columns(cells, total), where))
    flags = iter([place in found for place in range(total)])
    return [[next(flags) for _ in range(count)] for _, count in sets]


def answers(table: Table, where: str) -> bool:
    """Whether the choice asks for nothing that the table does not have."""
    condition = parse_condition(where, table.names)
    return condition is None or set(condition.columns) <= set(table.names)


def _matching(shown: str, table: Table, condition: Condition) -> list[int]:
    _no_bare_values(shown, table, condition)
    require(shown, table.names, condition.columns)
    columns: Mapping[str, list[Cell]] = {name: table.cells(name) for name in condition.columns}
    bound = condition.bound(columns)
    return [
        place
        for place in range(len(table))
        if bound.holds({name: values[place] for name, values in columns.items()})
    ]


def _no_bare_values(shown: str, table: Table, condition: Condition) -> None:
    """Raises :class:`InputError` where what is no column is a value of one: ``site == north``."""
    there = [name for name in condition.columns if name in table.names]
    for name in condition.columns:
        if name in table.names:
            continue
        for column in there:
            if any(str(cell) == name for cell in table.cells(column)):
                raise InputError(
                    f"{shown}: {no_column(name, tuple(table.names))}; {name} is a value of "
                    f"{column}: write it in quotes, as in \"{column} == '{name}'\""
                )


def require(shown: str, columns: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises :class:`InputError` that names the first column that is not there."""
    for name in wanted:
        if name not in columns:
            raise InputError(f"{shown}: {no_column(name, tuple(columns))}")


def _groups(table: Table) -> list[Cell]:
    return table.cells(GROUP) if GROUP in table.names else []


def _values(table: Table, condition: Condition) -> str:
    """What the columns of a condition hold, where it is little."""
    told = ""
    for name in condition.columns:
        values = sorted({str(cell) for cell in table.cells(name) if cell is not None})
        if name != GROUP and 0 < len(values) <= _SHOWN_VALUES:
            told += f"; {name} is {', '.join(map(repr, values))}"
    return told


def _there_are(groups: Sequence[str | None]) -> str:
    names = sorted({group for group in groups if group is not None})
    if not names:
        return ""
    more = f" … and {len(names) - _SHOWN_VALUES} more" if len(names) > _SHOWN_VALUES else ""
    listed = ", ".join(map(repr, names[:_SHOWN_VALUES]))
    return f"; the group_names are: {listed}{more}"
