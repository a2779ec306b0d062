"""Arrays from buffers are those that pyarrow makes itself, and pandas is not imported for them."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.images import arrow


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts_are_those_of_pyarrow(values: list[str | None]) -> None:
    made = arrow.texts(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.string()))


def test_odd_bytes_of_names_are_escaped() -> None:
    assert arrow.texts(["a\udcff", None, "b"]).to_pylist() == ["a\\udcff", None, "b"]


@given(st.lists(st.binary()))
def test_bytes_are_those_of_pyarrow(values: list[bytes]) -> None:
    made = arrow.raw(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.binary()))


@given(st.lists(st.floats(width=32)), st.booleans())
def test_numbers_and_truths_are_those_of_pyarrow(values: list[float], nan_is_null: bool) -> None:
    given_ = np.array(values, np.float32)
    made = arrow.numbers(given_, nan_is_null=nan_is_null)
    made.validate(full=True)
    assert str(made) == str(pa.array(given_, from_pandas=nan_is_null))
    assert arrow.truths(given_ > 0).to_pylist() == (given_ > 0).tolist()
    assert arrow.numbers(given_[::2]).to_pylist() == arrow.numbers(given_).to_pylist()[::2] or (
        np.isnan(given_).any()
    )


@given(st.lists(st.binary(min_size=8, max_size=8)))
def test_ids_become_hex_digits(values: list[bytes]) -> None:
    made = arrow.hexadecimal(np.array(values, "V8"))
    made.validate(full=True)
    assert made.to_pylist() == [value.hex() for value in values]


@given(st.lists(st.text(st.characters(codec="utf-8"))), st.integers(0, 2))
def test_names_are_columns_where_all_are_shown_as_they_are(names: list[str], start: int) -> None:
    made = arrow.printable(arrow.raw([name.encode() for name in names])[start:])
    if all(name.isprintable() and "\\" not in name for name in names[start:]):
        assert made is not None
        assert made.to_pylist() == names[start:]
    else:
        assert made is None


def test_halves_of_a_character_are_no_text_though_they_stand_together() -> None:
    assert arrow.printable(arrow.raw([b"\xc3", b"\xa9"])) is None
    assert arrow.printable(arrow.raw([b"\xff"])) is None


def test_what_is_chosen_may_be_none() -> None:
    assert arrow.chosen(np.array([1, 0, 1]), (None, "b")).to_pylist() == ["b", None, "b"]


def test_pandas_is_not_imported() -> None:
    code = """
import sys
import numpy as np
from visdiff_local.images import arrow
arrow.texts(["a", None]).take(arrow.numbers(np.array([1])))
arrow.numbers(np.array([1.0, np.nan]), nan_is_null=True)
arrow.truths(np.array([True]))
arrow.printable(arrow.raw([b"x"]))
arrow.hexadecimal(np.zeros(1, "V8"))
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
