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


def test_pandas_is_not_imported() -> None:
    code = """
import sys
import numpy as np
from visdiff_local.images import arrow
arrow.texts(["a", None]).take(arrow.numbers(np.array([1])))
arrow.numbers(np.array([1.0, np.nan]), nan_is_null=True)
arrow.truths(np.array([True]))
arrow.raw([b"x"])
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
