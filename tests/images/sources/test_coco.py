"""Boxes as detectors leave them: over the edge, of nothing, of crowds."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.sources import PNGS
from visdiff_local.errors import InputError
from visdiff_local.images import ImageSet, Options, decode


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ({"bbox": [2, 3, 20, 10]}, (20, 10)),
        ({"bbox": [-5, -5, 20, 20]}, (15, 15)),  # cut off, not moved into the picture
        ({"bbox": [30, 20, 99, 99]}, (10, 10)),
        ({"bbox": [1.4, 1.6, 20.2, 10.3]}, (21, 10)),
        ({"bbox": [5, 5, 0, 0]}, "its box is under 8 pixels"),
        ({"bbox": [-50, 2, 30, 30]}, "its box is under 8 pixels"),
        ({"bbox": [100, 100, 20, 20]}, "lies outside the picture"),
        ({"bbox": [1, 2, "x", 3]}, "no list of four numbers"),
        ({"bbox": [0, 0, 30, 20], "iscrowd": 1, "segmentation": {"counts": "a"}}, "a crowd"),
    ],
)
def test_a_box_is_a_picture_or_a_reason(tmp_path: Path, note: Any, expected: Any) -> None:
    (tmp_path / "0.png").write_bytes(PNGS[0])  # 40 × 30
    images = [{"id": 1, "file_name": "0.png", "width": 40, "height": 30}]
    content = {"images": images, "annotations": [{"id": 1, "image_id": 1, **note}]}
    (tmp_path / "x.json").write_text(json.dumps(content))
    source = ImageSet.open(tmp_path / "x.json", None, Options(crops=True))
    if isinstance(expected, tuple):
        assert decode(source.images[0]).size == expected
        return
    reasons = [lost.reason for lost in source.skipped]
    if source.images:
        with pytest.raises(Exception, match=expected):
            decode(source.images[0])
    else:
        assert expected in reasons[0]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(width=16) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)


@given(
    keys=st.lists(ANY, min_size=3, max_size=3),
    note=st.dictionaries(
        st.sampled_from(["id", "image_id", "category_id", "caption", "bbox", "iscrowd"]), ANY
    ),
    kind=st.dictionaries(st.sampled_from(["id", "name"]), ANY),
    crops=st.booleans(),
)
def test_any_value_in_any_place_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, keys: Any, note: Any, kind: Any, crops: bool
) -> None:
    folder = tmp_path_factory.mktemp("coco")
    for number, raw in enumerate(PNGS[:3]):
        (folder / f"{number}.png").write_bytes(raw)
    images = [{"id": key, "file_name": f"{number}.png"} for number, key in enumerate(keys)]
    content = {"images": images, "annotations": [note], "categories": [kind]}
    (folder / "x.json").write_text(json.dumps(content))
    try:
        source = ImageSet.open(folder / "x.json", None, Options(crops=crops))
    except InputError:
        assert crops
        return
    if not crops:
        assert len(source.images) == 3  # none for want of an id of its own


@pytest.mark.parametrize("name", ["annotations", "categories"])
@pytest.mark.parametrize("value", [3, True, "text", {"id": 1}])
def test_what_is_no_list_is_named(tmp_path: Path, name: str, value: Any) -> None:
    (tmp_path / "0.png").write_bytes(PNGS[0])
    content = {"images": [{"id": 1, "file_name": "0.png"}], name: value}
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"its {name} are no list"):
        ImageSet.open(tmp_path / "x.json")


def test_a_category_without_an_id_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(PNGS[0])
    content = {
        "images": [{"id": 1, "file_name": "0.png"}],
        "annotations": [{"image_id": 1}, {"image_id": 1, "category_id": 7}],
        "categories": [{"name": "lost"}, {"id": 7, "name": "cat"}],
    }
    (tmp_path / "x.json").write_text(json.dumps(content))
    columns = ImageSet.open(tmp_path / "x.json").covariates.columns
    assert list(columns["categories"]) == ["cat"]
