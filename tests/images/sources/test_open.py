"""Listing: folders, globs, links; what there is not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pictures import folder_of
from visdiff_local.errors import InputError
from visdiff_local.images import (
    ImageSet,
)


def test_a_folder_is_listed_deep_in_natural_order_and_other_files_are_counted(
    tmp_path: Path,
) -> None:
    for name in ("img10.png", "img9.PNG", "deep/er/img1.jpeg", "notes.txt", ".DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    listed = ImageSet.from_folder(tmp_path)
    names = [Path(ref.name).relative_to(tmp_path).as_posix() for ref in listed.images]
    assert names == ["deep/er/img1.jpeg", "img9.PNG", "img10.png"]
    assert listed.ignored == 2
    assert listed.name == tmp_path.name
    assert {ref.id for ref in listed.images} == {""}


def test_a_ring_of_links_ends(tmp_path: Path) -> None:
    folder_of(tmp_path / "a", 2)
    (tmp_path / "a" / "ring").symlink_to(tmp_path, target_is_directory=True)
    assert len(ImageSet.from_folder(tmp_path).images) == 2


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: ImageSet.open(p / "nowhere"), "there is no such folder"),
        (lambda p: ImageSet.from_folder(p), "1 other files are there"),
        (lambda p: ImageSet.open(str(p / "*.jpg")), "no image is there"),
        (lambda p: ImageSet.open(p / "t.csv", "x"), "there is no such table"),
        (lambda p: ImageSet.open(p, "x"), "no image is there"),
    ],
)
def test_nothing_to_list_is_an_error_that_says_what_to_give(
    tmp_path: Path, make: Callable[[Path], ImageSet], said: str
) -> None:
    (tmp_path / "readme.txt").touch()
    with pytest.raises(InputError, match=said) as caught:
        make(tmp_path)
    assert caught.value.exit_code == 2


def test_open_tells_folder_file_glob_and_table_apart(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "set[1]", 3)
    (tmp_path / "t.csv").write_text("path,group_name\nset[1]/img0.png,x\n")
    assert len(ImageSet.open(folder).images) == 3
    assert len(ImageSet.open(folder / "img1.png").images) == 1
    assert len(ImageSet.open(f"{tmp_path}/**/*.png").images) == 3
    assert len(ImageSet.open(tmp_path / "t.csv", "x").images) == 1


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.jsonl", "x.tar", "x.zip", "x.txt", "x"])
def test_a_pipe_is_refused_and_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="a pipe is no source; write it to a file first"):
        ImageSet.open(tmp_path / name)
    if "." in name:
        with pytest.raises(InputError, match="a pipe is no table"):
            ImageSet.from_table(tmp_path / name)
