"""A run folder with a table of images, made by hand in milliseconds."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from visdiff_local.images.table import ImageTable, TextScores
from visdiff_local.results import scores

SIZE = (8, 6)


def folder(place: Path, n: int = 4, *, files: bool = True, named: str = "") -> Path:
    """``n`` images a set, "a hat" high in A, and one file that was left out of B.

    Args:
        named: begins the files' names, is the second set's, and stands in a field of each file.
    """
    place.mkdir(parents=True, exist_ok=True)
    sides = ["a"] * n + ["b"] * n
    names = [f"{named}{i:03}.png" for i in range(n)] * 2
    field = PngImagePlugin.PngInfo()
    field.add_text("Title", named or "none")
    paths = [place.parent / "photos" / side / name for side, name in zip(sides, names, strict=True)]
    for number, path in enumerate(paths):
        if files:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE, (number * 20 % 256, 40, 80)).save(path, pnginfo=field)
    ids = [
        hashlib.sha256(path.read_bytes() if files else str(path).encode()).hexdigest()
        for path in paths
    ]
    hat = np.array([0.9 - 0.1 * i for i in range(n)] + [0.1 * i for i in range(n)] + [np.nan])
    table = ImageTable(
        facts={
            "id": [*ids, None],
            "name": [*names, "bad.png"],
            "path": [*map(str, paths), "/secret/bad.png"],
            "set": [*(named if named and side == "b" else side for side in sides), named or "b"],
            "half": [*["explore", "validate"] * n, None],
            "cluster": [f"patient {i % 3}" for i in range(2 * n)] + [None],
            "stratum": [None] * (2 * n + 1),
            "pair": [None] * (2 * n + 1),
            "caption": [
                '=a hat, "quoted"\nand more',
                f"{names[1]} shows a hat" if named else None,
                *[None] * (2 * n - 1),
            ],
            "used": [True] * (2 * n) + [False],
            "reason": [None] * (2 * n) + ["the same bytes as /secret/other.png"],
        },
        attributes={
            "resolution": np.array([48e-6] * (2 * n) + [np.nan]),
            "aspect ratio": np.array([8 / 6] * (2 * n) + [np.nan]),
        },
        texts=(
            TextScores("a hat", "cosine", hat.astype(np.float32)),
            TextScores("resolution", "p_yes", np.full(2 * n + 1, np.nan, np.float32)),
        ),
    )
    scores.write(table, place / scores.NAME)
    return place
