"""Conditions, rows that are none, paths as people write them, samples."""

import gzip
import os
import tarfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import ipc

from tests.support.sources import NAMES, PNGS, add, ids, shards, written
from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images import ImageSet, Options


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
        ("`site name` == north", "north is a value of site name: write it in quotes"),
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
        (lambda p: (p / "x.tar.gz").write_bytes(gzip.compress(b"x")), "truncated header"),
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


def test_an_arrow_file_that_points_outside_itself_is_refused(tmp_path: Path) -> None:
    """Such an offset ended the process at the first use."""
    table = pa.table({"image": [b"x" * 50] * 6})
    stream = pa.BufferOutputStream()
    with ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    raw = bytes(stream.getvalue())
    offsets = np.arange(0, 350, 50, dtype="<i4")
    outside = offsets.copy()
    outside[2] = 2**30
    assert offsets.tobytes() in raw
    (tmp_path / "x.arrow").write_bytes(raw.replace(offsets.tobytes(), outside.tobytes()))
    with pytest.raises(InputError, match="damaged Arrow file"):
        ImageSet.open(tmp_path / "x.arrow")
