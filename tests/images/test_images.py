"""Sets of images: what is listed, what is left out and why, how pixels come out, how sets split."""

import os
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw
from pyarrow import parquet

from visdiff_local.errors import InputError
from visdiff_local.images import (
    MAX_PIXELS,
    Facts,
    File,
    ImageSet,
    Stamp,
    UnreadableImageError,
    decode,
    decoded,
    near_groups,
    read_set,
    shared_ids,
    shown,
)
from visdiff_local.images.reading import ReadSet
from visdiff_local.images.sources.conditions import parse_condition
from visdiff_local.measure.attributes import measure
from visdiff_local.types import ImageRef


def picture(seed: int, size: tuple[int, int] = (24, 16)) -> Image.Image:
    """A random picture, smooth enough to survive JPEG."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def folder_of(path: Path, count: int, first_seed: int = 0) -> Path:
    path.mkdir(parents=True)
    for number in range(count):
        picture(first_seed + number).save(path / f"img{number}.png")
    return path


def read(source: ImageSet, **options: object) -> ReadSet:
    return read_set(source, measure=measure, version="1", **options)  # type: ignore[arg-type]


def why_skipped(source: ImageSet) -> dict[str, str]:
    return {Path(item.path).name: item.reason for item in source.skipped}


class Memory:
    """Remembers in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[Stamp, tuple[str, Facts]] = {}

    def recall(self, stamps: list[Stamp], version: str) -> dict[Stamp, tuple[str, Facts]]:
        return {stamp: self.known[stamp] for stamp in stamps if stamp in self.known}

    def remember(self, items: list[tuple[Stamp, str, Facts]], version: str) -> None:
        self.known.update({stamp: (id_, facts) for stamp, id_, facts in items})


# --- listing ---------------------------------------------------------------------------------


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


# --- tables ----------------------------------------------------------------------------------

