"""Tables: rows chosen by group or condition."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from visdiff_local.errors import InputError
from visdiff_local.images import (
    File,
    ImageSet,
)
from visdiff_local.images.sources.conditions import parse_condition

TABLE = """path,group_name,difficulty,caption,pair,score
a/1.png,dogs,easy,"a dog,
on grass",001,0.5
a/2.png,cats,hard,,002,1.5
,cats,easy,,003,2
https://example.org/x.png,dogs,easy,,004,2
a/3.png,dogs,hard,a dog,,3
"""


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_of_a_table_are_chosen_by_group(tmp_path: Path, kind: str) -> None:
    table = tmp_path / f"t.{kind}"
    if kind == "csv":
        table.write_text(TABLE)
    else:
        columns = {
            "path": ["a/1.png", "a/2.png", None, "https://example.org/x.png", "a/3.png"],
            "group_name": ["dogs", "cats", "cats", "dogs", "dogs"],
            "caption": ["a dog,\non grass", None, None, None, "a dog"],
            "pair": ["001", "002", "003", "004", None],
        }
        parquet.write_table(pa.table(columns), table)
    dogs = ImageSet.from_table(table, "dogs").requiring("pair")
    assert [(ref.at, ref.caption) for ref in dogs.images] == [
        (File(tmp_path / "a/1.png"), "a dog,\non grass")
    ]
    assert [dogs.columns["pair"][0], len(dogs.columns["pair"])] == ["001", 1]
    assert [item.reason for item in dogs.skipped] == [
        "a URL: this program uses no network; download it and name the file",
        "no value in the column 'pair'",
    ]
    cats = ImageSet.from_table(table, "cats")
    assert [ref.at for ref in cats.images] == [File(tmp_path / "a/2.png")]
    assert [item.reason for item in cats.skipped] == ["the path is empty"]


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ('difficulty == "easy" and group_name != "cats"', [1]),
        ("not group_name in ('cats', 'x') or score == 1.5", [1, 2, 3]),
        ("score >= 1.5", [2, 3]),
        ("0 < score < 1", [1]),
        ("caption is None", [2]),
        ('"grass" in caption', [1]),
        ("pair == 1", [1]),
        ("pair == '1' or score > -1 and difficulty == 'hard'", [2, 3]),
    ],
)
def test_rows_of_a_table_are_chosen_by_condition(
    tmp_path: Path, condition: str, rows: list[int]
) -> None:
    (tmp_path / "t.csv").write_text(TABLE.replace("easy,,00", "none,,00"))
    chosen = ImageSet.from_table(tmp_path / "t.csv", condition)
    assert [int(Path(ref.name).stem) for ref in chosen.images] == rows


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("birds", r"no row has the group_name 'birds'; the group_names are: 'cats', 'dogs'"),
        (
            "colour == 'x'",
            r"no column is called 'colour' \(the columns are: path, group_name, diff",
        ),
        ("group_nam == 'x'", "did you mean 'group_name'"),
        ("score == 17", "no row satisfies"),
        ("caption > 3", "is no number"),
        ("group_name == open('x')", r"open\('x'\).* is not understood"),
        ("group_name.x == 1", "is not understood"),
        ("1 == 1", "names no column"),
        ("[x for x in path] == 1", "is not understood"),
    ],
)
def test_a_choice_that_cannot_be_made_says_what_there_is(
    tmp_path: Path, where: str | None, said: str
) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    with pytest.raises(InputError, match=said):
        ImageSet.from_table(tmp_path / "t.csv", where)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"picture,group_name\nx.png,x\n",
            "no column is called 'path' or alike; .*are: picture, gr",
        ),
        (b"path,group_name\nx.png\n", "cannot be read as a table"),
        (b"", "cannot be read as a table"),
        (b"path,group_name\n\0.png,x\n", "cannot be read as a table"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        ImageSet.from_table(tmp_path / "t.csv", "x")
    assert "t.csv" in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_breaks_the_condition_parser(text: str) -> None:
    try:
        condition = parse_condition(text)
    except InputError:
        return
    assert condition is None or condition.columns
