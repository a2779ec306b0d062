"""Boxes as detectors leave them: over the edge, of nothing, of crowds."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.sources import PNGS
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
