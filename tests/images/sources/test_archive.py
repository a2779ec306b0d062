"""Names within archives, and folders that hold them."""

import gzip
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.sources import PNGS, add, ids, written
from visdiff_local.errors import InputError
from visdiff_local.images import ImageSet


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_names_in_a_zip_without_a_mark_are_read_as_meant(tmp_path: Path, encoding: str) -> None:
    stand_in = "@" * len("ä".encode(encoding))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number, raw in enumerate(PNGS):
            archive.writestr(f"bilder/{number}{stand_in}.png", raw)
    raw = (tmp_path / "x.zip").read_bytes()
    raw = raw.replace(f"{stand_in}.png".encode(), "ä.png".encode(encoding))
    (tmp_path / "x.zip").write_bytes(raw)
    source = ImageSet.open(tmp_path / "x.zip")
    assert source.images[0].name.endswith("x.zip/bilder/0ä.png")
    rows = [["path"], *([f"x.zip/bilder/{number}ä.png"] for number in range(len(PNGS)))]
    assert ids(ImageSet.open(written(tmp_path / "x.csv", rows))) == ids(source)


def test_a_folder_of_archives_among_others_says_how_to_name_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with tarfile.open(tmp_path / "sub" / "x.tar", "w") as tar:
        add(tar, "0.png", PNGS[0])
    with pytest.raises(InputError, match=r"name them: '.*sub/\*\.tar'"):
        ImageSet.open(tmp_path)
    assert len(ImageSet.open(f"{tmp_path}/sub/*.tar").images) == 1


def test_a_member_without_a_name_is_listed_and_the_others_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number, raw in enumerate(PNGS):
            archive.writestr(f"n{number}.png", raw)
    raw = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").write_bytes(raw.replace(b"n0.png", b"\x000.png"))
    source = ImageSet.open(tmp_path / "x.zip")
    assert len(source.images) == len(PNGS) - 1
    assert [one.reason for one in source.skipped] == ["a member without a name"]


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_images_behind_a_header_that_is_lost_are_not_silently_left_out(
    damage: str, suffix: str, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.tar"
    with tarfile.open(whole, "w") as archive:
        for number, content in enumerate(PNGS[:3]):
            add(archive, f"{number}.png", content)
    with tarfile.open(whole) as archive:
        second = archive.getmembers()[1].offset
    raw = whole.read_bytes()
    raw = (
        raw[: second + 200]
        if damage == "cut off"
        else raw[:second] + b"x" * 512 + raw[second + 512 :]
    )
    damaged = tmp_path / f"damaged.{suffix}"
    damaged.write_bytes(raw if suffix == "tar" else gzip.compress(raw))
    found = ImageSet.open(damaged)
    assert len(found.images) == 1
    (lost,) = found.skipped
    assert "truncated or damaged from there on" in lost.reason
    assert ImageSet.open(whole).skipped == ()
