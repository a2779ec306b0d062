"""Columns beside the images: by image id, compact, with a message for a name that is not there."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from visdiff_local.errors import InputError
from visdiff_local.images import FOLDER, Cell, Column, Covariates, ImageSet, Memory, read_set
from visdiff_local.measure import measure
from visdiff_local.types import ImageRef

CELLS = st.one_of(
    st.none(), st.text("ab 1", max_size=3), st.integers(-2, 2), st.sampled_from([0.5, 1.0])
)


@given(st.lists(CELLS, max_size=30), st.data())
def test_a_column_gives_back_its_cells_and_keeps_only_what_is_taken(
    cells: list[Cell], data: st.DataObject
) -> None:
    blank = [None if isinstance(c, str) and not c.strip() else c for c in cells]
    column = Column.of(cells)
    assert [column[i] for i in range(len(column))] == blank
    places = data.draw(st.lists(st.integers(0, len(cells) - 1), unique=True)) if cells else []
    taken = column.take(places)
    assert [taken[i] for i in range(len(taken))] == [blank[i] for i in places]
    distinct = {(type(c), c) for c in (blank[i] for i in places) if c is not None}
    assert len(taken.values) == len(distinct)


def test_a_column_answers_by_image_id_and_its_labels_are_text() -> None:
    columns = {"day": Column.of([1, 1.0, "1", None]), "x": Column.of(["a", "a", "b", ""])}
    known = Covariates(tuple(ImageRef(id_, Memory(b"")) for id_ in "ijkl"), columns)
    assert known.column("day") == {"i": 1, "j": 1.0, "k": "1", "l": None}
    assert known.labels("day") == {"i": "1", "j": "1", "k": "1"}
    assert known.groups("x") == {"a": ("i", "j"), "b": ("k",)}
    assert [(c.name, c.distinct, c.missing) for c in known.known] == [("day", 3, 1), ("x", 2, 1)]
    with pytest.raises(InputError, match=r"no column is called 'dya'; did you mean 'day'\?"):
        known.column("dya")
    with pytest.raises(ValueError, match="no ids yet"):
        Covariates((ImageRef("", Memory(b"")),) * 2, {"x": Column.of([1, 2])}).column("x")


def test_a_folder_knows_which_folder_an_image_lies_in(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for place in ("s1/x.png", "s1/y.png", "s2/deep/x.png", "top.png", "s2/copy.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        noise = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        noise.save(tmp_path / place)
    (tmp_path / "s2/copy.png").write_bytes((tmp_path / "s1/x.png").read_bytes())
    images = read_set(ImageSet.from_folder(tmp_path), measure=measure, version="1").images
    folders = images.covariates.column(FOLDER)
    by_name = {Path(r.name).relative_to(tmp_path).as_posix(): folders[r.id] for r in images.images}
    assert by_name == {
        "s1/x.png": "s1",
        "s1/y.png": "s1",
        "s2/deep/x.png": "s2/deep",
        "top.png": ".",
    }  # the copy is the same image again, and counts once
