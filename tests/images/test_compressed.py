"""Compressed tars: the same bytes as uncompressed, in any order, and damage at the place."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.support.sources import NAMES, PNGS, add, ids, written
from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images import ImageSet, compressed
from visdiff_local.store import Store


def zstd(raw: bytes) -> bytes:
    stream = pa.BufferOutputStream()
    with pa.CompressedOutputStream(stream, "zstd") as sink:
        sink.write(raw)
    return bytes(stream.getvalue())


def members_of_gzip(raw: bytes) -> bytes:
    """As pigz and bgzip write it: one member after the other, and zeros behind."""
    middle = len(raw) // 2
    return gzip.compress(raw[:middle]) + gzip.compress(raw[middle:]) + b"\0" * 100


KINDS: dict[str, Callable[[bytes], bytes]] = {
    "x.tar.gz": gzip.compress, "x.tgz": members_of_gzip, "x.tar.bz2": bz2.compress,
    "x.tar.xz": lzma.compress, "x.tar.zst": zstd,
}  # fmt: skip


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, raw in zip(NAMES, PNGS, strict=True):
            add(archive, f"x/{name}", raw)
            add(archive, f"x/{name[:-4]}.txt", b"a hat")
    return stream.getvalue()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_compressed_tar_is_the_same_set_as_the_tar(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain.tar").write_bytes(tar())
    (tmp_path / name).write_bytes(KINDS[name](tar()))
    plain, packed = (ImageSet.open(tmp_path / one) for one in ("plain.tar", name))
    assert packed.images[0].caption == "a hat"
    assert ids(plain) == ids(packed)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["plain.tar", name])
    backwards = [ref.at.read() for ref in reversed(packed.images)]
    assert backwards[::-1] == [ref.at.read() for ref in plain.images]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_what_is_cut_off_is_named_and_the_rest_is_read(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member, raw in zip(NAMES, PNGS, strict=True):
            add(archive, member, raw)
            add(archive, f"{member}.bin", rng.bytes(400_000))
    raw = KINDS[name](stream.getvalue())
    (tmp_path / name).write_bytes(raw[: len(raw) // 2])
    source = ImageSet.open(tmp_path / name)
    assert 2 <= len(source.images) < len(NAMES)
    assert "truncated or damaged" in source.skipped[-1].reason
    assert len(ids(source)[0]) >= 2
    (tmp_path / name).write_bytes(raw[:40])
    with pytest.raises(InputError, match="archive"):
        ImageSet.open(tmp_path / name)


def test_a_tar_that_is_cut_off_keeps_what_is_whole(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(tar()[: len(tar()) // 2])
    source = ImageSet.open(tmp_path / "x.tar")
    assert len(source.images) >= 4
    assert source.skipped


@pytest.mark.parametrize("kind", [gzip.compress, lzma.compress])
def test_any_order_gives_the_right_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[bytes], bytes]
) -> None:
    """With little kept, and states close together, so that all ways back are gone."""
    for name, value in (("_RECENT", 3000), ("_APART", 2000), ("_STATES", 8), ("_CHUNK", 700)):
        monkeypatch.setattr(compressed, name, value)
    rng = np.random.default_rng(0)
    content = rng.integers(0, 9, 60_000, dtype=np.uint8).tobytes()
    (tmp_path / "x").write_bytes(kind(content))
    found = compressed.inflated(tmp_path / "x")
    for offset, size in rng.integers(0, [60_500, 4000], (150, 2)).tolist():
        assert found.read(offset, size) == content[offset : offset + size]


def test_gzip_goes_back_to_the_nearest_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed, "_RECENT", 0)
    monkeypatch.setattr(compressed, "_APART", 1 << 18)
    content = np.random.default_rng(0).bytes(4 << 20)
    (tmp_path / "x").write_bytes(gzip.compress(content, 1))
    found = compressed.inflated(tmp_path / "x")
    found.read(4 << 20, 1)
    found.read(3 << 20, 10)
    begun = found._recent[0][0]
    assert (3 << 20) - (1 << 20) < begun <= 3 << 20


def test_a_table_names_members_and_a_warm_run_reads_none(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tar()))
    rows = [["path"], *([f"x.tar.gz/x/{name}"] for name in NAMES)]
    table = ImageSet.open(written(tmp_path / "x.csv", rows))
    assert ids(table) == [sorted(ids(ImageSet.open(tmp_path / "x.tar.gz"))[0])]
    from visdiff_local.images import read_set
    from visdiff_local.measure import measure

    with Store(tmp_path / "store") as store:
        for read in (len(NAMES), 0):
            source = ImageSet.open(tmp_path / "x.tar.gz")
            assert read_set(source, measure=measure, version="1", memory=store.files).read == read


def test_a_name_that_promises_a_compression_and_breaks_it(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"no archive at all")
    with pytest.raises(InputError, match="none of gzip, bzip2, xz or Zstandard"):
        ImageSet.open(tmp_path / "x.tar.gz")
    (tmp_path / "y").write_bytes(gzip.compress(b"x" * 1000)[:-12])
    with pytest.raises(UnreadableImageError, match="damaged or truncated"):
        compressed.inflated(tmp_path / "y").read(0, 2000)
