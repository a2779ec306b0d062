"""CSV that leaves: a spreadsheet computes no cell of it, and we read each text again as it was."""

import ast
import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import visdiff_local
from visdiff_local.errors import InputError
from visdiff_local.images.sources import table
from visdiff_local.images.sources.base import Options
from visdiff_local.system import spreadsheets

FORMULAS = (
    "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "'=1", "''=1",
    "\u00a0=1", "\uff1d1", "\uff20a", "\0=1", "-0.5", "=",
)  # fmt: skip
PLAIN = ("a dog", "", "'", "'s", "a=b", "1", "5-3", "it's -1", "\u2212 minus")
PACKAGE = Path(visdiff_local.__file__).parent


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_compute_is_text(text: str) -> None:
    assert spreadsheets.inert(text) == f"'{text}"
    assert spreadsheets.original(f"'{text}") == text


@pytest.mark.parametrize("text", PLAIN)
def test_what_it_would_not_compute_stays_as_it_is(text: str) -> None:
    assert spreadsheets.inert(text) == text == spreadsheets.original(text)


@given(st.text(alphabet=st.sampled_from("='+-@\t\r\n a1\uff1d\0") | st.characters(codec="utf-8")))
def test_every_text_comes_back(text: str) -> None:
    assert spreadsheets.original(spreadsheets.inert(text)) == text


def test_arrow_and_python_agree() -> None:
    texts = [*FORMULAS, *PLAIN]
    head = dict.fromkeys(spreadsheets.HEAD, pa.array(texts))
    made = pa.table({**head, "=1": pa.array(texts), "n": pa.array([-1.5] * len(texts))})
    stream = io.BytesIO()
    with spreadsheets.writing(stream, made.schema) as writer:
        writer.write_table(made)
    names, *rows = csv.reader(io.StringIO(stream.getvalue().decode(), newline=""))
    assert names == [*spreadsheets.HEAD, "'=1", "n"]
    assert [row[0] for row in rows] == [spreadsheets.inert(text) for text in texts]
    assert {row[-1] for row in rows} == {"-1.5"}


def test_an_export_is_read_as_it_was_and_a_strangers_table_as_it_is(tmp_path: Path) -> None:
    kept = [text for text in (*FORMULAS, *PLAIN) if text]
    made = pa.table({**dict.fromkeys(spreadsheets.HEAD, pa.array(kept)), "=1": pa.array(kept)})
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.csv"
    with ours.open("wb") as stream, spreadsheets.writing(stream, made.schema) as writer:
        writer.write_table(made)
    with theirs.open("w", newline="") as text:
        csv.writer(text).writerows([["path", "=1"], ["'=a.png", "'=1"]])
    again = table.read(ours, Options()).table
    assert again.cells("group_name") == again.cells("=1") == kept
    assert table.read(theirs, Options()).table.cells("=1") == ["'=1"]
    theirs.write_bytes(b"path,a\na.png,x\0y\n")
    with pytest.raises(InputError, match="it is no text"):
        table.read(theirs, Options())


def test_nothing_else_writes_csv() -> None:
    """``csv.writer`` and pyarrow's and pandas' writers are called in this one module."""
    forbidden = {"writer", "DictWriter", "write_csv", "CSVWriter", "to_csv"}
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "spreadsheets.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and node.func.attr in forbidden and ast.unparse(node.func.value) != "spreadsheets"
    ]  # fmt: skip
    assert found == []
