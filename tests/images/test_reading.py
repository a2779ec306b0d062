"""Reading: nothing is dropped in silence, nothing read twice."""

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.support.pictures import UGLY, encoded, folder_of, picture, read
from visdiff_local.errors import InputError
from visdiff_local.images import (
    Facts,
    ImageSet,
    Stamp,
    shared_ids,
    shown,
)
from visdiff_local.images.facts import Known


def why_skipped(source: ImageSet) -> dict[str, str]:
    return {Path(item.path).name: item.reason for item in source.skipped}


class Memory:
    """Remembers in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[Stamp, tuple[str, Facts]] = {}

    def recall(self, stamps: list[Stamp], version: str) -> Known:
        there = [(n, *self.known[one]) for n, one in enumerate(stamps) if one in self.known]
        return Known.of(there)

    def remember(self, items: list[tuple[Stamp, str, Facts]], version: str) -> None:
        self.known.update({stamp: (id_, facts) for stamp, id_, facts in items})


def test_nothing_is_dropped_in_silence(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", 3)
    for name, (raw, _) in UGLY.items():
        (folder / name).write_bytes(raw)
    (folder / "copy.png").write_bytes((folder / "img0.png").read_bytes())
    (folder / "gone.png").symlink_to(folder / "nothing.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "note.txt").touch()
    found = read(ImageSet.from_folder(folder)).images
    assert [Path(ref.name).name for ref in found.images] == ["copy.png", "img1.png", "img2.png"]
    why = why_skipped(found)
    for name, (_, said) in UGLY.items():
        assert name.endswith(".eps") or said in why.pop(name)
    assert why.pop("img0.png") == f"the same bytes as {folder / 'copy.png'}"
    assert why == {"gone.png": "no such file", "pipe.png": "not a plain file"}
    assert found.ignored == 2


def test_a_set_without_a_usable_image_says_why(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,group_name\ngone.png,x\n")
    with pytest.raises(InputError, match=r"none of its images can be used \(.*gone.png: no such"):
        read(ImageSet.from_table(tmp_path / "t.csv", "x"))


def test_names_that_are_not_utf8_work(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9\n.png"
    Path(os.fsdecode(raw)).write_bytes(encoded(picture(0), "PNG"))
    (tmp_path / "b.png").write_bytes(encoded(picture(1), "PNG"))
    Path(os.fsdecode(raw + b"2.png")).write_bytes(encoded(picture(1), "PNG"))
    found = read(ImageSet.from_folder(tmp_path)).images
    assert len(found.images) == 2
    assert [item.path for item in found.skipped] == [f"{tmp_path}/caf\\xe9\\n.png2.png"]
    assert shown("naïve\x1b[31m") == "naïve\\x1b[31m"


def test_a_warm_run_reads_no_image_and_knows_the_same(tmp_path: Path) -> None:
    source, memory = ImageSet.from_folder(folder_of(tmp_path / "a", 8)), Memory()
    told: list[int] = []
    cold = read(source, memory=memory, progress=told.append)
    assert (cold.read, sum(told)) == (8, 8)
    warm = read(source, memory=memory)
    assert warm.read == 0
    assert (warm.images, warm.facts) == (cold.images, cold.facts)
    assert read(source, memory=memory, verify=True).read == 8
    changed = Path(source.images[3].name)
    picture(77).save(changed)
    os.utime(changed, ns=(1, 1))
    again = read(source, memory=memory)
    assert again.read == 1
    assert {ref.id for ref in again.images.images} - {ref.id for ref in cold.images.images}
    changed.rename(changed.with_name("moved.png"))
    moved = read(ImageSet.from_folder(tmp_path / "a"), memory=memory)
    assert {r.id for r in moved.images.images} == {r.id for r in again.images.images}


def test_facts_are_those_of_the_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "x.jpg").write_bytes(encoded(picture(0, (40, 30)), "JPEG", exif=exif))
    found = read(ImageSet.from_folder(tmp_path))
    (facts,) = found.facts
    assert (facts.width, facts.height, facts.format) == (30, 40, "JPEG")
    assert 0 <= facts.phash < 2**64
    assert len(facts.values) > 5


def test_equal_bytes_in_both_sets_stay_in_both(tmp_path: Path) -> None:
    a, b = folder_of(tmp_path / "a", 3), folder_of(tmp_path / "b", 3, first_seed=2)
    one, other = (read(ImageSet.from_folder(path)).images for path in (a, b))
    assert len(one.images) == len(other.images) == 3
    assert shared_ids(one, other) == (one.images[2].id,)
