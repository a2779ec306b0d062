"""Every kind of source gives the images of the plain folder."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pyarrow import ipc, parquet

from tests.support.sources import COUNT, GROUPS, NAMES, PNGS, ids, shards, written
from visdiff_local.images import ImageSet, Options, decode, read_sets
from visdiff_local.images.names import natural_key, of_one_shape
from visdiff_local.images.sources import expand
from visdiff_local.measure import measure


def by_table(head: list[str], *, delimiter: str = ",", encoding: str = "utf-8") -> Any:
    def make(folder: Path) -> list[ImageSet]:
        rows = [[f"images/{name}", group] for name, group in zip(NAMES, GROUPS, strict=True)]
        table = written(folder / "t.csv", [head, *rows], delimiter, encoding)
        return [ImageSet.open(table, f"{head[1]} == '{side}'") for side in "ab"]

    return make


def in_parquet(folder: Path) -> list[ImageSet]:
    image = [{"bytes": raw, "path": name} for name, raw in zip(NAMES, PNGS, strict=True)]
    content = pa.table({"image": image, "label": [int(group == "b") for group in GROUPS]})
    parquet.write_table(content, folder / "x.parquet", row_group_size=5)
    return [ImageSet.open(folder / "x.parquet", f"label == {n}") for n in (0, 1)]


def in_parts(folder: Path) -> list[ImageSet]:
    (folder / "parts").mkdir()
    for part in range(2):
        content = pa.table({"jpg": PNGS[part::2], "label": GROUPS[part::2]})
        parquet.write_table(content, folder / "parts" / f"train-{part}-of-2.parquet")
    return [ImageSet.open(folder / "parts", f"label == '{side}'") for side in "ab"]


def saved_to_disk(folder: Path) -> list[ImageSet]:
    place = folder / "saved"
    place.mkdir()
    image = [{"bytes": raw, "path": name} for name, raw in zip(NAMES, PNGS, strict=True)]
    content = pa.table({"image": image, "label": GROUPS})
    with ipc.new_stream(str(place / "data-00000-of-00001.arrow"), content.schema) as stream:
        stream.write_table(content, max_chunksize=5)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    (place / "state.json").write_text(json.dumps(state))
    return [ImageSet.open(place, f"label == '{side}'") for side in "ab"]


def image_folder(folder: Path) -> list[ImageSet]:
    lines = [
        json.dumps({"file_name": name, "label": group, "text": f"said {name}"})
        for name, group in zip(NAMES, GROUPS, strict=True)
    ]
    (folder / "images" / "metadata.jsonl").write_text("\n".join(lines))
    found = [ImageSet.open(folder / "images", f"label == '{side}'") for side in "ab"]
    assert found[0].images[0].caption == "said a_0.png"
    return found


def zips(folder: Path) -> list[ImageSet]:
    for side in "ab":
        with zipfile.ZipFile(folder / f"{side}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("__MACOSX/._a_0.png", b"no image")
            for name, raw in zip(NAMES, PNGS, strict=True):
                if name[0] == side:
                    archive.writestr(f"deep/{name}", raw)
    return [ImageSet.open(folder / f"{side}.zip") for side in "ab"]


def lists(folder: Path) -> list[ImageSet]:
    for side in "ab":
        lines = [f"images/{name}" for name in NAMES if name[0] == side]
        (folder / f"{side}.txt").write_text("# mine\n" + "\r\n".join(lines) + "\n\n")
    return [ImageSet.open(folder / f"{side}.txt") for side in "ab"]


def json_lines(folder: Path) -> list[ImageSet]:
    rows = [
        json.dumps({"filename": f"images/{name}", "good": name[0] == "a", "more": {"x": 1}})
        for name in NAMES
    ]
    (folder / "x.jsonl").write_text("\n".join(rows))
    return [ImageSet.open(folder / "x.jsonl", where) for where in ("good", "not good")]


def coco(folder: Path) -> list[ImageSet]:
    content = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(NAMES)],
        "annotations": [
            {"image_id": i, "category_id": 1 + (name[0] == "b"), "bbox": [0, 0, 20, 30]}
            for i, name in enumerate(NAMES)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    (folder / "coco.json").write_text(json.dumps(content))
    return [ImageSet.open(folder / "coco.json", f"categories == '{n}'") for n in ("cat", "dog")]


KINDS: dict[str, Callable[[Path], list[ImageSet]]] = {
    "comma": by_table(["path", "group_name"]),
    "semicolon": by_table(["file_name", "site"], delimiter=";"),
    "tab": by_table(["filepath", "site"], delimiter="\t"),
    "byte order mark": by_table(["Path", "site"], encoding="utf-8-sig"),
    "UTF-16": by_table(["image", "site"], encoding="utf-16"),
    "Parquet": in_parquet,
    "Parquet parts": in_parts,
    "save_to_disk": saved_to_disk,
    "ImageFolder": image_folder,
    "tar": shards,
    "zip": zips,
    "list": lists,
    "JSON lines": json_lines,
    "COCO": coco,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_gives_the_images_of_the_plain_folder(
    folder: Path, plain: list[list[str]], kind: str
) -> None:
    sources = KINDS[kind](folder)
    assert ids(*sources) == plain
    for ref in sources[0].images:
        assert Image.open(ref.at.open()).size == (40, 30)
        assert ref.at.stamp() == ref.at.stamp()
    assert len({ref.at.stamp() for ref in sources[0].images}) == COUNT


def test_boxes_are_images_of_their_own(folder: Path) -> None:
    coco(folder)
    content = json.loads((folder / "coco.json").read_text())
    content["annotations"] += [
        {"image_id": 0, "category_id": 1, "bbox": [20, 0, 20, 30]},
        {"image_id": 0, "category_id": 1, "bbox": [1, 1, 2, 2]},
        {"image_id": 1, "category_id": 1, "bbox": [100, 0, 20, 30]},
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 20, 30], "iscrowd": 1},
        {"image_id": 1, "category_id": 1, "bbox": "left"},
    ]
    (folder / "coco.json").write_text(json.dumps(content))
    source = ImageSet.open(folder / "coco.json", "category == 'cat'", Options(crops=True))
    assert source.default_cluster == "image"
    (found,) = read_sets([source], measure=measure, version="1")
    assert len(found.images.images) == COUNT + 1
    reasons = sorted(one.reason for one in found.images.skipped)
    assert [reason[:12] for reason in reasons] == [
        "a crowd, not",
        "its box is n",
        "its box is u",
        "the box (100",
    ]
    whole = Image.open(folder / "images" / "a_0.png").convert("RGB")
    left, right = (ref for ref in found.images.images if "a_0.png" in ref.name)
    assert decode(left).tobytes() == whole.crop((0, 0, 20, 30)).tobytes()
    assert decode(right).tobytes() == whole.crop((20, 0, 40, 30)).tobytes()
    clusters = found.images.covariates.labels("image")
    assert clusters[left.id] == clusters[right.id] == "a_0.png"


@given(st.lists(st.text("019ab.\u00e9\udcff", min_size=1), max_size=6))
def test_names_of_one_shape_are_in_natural_order_as_texts(names: list[str]) -> None:
    if of_one_shape(names):
        assert sorted(names) == sorted(names, key=natural_key)


def test_cameras_number_their_files_in_one_shape() -> None:
    assert of_one_shape([f"x/IMG_{n:04}.JPG" for n in range(12)])
    assert not of_one_shape(["img2.png", "img10.png"])
    assert not of_one_shape(["a1.png", "1a.png"])


@pytest.mark.parametrize("options", [Options(), Options(frames="all"), Options(bands=(1, 2, 3))])
def test_files_that_are_looked_into_are_known_by_their_suffix(options: Options) -> None:
    look = expand._by_suffix(options)
    names = ["a", "a.", "x.JPG", "x.tif", "x.nii.gz", "x.gz", "x.MP4", "x.dcm", "y.nii", "z.gif"]
    for name in (*names, *names):
        assert look(name) == expand._needs_look(name, "", options)
