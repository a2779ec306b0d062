"""Names of classes that Hugging Face notes down."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.sources import PNGS
from visdiff_local.errors import InputError
from visdiff_local.images import ImageSet

LABELS = [0, 1, 0, None, 7, -1]


def table(notes: Any) -> pa.Table:
    image = [{"bytes": raw, "path": None} for raw in PNGS[:6]]
    plain = pa.table({"image": image, "label": pa.array(LABELS, pa.int64())})
    return plain.replace_schema_metadata({"huggingface": notes})


def noted(**feature: Any) -> str:
    return json.dumps({"info": {"features": {"label": {"_type": "ClassLabel", **feature}}}})


def test_classes_have_their_names(tmp_path: Path) -> None:
    parquet.write_table(table(noted(names=["cat", "dog"])), tmp_path / "x.parquet")
    assert len(ImageSet.open(tmp_path / "x.parquet", "label == 'cat'").images) == 2
    assert len(ImageSet.open(tmp_path / "x.parquet", "label_id == 1").images) == 1
    with pytest.raises(InputError, match=r"no row satisfies 'label == 0'; label is 'cat', 'dog'"):
        ImageSet.open(tmp_path / "x.parquet", "label == 0")


@pytest.mark.parametrize("notes", ["[", "{}", "[1]", noted(names=3), noted(), '{"info": null}'])
def test_a_note_that_is_none_changes_nothing(tmp_path: Path, notes: str) -> None:
    parquet.write_table(table(notes), tmp_path / "x.parquet")
    assert ImageSet.open(tmp_path / "x.parquet").columns["label"].values == (0, 1, 7, -1)


@pytest.mark.parametrize(
    ("column", "kind", "said"),
    [
        ([[{"bytes": b"x"}], []], None, "holds lists of images"),
        ([[b"x"], [b"y"]], pa.list_(pa.binary()), "holds lists of images"),
        ([[1, 2], [3]], pa.list_(pa.uint8()), "holds bytes as lists of numbers"),
    ],
)
def test_lists_of_images_say_what_to_do(tmp_path: Path, column: Any, kind: Any, said: str) -> None:
    parquet.write_table(pa.table({"image": pa.array(column, kind)}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=said):
        ImageSet.open(tmp_path / "x.parquet")


def test_splits_of_one_folder_are_a_column(tmp_path: Path) -> None:
    whole = table(noted(names=["cat", "dog"]))
    for name, part in (("train", whole[:4]), ("test", whole[4:])):
        parquet.write_table(part, tmp_path / f"{name}-00000-of-00001.parquet")
    assert len(ImageSet.open(tmp_path, "split == 'train'").images) == 4
