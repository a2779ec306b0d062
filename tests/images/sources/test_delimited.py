"""Tables as spreadsheets write them."""

from pathlib import Path

import pytest

from visdiff_local.errors import InputError
from visdiff_local.images import ImageSet

ROWS = "path;g;score\n0.png;a;1,5\n1.png;b;2\n2.png;a;3,25\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("first", ["", "sep=;\n", '"sep=;"\r\n'])
def test_a_table_with_semicolons_and_decimal_commas(
    tmp_path: Path, encoding: str, first: str
) -> None:
    (tmp_path / "x.csv").write_bytes((first + ROWS).encode(encoding))
    source = ImageSet.open(tmp_path / "x.csv", "score > 1.9")
    assert [Path(ref.name).name for ref in source.images] == ["1.png", "2.png"]
    assert source.columns["score"].values == ("2", "3.25")


def test_commas_between_cells_and_codes_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('path,n\n0.png,"1,500"\n1.png,"2,300"\n')
    assert ImageSet.open(tmp_path / "x.csv").columns["n"].values == ("1,500", "2,300")
    (tmp_path / "y.csv").write_text("path;n\n0.png;001\n1.png;x,5\n")
    assert ImageSet.open(tmp_path / "y.csv").columns["n"].values == ("001", "x,5")


def test_a_cell_may_hold_lines_and_quotes(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('path,caption\n0.png,"a hat,\nred ""x"""\n')
    assert ImageSet.open(tmp_path / "x.csv").images[0].caption == 'a hat,\nred "x"'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("0.png,a\n1.png,b\n", "put a row with the names of the columns above it"),
        ("path\nC:\\Users\\x\\0.png\n", "a path of Windows, with a drive"),
        ("path\n\\\\?\\x\0y\n", "it is no text"),
    ],
)
def test_what_a_table_lacks_is_said(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "x.csv").write_text(content)
    try:
        told = ImageSet.open(tmp_path / "x.csv").skipped[0].reason
    except InputError as error:
        told = str(error)
    assert said in told
