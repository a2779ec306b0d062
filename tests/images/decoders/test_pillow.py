"""Decoding: pixels as a person sees them, or the reason why not."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tests.support.pictures import UGLY, encoded, folder_of, picture, read
from visdiff_local.images import (
    MAX_PIXELS,
    ImageSet,
    UnreadableImageError,
    decode,
    decoded,
)


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
