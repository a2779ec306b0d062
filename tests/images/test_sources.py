"""Images wherever people have them: the set of the plain folder, or a message that says why."""

import csv
import gzip
import io
import json
import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import ipc, parquet

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images import FOLDER, ImageSet, Options, decode, read_sets
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name, raw in zip(NAMES, PNGS, strict=True):
        (tmp_path / "images" / name).write_bytes(raw)
    return tmp_path


def ids(*sources: ImageSet) -> list[list[str]]:
    found = read_sets(list(sources), measure=measure, version="1")
    return [sorted(ref.id for ref in one.images.images) for one in found]


@pytest.fixture
def plain(folder: Path) -> list[list[str]]:
    sides = [sorted((folder / "images").glob(f"{side}_*.png")) for side in "ab"]
    return ids(*(ImageSet.from_paths(side) for side in sides))


def written(
    path: Path, rows: list[list[Any]], delimiter: str = ",", encoding: str = "utf-8"
) -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


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


def test_conditions_know_days_truth_blanks_and_quantiles(folder: Path) -> None:
    head = ["path", "site name", "is good", "day", "score"]
    rows = [
        [f"images/{name}", "north", i % 2 == 0, f"2024-{1 + i}-01", i]
        for i, name in enumerate(NAMES[:9])
    ]
    table = written(folder / "t.csv", [head, *rows])

    def chosen(where: str) -> list[int]:
        return [NAMES.index(Path(ref.name).name) for ref in ImageSet.open(table, where).images]

    assert chosen("`is good`") == [0, 2, 4, 6, 8]
    assert chosen("not `is good` and `site name` == 'north'") == [1, 3, 5, 7]
    assert chosen("day >= '2024-08-01'") == [7, 8]
    assert chosen("day < '1.3.2024'") == [0, 1]
    assert chosen("score > quantile(0.75)") == [7, 8]
    assert chosen("score <= quantile(score, 0.25)") == [0, 1, 2]
    for where, said in (
        ("score = 3", r"did you mean ==\? Type: score == 3"),
        ("`site name`", "neither true nor false"),
        ("score > quantile(2)", r"type quantile\(0.75\) beside a column"),
        ("`site name` > quantile(0.5)", "has no numbers"),
        ("score > quantile(open('x'), 0.5)", "is not understood|type quantile"),
        ("-" * 1900, "no row has the group_name|no column is called|is not understood|names no"),
    ):
        with pytest.raises(InputError, match=said):
            chosen(where)


def test_rows_that_are_no_rows_are_listed_by_number(folder: Path) -> None:
    rows = [[f"images/{name}"] for name in NAMES]
    rows[3].append("extra")
    table = written(folder / "t.csv", [["path"], *rows])
    found = ImageSet.open(table)
    assert len(found.images) == len(NAMES) - 1
    assert [(one.path, one.reason) for one in found.skipped] == [
        (f"{table}, row 5", "it has 2 cells for 1 column")
    ]


def test_paths_are_found_as_people_write_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    name = "été.png"
    (folder / "images" / unicodedata.normalize("NFD", name)).write_bytes(PNGS[0])
    written_as = [
        "images\\a_1.png",
        "~/images/a_2.png",
        f"file://{folder}/images/a_3.png",
        f"images/{unicodedata.normalize('NFC', name)}",
    ]
    table = written(folder / "t.csv", [["path"], *([one] for one in written_as)])
    assert [len(side) for side in ids(ImageSet.open(table))] == [4]


def test_what_others_put_into_folders_is_left_out_and_counted(folder: Path) -> None:
    images = folder / "images"
    for place in (".thumbnails", "@eaDir", "__MACOSX", "deep/.ipynb_checkpoints"):
        (images / place).mkdir(parents=True)
        (images / place / "x.png").write_bytes(PNGS[0])
    (images / "._a_0.png").write_bytes(b"")
    (images / "notes.txt").touch()
    found = ImageSet.open(images)
    assert len(found.images) == len(NAMES)
    assert found.left_out == {
        "in hidden folders": 2,
        "in @eaDir folders": 1,
        "in __MACOSX folders": 1,
        "hidden files": 1,
    }
    assert found.ignored == 1


def test_a_sample_is_drawn_by_the_seed(folder: Path) -> None:
    drawn = [
        [
            r.name
            for r in ImageSet.open(folder / "images", None, Options(max_images=5, seed=s)).images
        ]
        for s in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(one) for one in drawn] == [5, 5, 5]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: (p / "x.tar.gz").write_bytes(gzip.compress(b"x")), "gunzip -k"),
        (lambda p: (p / "x.tar").write_bytes(b"\xff" * 2000), "cannot be read as an archive"),
        (
            lambda p: (p / "x.zip").write_bytes(b"PK\3\4" + b"\xff" * 99),
            "read as an archive",
        ),
        (lambda p: (p / "x.parquet").write_bytes(b"PAR1"), "cannot be read as a table"),
        (lambda p: (p / "x.arrow").write_bytes(b"ARROW1"), "damaged Arrow"),
        (lambda p: (p / "x.json").write_text("[" * 100_000), "cannot be read as JSON"),
        (lambda p: (p / "x.json").write_text("{}"), "no COCO file"),
        (lambda p: (p / "x.jsonl").write_text('{"path": 1}\n[]'), "line 2 is no JSON object"),
        (lambda p: (p / "x.txt").write_text("\n# x\n"), "it lists no path"),
        (lambda p: (p / "x.csv").write_text("path,path\na,b\n"), "the columns 1 and 2 are both"),
        (lambda p: (p / "x.csv").write_text("file,image\na,b\n"), "name one with --path-column"),
    ],
)
def test_what_cannot_be_used_says_what_to_do(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    make(tmp_path)
    (path,) = tmp_path.iterdir()
    with pytest.raises(InputError, match=said):
        ImageSet.open(path)


def test_an_archive_that_is_replaced_is_not_read_at_old_places(folder: Path) -> None:
    source = shards(folder)[0]
    assert source.images[0].at.read() == PNGS[0]
    with tarfile.open(folder / "new.tar", "w") as tar:
        add(tar, "x/a_0.png", PNGS[5])
    (folder / "new.tar").replace(folder / "a.tar")
    assert source.images[0].at.read() != PNGS[0]
    os.truncate(folder / "a.tar", 600)
    with pytest.raises(UnreadableImageError, match="truncated"):
        source.images[0].at.read()
