"""JSON and TOML that someone else wrote, read within bounds and given a type before anyone looks.

Every file that may come from elsewhere (run.json, manifests, models.toml, sweeps, notes in a cache,
headers of weights, replies) is parsed here and nowhere else; a test holds that. What comes out of
:func:`typed` has the types that its dataclass or model names; of what is wrong the first few things
are said, with their places.
"""

import json
import math
import tomllib
from collections.abc import Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

Value = TypeVar("Value")

LARGEST = 256 << 20
"""Bytes of a JSON file."""
LARGEST_TOML = 4 << 20
DEEPEST = 64
"""Lists and objects within each other."""
_NAMED = 5
_LONGEST_PLACE = 120


class ForeignError(ValueError):
    """What is wrong with a foreign text, in words for its user; ``problems`` one by one."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def read(path: Path, largest: int = LARGEST) -> str:
    """The text of a plain file.

    Raises:
        OSError: it cannot be read.
        ForeignError: it is no plain file, too large, or not UTF-8.
    """
    if path.exists() and not path.is_file():
        raise ForeignError("it is a folder or a device, not a file")
    with path.open("rb") as stream:
        content = stream.read(largest + 1)
    return _decoded(content, largest)


def json_value(content: str | bytes, *, largest: int = LARGEST) -> Any:
    """Plain lists, dicts, texts and numbers. Raises :class:`ForeignError`."""
    text = _decoded(content, largest) if isinstance(content, bytes) else content
    if len(text) > largest:
        raise ForeignError(_too_large(largest))
    try:
        value = json.loads(text)
    except RecursionError:
        raise ForeignError(_too_deep()) from None
    except ValueError as error:
        raise ForeignError(f"not JSON ({error})") from error
    _shallow(value)
    return value


def json_object(content: str | bytes, *, largest: int = LARGEST) -> dict[str, Any]:
    """As :func:`json_value`, of JSON that must be an object."""
    value = json_value(content, largest=largest)
    if not isinstance(value, dict):
        raise ForeignError(f"an object is wanted, not {_kind(value)}")
    return value


def toml_tables(path: Path) -> dict[str, Any]:
    """What a TOML file holds.

    Raises:
        OSError: it cannot be read.
        ForeignError: it is no file, too large, or no TOML.
    """
    text = read(path, LARGEST_TOML)
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ForeignError(_too_deep()) from None
    except ValueError as error:
        raise ForeignError(f"not TOML ({error})") from error
    _shallow(tables)
    return tables


def typed(kind: type[Value], value: object, *, absent_floats: bool = False) -> Value:
    """The value as ``kind`` (a frozen dataclass, a model, ``dict[str, float]`` …); fields that
    ``kind`` does not have are ignored.

    Args:
        absent_floats: ``null`` where a number is wanted is NaN; JSON has no other word for it.

    Raises:
        ForeignError: names the first places that are wrong.
    """
    from pydantic import ValidationError

    adapter = _adapter(cast(Hashable, kind))
    held = (value,)
    try:
        return cast(Value, adapter.validate_python(held)[0])
    except ValidationError as error:
        places = [e["loc"] for e in error.errors() if absent_floats and _is_absent(dict(e))]
        if not places or len(places) < error.error_count():
            raise ForeignError(*_problems(error)) from error
    for place in places:
        _put(held, place, math.nan)
    try:
        return cast(Value, adapter.validate_python(held)[0])
    except ValidationError as error:
        raise ForeignError(*_problems(error)) from error


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    # In a tuple, so that dataclasses inherit the configuration: a field of a type that no JSON can
    # hold (a locator, while a run lasts) is then no reason to refuse the whole.
    return TypeAdapter(tuple[kind], config=ConfigDict(arbitrary_types_allowed=True))


def _is_absent(item: dict[str, Any]) -> bool:
    return item["type"] == "float_type" and item["input"] is None


def _put(value: Any, place: Iterable[int | str], number: float) -> None:
    *way, last = place
    for step in way:
        value = value[step]
    value[last] = number


def _problems(error: Any) -> list[str]:
    """What pydantic says, without the input: it may be long, and is not ours."""
    found = error.errors(include_url=False, include_input=False)
    said = [
        f"{'.'.join(map(str, item['loc'][1:]))[:_LONGEST_PLACE] or 'it'}: {_lowered(item['msg'])}"
        for item in found[:_NAMED]
    ]
    more = len(found) - len(said)
    return [*said, f"and {more} more"] if more > 0 else said


def _lowered(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _decoded(content: bytes, largest: int) -> str:
    if len(content) > largest:
        raise ForeignError(_too_large(largest))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ForeignError(f"not UTF-8 ({error})") from error


def _shallow(value: object) -> None:
    """Raises where lists and objects lie too deep: whatever reads them later may recurse."""
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ForeignError(_too_deep())


def _too_deep() -> str:
    return f"nested more than {DEEPEST} deep"


def _too_large(largest: int) -> str:
    return f"larger than {largest >> 20} MiB"


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "yes or no", type(None): "nothing"}
    return names.get(type(value), "a number")
