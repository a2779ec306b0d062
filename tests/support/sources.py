"""A folder of small pictures, and the same pictures as rows and members."""

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from visdiff_local.images import FOLDER, ImageSet, read_sets
from visdiff_local.measure import measure

COUNT = 6


def png(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    stream = io.BytesIO()
    coarse.resize((40, 30), Image.Resampling.BICUBIC).save(stream, "PNG")
    return stream.getvalue()


PNGS = [png(seed) for seed in range(2 * COUNT)]


NAMES = [f"{'ab'[i >= COUNT]}_{i % COUNT}.png" for i in range(2 * COUNT)]


GROUPS = [name[0] for name in NAMES]


def ids(*sources: ImageSet) -> list[list[str]]:
    found = read_sets(list(sources), measure=measure, version="1")
    return [sorted(ref.id for ref in one.images.images) for one in found]


def written(
    path: Path, rows: list[list[Any]], delimiter: str = ",", encoding: str = "utf-8"
) -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def shards(folder: Path) -> list[ImageSet]:
    for side in "ab":
        with tarfile.open(folder / f"{side}.tar", "w") as tar:
            for name, raw in zip(NAMES, PNGS, strict=True):
                if name[0] == side:
                    add(tar, f"x/{name}", raw)
                    add(tar, f"x/{name[:-4]}.txt", f"said {name}".encode())
                    add(tar, f"x/{name[:-4]}.json", json.dumps({"site": "north"}).encode())
    found = [ImageSet.open(folder / f"{side}.tar") for side in "ab"]
    assert found[0].images[0].caption == "said a_0.png"
    assert found[0].columns["site"].values == ("north",)
    assert found[0].columns[FOLDER].values == ("x",)
    return found


def add(tar: tarfile.TarFile, name: str, raw: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(raw)
    tar.addfile(info, io.BytesIO(raw))
