"""COCO's JSON (https://cocodataset.org/#format-data), which labelling tools open.

What a run knows is of whole images, and COCO's annotations are boxes: an image's set, and the text
with ``--text``, are boxes of the image's own size. All scores stand in the image's ``scores``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from visdiff_local.results.export.rows import Choice, Rows, plain
from visdiff_local.system.files import replaced

Json = dict[str, Any]


def write_coco(run_dir: Path, place: Path, choice: Choice) -> None:
    """Without what was left out; categories are the sets, and the text that is named."""
    chosen = Rows(run_dir, choice)
    texts = chosen.texts
    categories: dict[str, int] = {}
    images: list[Json] = []
    annotations: list[Json] = []
    for row in chosen.rows():
        if row["id"] is None:
            continue
        image = _image(len(images) + 1, row, [(t.text, row[t.column]) for t in texts], choice)
        images.append(image)
        label = categories.setdefault(row["group_name"], len(categories) + 1)
        annotations.append(_whole(len(annotations) + 1, image, label))
        if choice.text is not None:
            label = categories.setdefault(texts[0].text, len(categories) + 1)
            score = {"score": plain(row[texts[0].column])}
            annotations.append(_whole(len(annotations) + 1, image, label) | score)
    named = {t.text for t in texts} if choice.text is not None else set()
    content = {
        "info": {"description": "visdiff_local: images of a comparison", "version": "1.0"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": n, "name": name, "supercategory": "text" if name in named else "set"}
            for name, n in categories.items()
        ],
    }
    with replaced(place) as stream:
        stream.write(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1).encode())


def _image(number: int, row: Mapping[str, Any], scores: list[Any], choice: Choice) -> Json:
    width, height = size(row)
    return {
        "id": number,
        "file_name": row["path"] if choice.paths else row["id"],
        "width": width,
        "height": height,
        "sha256": row["id"],
        "set": row["group_name"],
        "caption": row["caption"],
        "scores": {text: plain(score) for text, score in scores},
    }


def _whole(number: int, image: Json, category: int) -> Json:
    width, height = image["width"], image["height"]
    return {
        "id": number,
        "image_id": image["id"],
        "category_id": category,
        "bbox": [0, 0, width, height],
        "area": width * height,
        "iscrowd": 0,
        "segmentation": [[0, 0, width, 0, width, height, 0, height]],
    }


def size(row: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height in pixels, from the measured megapixels and aspect ratio; 0 unmeasured."""
    pixels, aspect = row.get("resolution"), row.get("aspect ratio")
    if not pixels or not aspect or not np.isfinite([pixels, aspect]).all():
        return 0, 0
    width = round(float(np.sqrt(pixels * 1e6 * aspect)))
    return width, round(pixels * 1e6 / max(width, 1))
