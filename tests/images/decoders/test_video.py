"""Frames of videos: as a player shows them, and no more of them than there are."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from visdiff_local.errors import UnreadableImageError
from visdiff_local.images import ImageSet, Options, decode, read_sets
from visdiff_local.measure import measure


def film(path: Path, *, count: int = 30, step: int = 1) -> Path:
    """Ten frames a second, or one each ``step`` tenths; grey, ever brighter, green at top left."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(count):
            image = Image.new("RGB", (64, 48), (40 + 5 * number,) * 3)
            image.paste((20, 160, 40), (0, 0, 16, 16))
            frame = av.VideoFrame.from_ndarray(np.asarray(image), "rgb24")
            frame.pts = number * step
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turned(path: Path) -> Path:
    """With the matrix that a phone held upright writes: a quarter clockwise."""
    raw = path.read_bytes()
    at = raw.find(b"tkhd") + 4 + 4 + 5 * 4 + 2 * 8
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(raw[:at] + matrix + raw[at + 36 :])
    return path


def test_a_film_that_was_taken_upright_is_shown_so(tmp_path: Path) -> None:
    frame = decode(ImageSet.open(turned(film(tmp_path / "x.mp4"))).images[0])
    assert frame.size == (48, 64)
    right, left = frame.getpixel((45, 2)), frame.getpixel((2, 2))
    assert right[1] > right[0] + 80  # type: ignore[index,operator]
    assert abs(left[1] - left[0]) < 20  # type: ignore[index,operator]


def test_uneven_frames_are_found_by_their_time(tmp_path: Path) -> None:
    source = ImageSet.open(film(tmp_path / "x.mkv", count=12, step=4), None, Options(every=0.8))
    levels = [np.asarray(decode(ref))[40, 40, 0] for ref in source.images]
    assert np.abs(np.array(levels) - (40 + 10 * np.arange(len(levels)))).max() <= 4


@pytest.mark.parametrize(("every", "count"), [(100.0, 1), (1.0, 3)])
def test_a_step_longer_than_the_film_gives_its_first_frame(
    tmp_path: Path, every: float, count: int
) -> None:
    source = ImageSet.open(film(tmp_path / "x.mp4"), None, Options(every=every))
    assert len(source.images) == count


def test_a_film_that_is_cut_off_gives_no_frame_twice(tmp_path: Path) -> None:
    raw = film(tmp_path / "x.mkv", count=100).read_bytes()
    (tmp_path / "x.mkv").write_bytes(raw[: len(raw) // 3])
    source = ImageSet.open(tmp_path / "x.mkv")
    assert len(source.images) == 10
    (one,) = read_sets([source], measure=measure, version="1")
    assert 1 <= len(one.images.images) <= 6
    assert all("nothing follows the frame at" in lost.reason for lost in one.images.skipped)
    with pytest.raises(UnreadableImageError, match="nothing follows"):
        decode(source.images[-1])


def test_a_film_of_an_unknown_codec_is_a_reason(tmp_path: Path) -> None:
    path = film(tmp_path / "x.mkv")
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4", b"V_ZZZZZ"))
    (lost,) = ImageSet.open(path).skipped
    assert "codec" in lost.reason


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"no film at all" * 400])
def test_no_film_is_a_reason(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    source = ImageSet.open(tmp_path / "x.mp4")
    assert not source.images
    assert source.skipped[0].reason
