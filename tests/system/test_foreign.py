"""JSON and TOML of others: bounded, and typed before anyone looks."""

import ast
import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import visdiff_local
from visdiff_local.system import foreign
from visdiff_local.system.foreign import ForeignError

PACKAGE = Path(visdiff_local.__file__).parent


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    x: float
    around: tuple[float, ...] = ()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[" * 100_000, "nested more than 64 deep"),
        ('{"a":' * 65 + "1" + "}" * 65, "nested more than 64 deep"),
        ("{", "not JSON"),
        ("9" * 5000, "not JSON"),
        (b"\xff", "not UTF-8"),
        ("[1]", "an object is wanted, not a list"),
        ("null", "an object is wanted, not nothing"),
    ],
)
def test_wrong_json_is_said_to_be(text: str | bytes, wrong: str) -> None:
    with pytest.raises(ForeignError, match=wrong):
        foreign.json_object(text)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a = " + "[" * 100_000, "nested more than 64 deep"),
        ("[" + ".".join("a" * 70) + "]", "nested more than 64 deep"),
        ("a = 1\na = 2", "not TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"#" * (5 << 20), "larger than 4 MiB"),
    ],
)
def test_wrong_toml_is_said_to_be(text: str | bytes, wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ForeignError, match=wrong):
        foreign.toml_tables(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ForeignError, match="a folder or a device"):
        foreign.toml_tables(tmp_path)


def test_values_have_the_types_of_their_dataclass() -> None:
    found = foreign.typed(Point, {"name": "a", "x": 1, "around": [1, 2.5], "later": {}})
    assert found == Point("a", 1.0, (1.0, 2.5))


def test_what_is_wrong_is_named_by_its_place() -> None:
    with pytest.raises(ForeignError, match=r"name: .*; around.1: .*number"):
        foreign.typed(Point, {"name": 1, "x": 1, "around": [1, "b"]})


def test_an_absent_number_is_nan_where_that_is_agreed() -> None:
    content = {"name": "a", "x": None, "around": [None, 1]}
    with pytest.raises(ForeignError):
        foreign.typed(Point, content)
    found = foreign.typed(Point, content, absent_floats=True)
    assert math.isnan(found.x)
    assert math.isnan(found.around[0])


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_anything_is_a_value_or_foreign(content: str | bytes) -> None:
    try:
        value = foreign.json_value(content)
    except ForeignError:
        return
    assert json.dumps(value)


def test_nothing_else_parses_json_or_toml() -> None:
    """But for the store, which reads the rows that it wrote itself, each with a checksum."""
    own = {"system/foreign.py", "store/records.py", "store/files.py"}
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if str(path.relative_to(PACKAGE)) not in own
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in ("json.loads", "json.load", "tomllib.loads", "tomllib.load", "literal_eval", "eval")
    ]
    assert found == []
