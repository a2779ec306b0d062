"""images.parquet: a row an image, a column a text, and what may go wrong with it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from tests.support import image_table
from visdiff_local.errors import InputError
from visdiff_local.results.scores import FACTS, NAME, Images


def test_pandas_opens_it(tmp_path: Path) -> None:
    frame = pd.read_parquet(image_table.folder(tmp_path / "run") / NAME)
    assert tuple(frame.columns[: len(FACTS)]) == FACTS
    assert len(frame) == 9
    assert frame["used"].tolist() == [True] * 8 + [False]
    assert frame["a hat"].iloc[0] == pytest.approx(0.9)
    assert np.isnan(frame["a hat"].iloc[8])


def test_a_text_that_is_called_like_an_attribute_has_a_column_of_its_own(tmp_path: Path) -> None:
    images = Images.open(image_table.folder(tmp_path / "run"))
    assert [(t.column, t.text, t.kind) for t in images.texts] == [
        ("a hat", "a hat", "cosine"),
        ("text: resolution", "resolution", "p_yes"),
    ]
    assert images.attributes == ("resolution", "aspect ratio")
    assert images.rows == 9


def test_a_text_is_found_in_any_case_and_a_near_one_is_suggested(tmp_path: Path) -> None:
    images = Images.open(image_table.folder(tmp_path / "run"))
    assert images.text("A Hat").column == "a hat"
    with pytest.raises(InputError, match="did you mean 'a hat'"):
        images.text("a hatt")


def test_a_folder_without_a_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"images\.parquet: there is no such file; run"):
        Images.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1" + b"\0" * 50 + b"PAR1"])
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        _ = Images.open(tmp_path).texts


def test_odd_bytes_of_paths_and_texts_are_escaped(tmp_path: Path) -> None:
    from visdiff_local.images.table import ImageTable, TextScores
    from visdiff_local.results import scores

    facts = {name: [None] for name in FACTS} | {"path": ["caf\udce9.jpg"], "used": [True]}
    text = TextScores("a \ud800 lone half", "p_yes", np.zeros(1, np.float32))
    scores.write(ImageTable(facts, {}, (text,)), tmp_path / NAME)
    images = Images.open(tmp_path)
    assert images.texts[0].text == "a \\ud800 lone half"
    assert images.read(["path"]).to_pylist() == [{"path": "caf\\udce9.jpg"}]


def test_a_damaged_text_is_said_and_named(tmp_path: Path) -> None:
    """A byte of a text that is no UTF-8, which Arrow hands on unseen."""
    run = image_table.folder(tmp_path / "run", named="Quixada")
    file = run / NAME
    table = parquet.read_table(file)
    parquet.write_table(table, file, compression="none", use_dictionary=False)
    file.write_bytes(file.read_bytes().replace(b"Quixada00", b"Quix\xffda00"))
    images = Images.open(run)
    for read in (images.read, lambda: list(images.batches())):
        with pytest.raises(InputError, match=r"images\.parquet: cannot be read \(.*UTF8"):
            read()
