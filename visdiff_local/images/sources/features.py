"""What Hugging Face notes beside a table: names of classes, which the column has as numbers."""

from typing import TYPE_CHECKING, Any

from visdiff_local.system import foreign

if TYPE_CHECKING:
    import pyarrow as pa

_NOTES = b"huggingface"
ID = "_id"
"""Behind the name of a column of classes: the column of their numbers."""


def named(table: "pa.Table") -> "pa.Table":
    """The table with the names of its classes in the place of their numbers, which stand in a
    column of their own."""
    import pyarrow as pa

    for column, names in _classes(table.schema.metadata).items():
        place = table.schema.get_field_index(column)
        if place < 0 or not pa.types.is_integer(table.schema.field(place).type):
            continue
        numbers = table.column(place)
        if f"{column}{ID}" not in table.column_names:
            table = table.append_column(f"{column}{ID}", numbers)
        known = [
            names[number] if number is not None and 0 <= number < len(names) else None
            for number in numbers.to_pylist()
        ]
        table = table.set_column(place, column, pa.array(known, pa.string()))
    return table


def _classes(metadata: "dict[bytes, bytes] | None") -> dict[str, list[str]]:
    """Names by column; none where the note is missing or is not what it should be."""
    try:
        noted: Any = foreign.json_value((metadata or {})[_NOTES])
        features = noted["info"]["features"].items()
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return {}
    return {
        str(column): [str(name) for name in feature["names"]]
        for column, feature in features
        if isinstance(feature, dict)
        and feature.get("_type") == "ClassLabel"
        and isinstance(feature.get("names"), list)
    }
