"""Claim: a difference that is inside the boxes alone is found with --crops, with the image as the
cluster; the whole images, which are the same on both sides, show none.

    python scripts/performance/crops.py [--canvases 60]

Two detectors' boxes on the same drawn canvases of four scenes each: A's lie on the two scenes with
a hat, B's on the two without. Bundled models. Prints the AUROC of "a hat" last.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from visdiff_local import evaluate_hypotheses
from visdiff_local.session import DEMO

SIDE = 96
TEXT = "a hat"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--canvases", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        files = drawn(place, options.canvases)
        whole = evaluate_hypotheses([TEXT], *files, profile="nano", store=str(place / "store"))
        result = evaluate_hypotheses(
            [TEXT], *files, profile="nano", store=str(place / "store"), crops=True
        )
    assert any("same images" in warning for warning in whole.warnings), whole.warnings
    assert result.summary.design.cluster_by == "image", result.summary.design
    found = next(one for one in result.differences if one.direction == "a")
    print(f"whole images: {whole.summary.conclusion}, {whole.run.a.n} on both sides")
    print(
        f"boxes: {result.run.a.n} of A, {result.run.b.n} of B, "
        f"{result.summary.design.clusters_a} images as clusters; {found.verdict}, "
        f"95% {found.auroc_ci[0]:.2f} to {found.auroc_ci[1]:.2f}"
    )
    print(f"AUROC {found.auroc:.2f} of {TEXT!r} inside the boxes")


def drawn(place: Path, count: int) -> list[Path]:
    """The canvases, and the two COCO files of boxes on them."""
    rng = np.random.default_rng(0)
    scenes = {side: sorted((DEMO / side).glob("*.png")) for side in "ab"}
    images, boxes = [], {side: [] for side in "ab"}
    (place / "images").mkdir()
    for number in range(count):
        canvas = Image.new("RGB", (2 * SIDE, 2 * SIDE))
        corners = [(0, 0), (SIDE, 0), (0, SIDE), (SIDE, SIDE)]
        for corner, side in zip(rng.permutation(corners).tolist(), "aabb", strict=True):
            files = scenes[side]
            # Each scene lies a little elsewhere in its box, so that no two boxes are the same.
            tile = Image.open(files[int(rng.integers(len(files)))]).convert("RGB")
            shift = rng.integers(-6, 7, 2).tolist()
            canvas.paste(tile.resize((SIDE, SIDE)).rotate(0, translate=shift), tuple(corner))
            box = {"image_id": number, "category_id": 1, "bbox": [*corner, SIDE, SIDE]}
            boxes[side].append(box)
        canvas.save(place / "images" / f"{number:04}.png")
        images.append({"id": number, "file_name": f"images/{number:04}.png"})
    files = []
    for side in "ab":
        content = {"images": images, "annotations": boxes[side], "categories": [{"id": 1}]}
        files.append(place / f"{side}.json")
        files[-1].write_text(json.dumps(content))
    return files


if __name__ == "__main__":
    main()