TABLE = """path,group_name,difficulty,caption,pair,score
a/1.png,dogs,easy,"a dog,
on grass",001,0.5
a/2.png,cats,hard,,002,1.5
,cats,easy,,003,2
https://example.org/x.png,dogs,easy,,004,2
a/3.png,dogs,hard,a dog,,3
"""


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_of_a_table_are_chosen_by_group(tmp_path: Path, kind: str) -> None:
    table = tmp_path / f"t.{kind}"
    if kind == "csv":
        table.write_text(TABLE)
    else:
        columns = {
            "path": ["a/1.png", "a/2.png", None, "https://example.org/x.png", "a/3.png"],
            "group_name": ["dogs", "cats", "cats", "dogs", "dogs"],
            "caption": ["a dog,\non grass", None, None, None, "a dog"],
            "pair": ["001", "002", "003", "004", None],
        }
        parquet.write_table(pa.table(columns), table)
    dogs = ImageSet.from_table(table, "dogs").requiring("pair")
    assert [(ref.at, ref.caption) for ref in dogs.images] == [
        (File(tmp_path / "a/1.png"), "a dog,\non grass")
    ]
    assert [dogs.columns["pair"][0], len(dogs.columns["pair"])] == ["001", 1]
    assert [item.reason for item in dogs.skipped] == [
        "a URL: this program uses no network; download it and name the file",
        "no value in the column 'pair'",
    ]
    cats = ImageSet.from_table(table, "cats")
    assert [ref.at for ref in cats.images] == [File(tmp_path / "a/2.png")]
    assert [item.reason for item in cats.skipped] == ["the path is empty"]


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ('difficulty == "easy" and group_name != "cats"', [1]),
        ("not group_name in ('cats', 'x') or score == 1.5", [1, 2, 3]),
        ("score >= 1.5", [2, 3]),
        ("0 < score < 1", [1]),
        ("caption is None", [2]),
        ('"grass" in caption', [1]),
        ("pair == 1", [1]),
        ("pair == '1' or score > -1 and difficulty == 'hard'", [2, 3]),
    ],
)
def test_rows_of_a_table_are_chosen_by_condition(
    tmp_path: Path, condition: str, rows: list[int]
) -> None:
    (tmp_path / "t.csv").write_text(TABLE.replace("easy,,00", "none,,00"))
    chosen = ImageSet.from_table(tmp_path / "t.csv", condition)
    assert [int(Path(ref.name).stem) for ref in chosen.images] == rows


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("birds", r"no row has the group_name 'birds'; the group_names are: 'cats', 'dogs'"),
        (
            "colour == 'x'",
            r"no column is called 'colour' \(the columns are: path, group_name, diff",
        ),
        ("group_nam == 'x'", "did you mean 'group_name'"),
        ("score == 17", "no row satisfies"),
        ("caption > 3", "is no number"),
        ("group_name == open('x')", r"open\('x'\).* is not understood"),
        ("group_name.x == 1", "is not understood"),
        ("1 == 1", "names no column"),
        ("[x for x in path] == 1", "is not understood"),
    ],
)
def test_a_choice_that_cannot_be_made_says_what_there_is(
    tmp_path: Path, where: str | None, said: str
) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    with pytest.raises(InputError, match=said):
        ImageSet.from_table(tmp_path / "t.csv", where)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"picture,group_name\nx.png,x\n",
            "no column is called 'path' or alike; .*are: picture, gr",
        ),
        (b"path,group_name\nx.png\n", "cannot be read as a table"),
        (b"", "cannot be read as a table"),
        (b"path,group_name\n\0.png,x\n", "cannot be read as a table"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        ImageSet.from_table(tmp_path / "t.csv", "x")
    assert "t.csv" in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_breaks_the_condition_parser(text: str) -> None:
    try:
        condition = parse_condition(text)
    except InputError:
        return
    assert condition is None or condition.columns


# --- decoding --------------------------------------------------------------------------------


def test_orientation_is_applied() -> None:
    image = Image.new("RGB", (30, 20), "white")
    image.paste("red", (0, 0, 10, 10))
    for orientation, corner in ((1, "tl"), (3, "br"), (6, "tr"), (8, "bl"), (5, "tl"), (2, "tr")):
        exif = Image.Exif()
        exif[0x0112] = orientation
        upright = decode(encoded(image, "PNG", exif=exif))
        assert upright.size == ((20, 30) if orientation >= 5 else (30, 20))
        x = 2 if corner[1] == "l" else upright.width - 3
        y = 2 if corner[0] == "t" else upright.height - 3
        assert upright.getpixel((x, y)) == (255, 0, 0), orientation


def test_colour_profiles_are_applied_and_damaged_ones_are_not_fatal() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    xyz = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    image = Image.new("RGB", (8, 8), (200, 30, 90))
    swapped = _swapped_profile()
    assert decode(encoded(image, "PNG", icc_profile=swapped)).getpixel((0, 0)) != (200, 30, 90)
    for useless in (lab, xyz, b"no profile"):
        assert decode(encoded(image, "PNG", icc_profile=useless)).getpixel((0, 0)) == (200, 30, 90)


def _swapped_profile() -> bytes:
    """sRGB with the tags of its red and its blue primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = profile.replace(b"rXYZ", b"tmpX").replace(b"bXYZ", b"rXYZ").replace(b"tmpX", b"bXYZ")
    return named.replace(b"s\0R\0G\0B", b"o\0t\0h\0e")


def test_depths_modes_and_transparency_come_out_as_seen() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    deep = np.asarray(decode(encoded(Image.fromarray(ramp), "PNG")))[..., 0]
    assert np.array_equal(deep, np.rint(ramp / 257).astype(np.uint8))
    floats = Image.fromarray((ramp / 65535).astype(np.float32))
    assert np.ptp(np.asarray(decode(encoded(floats, "TIFF")))) == 255
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    red = decode(encoded(cmyk, "JPEG", quality=100)).getpixel((4, 4))
    assert red[0] > 200
    assert max(red[1:]) < 60
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert decode(encoded(clear, "PNG")).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 0, 0, 255])
    assert decode(encoded(palette, "PNG")).getpixel((0, 0)) == (0, 0, 255)
    assert decode(encoded(palette, "PNG", transparency=1)).getpixel((0, 0)) == (255, 255, 255)
    for mode in ("1", "L", "LA"):
        assert decode(encoded(Image.new(mode, (4, 4)), "PNG")).mode == "RGB"


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for format_name in ("GIF", "PNG", "TIFF"):
        raw = encoded(frames[0], format_name, save_all=True, append_images=frames[1:])
        assert decode(raw).getpixel((0, 0)) == (255, 0, 0)


def test_a_size_hint_scales_jpegs_and_never_below_it() -> None:
    raw = encoded(picture(0, (1000, 600)), "JPEG")
    small = decode(raw, size_hint=100)
    assert small.size == (250, 150) or (100 <= min(small.size) < 600)
    assert decode(raw, size_hint=2000).size == (1000, 600)
    assert decode(encoded(picture(0, (1000, 600)), "PNG"), size_hint=100).size == (1000, 600)


def _png_with(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (1, 1)) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    extra = b"".join(chunk(kind, data) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


UGLY: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "empty file"),
    "text.png": (b"this is no image at all", "not an image"),
    "truncated.jpg": (encoded(picture(1, (200, 200)), "JPEG")[:-400], "truncated"),
    "truncated.png": (encoded(picture(1, (200, 200)), "PNG")[:-400], "truncated"),
    "header-only.jpg": (encoded(picture(1), "JPEG")[:20], "not an image"),
    "bomb.png": (_png_with(size=(40_000, 40_000)), "too many pixels"),
    "largish.png": (_png_with(size=(12_000, 12_000)), "too many pixels"),
    "text-bomb.png": (
        _png_with((b"zTXt", b"a\0\0" + zlib.compress(b"\0" * (1 << 26)))),
        "damaged",
    ),
    "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
}


@pytest.mark.parametrize("name", UGLY)
def test_ugly_bytes_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    raw, why = UGLY[name]
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(UnreadableImageError, match=why):
        decode(tmp_path / name)


def test_the_pixel_limit_is_where_it_is_said_to_be() -> None:
    assert 12_000 * 12_000 > MAX_PIXELS > 100_000_000  # phones take 108 million


@given(st.binary(max_size=200), st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]))
@settings(max_examples=150)
def test_damage_anywhere_gives_a_picture_or_a_reason(noise: bytes, format_name: str) -> None:
    raw = bytearray(encoded(picture(3), format_name))
    place = len(noise) * 7 % len(raw)
    raw[place : place + len(noise)] = noise
    with suppress(UnreadableImageError):
        assert decode(bytes(raw)).mode == "RGB"


def test_decoded_keeps_the_order_and_names_what_has_changed(tmp_path: Path) -> None:
    refs = read(ImageSet.from_folder(folder_of(tmp_path / "a", 20))).images.images
    pairs = list(decoded(refs[::-1], workers=3))
    assert [ref for ref, _ in pairs] == list(refs[::-1])
    for ref, image in pairs:
        assert image.tobytes() == Image.open(ref.at.open()).tobytes()
    picture(99).save(refs[7].name)
    with pytest.raises(UnreadableImageError, match=r"img7\.png: changed while this ran"):
        list(decoded(refs))


def test_decoding_stops_when_its_reader_stops(tmp_path: Path) -> None:
    refs = read(ImageSet.from_folder(folder_of(tmp_path / "a", 12))).images.images
    for ref in refs[10:]:
        Path(ref.name).unlink()
    stream = decoded(refs, workers=1)
    assert next(iter(stream))[0] == refs[0]
    stream.close()  # type: ignore[attr-defined]


# --- reading ---------------------------------------------------------------------------------


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
    (facts,) = found.facts.values()
    assert (facts.width, facts.height, facts.format) == (30, 40, "JPEG")
    assert 0 <= facts.phash < 2**64
    assert len(facts.values) > 5


def test_equal_bytes_in_both_sets_stay_in_both(tmp_path: Path) -> None:
    a, b = folder_of(tmp_path / "a", 3), folder_of(tmp_path / "b", 3, first_seed=2)
    one, other = (read(ImageSet.from_folder(path)).images for path in (a, b))
    assert len(one.images) == len(other.images) == 3
    assert shared_ids(one, other) == (one.images[2].id,)


# --- splits ----------------------------------------------------------------------------------


def refs_of(names: list[str]) -> list[ImageRef]:
    return [ImageRef(name, File(Path(name))) for name in names]


def _brute_force(hashes: dict[str, int], distance: int) -> set[tuple[str, ...]]:
    names = sorted(hashes)
    group = {name: {name} for name in names}
    for one in names:
        for other in names:
            if (hashes[one] ^ hashes[other]).bit_count() <= distance:
                merged = group[one] | group[other]
                for name in merged:
                    group[name] = merged
    return {tuple(sorted(members)) for members in group.values() if len(members) > 1}


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.sets(st.integers(0, 63), max_size=7)), max_size=30),
    st.integers(0, 8),
)
def test_near_groups_are_those_of_brute_force(
    centres: list[int], variants: list[tuple[int, set[int]]], distance: int
) -> None:
    values = list(centres)
    for number, bits in variants:
        values.append(centres[number % len(centres)] ^ sum(1 << bit for bit in bits))
    hashes = {str(number): value for number, value in enumerate(values)}
    assert set(near_groups(hashes, distance=distance)) == _brute_force(hashes, distance)


def test_near_groups_find_scaled_and_recompressed_copies_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    rng = np.random.default_rng(5)
    for number in range(20):
        image = Image.new("RGB", (128, 128), tuple(rng.integers(0, 256, 3).tolist()))
        draw = ImageDraw.Draw(image)
        for _ in range(12):
            x, y = rng.integers(0, 100, 2).tolist()
            draw.rectangle((x, y, x + 40, y + 30), fill=tuple(rng.integers(0, 256, 3).tolist()))
        image.save(tmp_path / "a" / f"{number}.png")
        if number < 3:
            image.resize((96, 96)).save(tmp_path / "a" / f"{number}-copy.jpg", quality=70)
    found = read(ImageSet.from_folder(tmp_path / "a"))
    names = {ref.id: Path(ref.name).stem.split("-")[0] for ref in found.images.images}
    groups = near_groups({id_: facts.phash for id_, facts in found.facts.items()})
    assert sorted(sorted({names[id_] for id_ in group}) for group in groups) == [
        ["0"],
        ["1"],
        ["2"],
    ]


def test_near_groups_of_many_are_quick() -> None:
    code = """
        import time, numpy as np
        from visdiff_local.images import near_groups
        values = np.random.default_rng(0).integers(0, 2**64, 50_000, dtype=np.uint64)
        values[::100] = 0
        hashes = {str(n): int(v) for n, v in enumerate(values)}
        began = time.process_time()
        groups = near_groups(hashes)
        print(len(groups), time.process_time() - began)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    count, seconds = done.stdout.split()
    assert int(count) == 1
    assert float(seconds) < 10
