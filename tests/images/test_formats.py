"""Formats beyond Pillow's: the picture, or the reason; nothing of a patient; every mutation."""

import io
import json
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import imagecodecs
import nibabel
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image, ImageDraw
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images import ImageSet, Options, decode, read_sets
from visdiff_local.images.decoders.decode import unpacked
from visdiff_local.images.locators import Memory
from visdiff_local.measure import measure
from visdiff_local.types import Window

PLANTED = "ZZPLANTEDZZ"


def grey(seed: int, size: tuple[int, int] = (48, 40)) -> Any:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(float)
    return np.rint((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)


def slice_of(pixels: Any, patient: str = "1", **tags: Any) -> bytes:
    """A CT slice with a name in every tag that may hold one; 0 … 255 becomes -1024 … 3056."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.Modality, data.Rows, data.Columns = "CT", *pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.RescaleIntercept, data.RescaleSlope = -1024, 1
    data.PatientID = f"{PLANTED}{patient}"
    for name in ("PatientName", "ReferringPhysicianName", "OperatorsName", "InstitutionName"):
        setattr(data, name, f"{PLANTED}^{name}"[:60])
    for name in ("PatientComments", "StudyDescription", "SeriesDescription", "ImageComments"):
        setattr(data, name, f"{PLANTED} {name}")
    for name in ("AccessionNumber", "StudyID", "StationName", "ProtocolName"):
        setattr(data, name, PLANTED)
    data.PatientBirthDate, data.StudyDate = "19010203", "19040506"
    data.PixelData = (pixels.astype(np.uint16) * 16).tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def slices(folder: Path, seeds: range, **tags: Any) -> Path:
    folder.mkdir(parents=True)
    for seed in seeds:
        raw = slice_of(grey(seed), patient=str(seed // 2), **tags)
        (folder / f"{seed}.dcm").write_bytes(raw)
    return folder


def test_slices_look_as_the_pictures_they_were_made_of(tmp_path: Path) -> None:
    a, b = slices(tmp_path / "a", range(6)), slices(tmp_path / "b", range(6, 12))
    sources = [ImageSet.open(a), ImageSet.open(b)]
    one, _ = read_sets(sources, measure=measure, version="1")
    assert one.images.default_cluster == "patient"
    for seed, ref in enumerate(one.images.images):
        shown = np.asarray(decode(ref))[..., 0].astype(float)
        assert np.abs(shown - grey(seed)).mean() < 3
    groups = one.images.covariates.groups("patient")
    assert sorted(len(ids) for ids in groups.values()) == [2, 2, 2]
    assert not [label for label in groups if PLANTED in label]
    chosen = ImageSet.open(a, "Modality == 'CT' and folder == '.'", Options(max_images=2))
    assert len(chosen.images) == 2
    with pytest.raises(InputError, match="no row satisfies"):
        ImageSet.open(a, "Modality == 'MR'")
    with pytest.raises(InputError, match="no column is called 'PatientName'"):
        ImageSet.open(a, "PatientName == 'x'")
    assert one.images.columns["Modality"].values == ("CT",)


def test_the_files_own_window_is_taken_where_they_agree(tmp_path: Path) -> None:
    a = slices(tmp_path / "a", range(4), WindowCenter=40, WindowWidth=400)
    one = read_sets([ImageSet.open(a)], measure=measure, version="1")[0]
    assert one.window is not None
    assert (one.window.how, one.window.window) == ("the files' own tags", Window(-160.0, 239.0))
    (a / "x.dcm").write_bytes(slice_of(grey(9), WindowCenter=[900, 1], WindowWidth=[100, 2]))
    one = read_sets([ImageSet.open(a)], measure=measure, version="1")[0]
    assert one.window is not None
    assert one.window.how == "percentiles"


def test_small_values_are_bright_in_monochrome1_and_padding_counts_for_nothing() -> None:
    pixels = grey(1)
    inverted = slice_of(pixels, PhotometricInterpretation="MONOCHROME1")
    window = Window(-1024, 3056)
    shown = np.asarray(decode(inverted, window=window))[..., 0].astype(int)
    assert np.abs(255 - shown - pixels).max() <= 1
    padded = pixels.copy()
    padded[:5] = 77
    raw = slice_of(padded, PixelPaddingValue=77 * 16)
    assert np.asarray(decode(raw, window=window))[:5].max() <= 1


def test_nothing_of_a_patient_leaves_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from tests.support import colours
    from visdiff_local import evaluate_hypotheses
    from visdiff_local.models import registry

    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    a, b = slices(tmp_path / "a", range(10)), slices(tmp_path / "b", range(10, 20))
    (a / "broken.dcm").write_bytes(slice_of(grey(3))[:700])
    out, store = tmp_path / "out", tmp_path / "store"
    options: Any = {"models": str(tmp_path / "models.toml"), "store": str(store)}
    evaluate_hypotheses(["a red square"], a, b, profile="colours", **options).save(out)
    told = json.loads((out / "run.json").read_text())
    assert "-1024" in told["run"]["config"]["window"]
    files = [path for root in (out, store) for path in root.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        content = path.read_bytes()
        assert PLANTED.encode() not in content, path
        assert b"19010203" not in content, path
        if path.suffix in (".db", ".sqlite") or content.startswith(b"SQLite"):
            with sqlite3.connect(path) as base:
                assert PLANTED not in "".join(base.iterdump())
    captured = capfd.readouterr()
    assert PLANTED not in captured.out + captured.err


def test_pydicoms_own_files_are_read_or_refused_with_the_reason() -> None:
    root = Path(pydicom.__file__).parent / "data" / "test_files"
    if not root.is_dir():
        pytest.skip("this pydicom brings no test files")
    files = sorted(path for path in root.rglob("*.dcm") if path.is_file())
    read, refused = 0, []
    for path in files:
        try:
            assert decode(path).mode == "RGB"
            read += 1
        except UnreadableImageError as error:
            refused.append((path.name, error.reason))
    assert read >= 55
    assert all(reason for _, reason in refused)
    refused = [name for name, _ in refused]
    assert {"CT_small.dcm", "MR_small.dcm", "JPGExtended.dcm"}.isdisjoint(refused)


def film(path: Path, seconds: int = 3, rate: int = 10) -> Path:
    """A film that is a little brighter in every second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(seconds * rate):
            level = 40 + 60 * (number // rate)
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_video_is_its_frames_and_a_cluster(tmp_path: Path) -> None:
    film(tmp_path / "x.mp4")
    film(tmp_path / "y.mkv")
    source = ImageSet.open(tmp_path, None, Options(every=0.5))
    assert source.default_cluster == "video"
    assert [Path(ref.name).name for ref in source.images][:2] == [
        "x.mp4 [at 0.000 s]",
        "x.mp4 [at 0.500 s]",
    ]
    (one,) = read_sets([source], measure=measure, version="1")
    films = one.images.covariates.groups("video")
    assert {name: len(ids) for name, ids in films.items()} == {"x.mp4": 6, "y.mkv": 6}
    levels = [round(np.asarray(decode(ref)).mean()) for ref in one.images.images[:6]]
    assert np.abs(np.array(levels) - [40, 40, 100, 100, 160, 160]).max() <= 4
    again = [round(np.asarray(decode(ref)).mean()) for ref in one.images.images[5::-1]]
    assert again == levels[::-1]


def test_volumes_and_pages_are_one_image_or_each(tmp_path: Path) -> None:
    volume = np.stack([grey(seed).T for seed in range(4)], axis=-1).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "x.nii.gz")
    tifffile.imwrite(
        tmp_path / "x.tif", np.stack([grey(s) for s in range(10, 13)]), photometric="minisblack"
    )
    assert len(ImageSet.open(tmp_path).images) == 2
    every = ImageSet.open(tmp_path, None, Options(frames="all"))
    assert every.default_cluster == "file"
    (one,) = read_sets([every], measure=measure, version="1")
    assert len(one.images.images) == 7
    pages = [ref for ref in one.images.images if ".tif" in ref.name]
    assert np.array_equal(np.asarray(decode(pages[2]))[..., 0], grey(12))
    middle = np.asarray(decode(tmp_path / "x.nii.gz", window=Window(0, 255)))[..., 0]
    assert np.array_equal(middle, np.rot90(volume[..., 2]).astype(np.uint8))


SAMPLES: dict[str, bytes] = {}


def samples() -> dict[str, bytes]:
    if not SAMPLES:
        pixels = np.stack([grey(s) for s in (1, 2, 3)], axis=-1)
        deep = io.BytesIO()
        tifffile.imwrite(deep, pixels.astype(np.uint16) * 16, photometric="rgb")
        avif = io.BytesIO()
        Image.fromarray(pixels).save(avif, "AVIF")
        volume = nibabel.Nifti1Image(np.stack([grey(1)] * 2, -1).astype(np.int16), np.eye(4))
        SAMPLES.update(
            {
                "DICOM": slice_of(grey(1)),
                "JPEG XL": bytes(imagecodecs.jpegxl_encode(pixels, lossless=True)),
                "TIFF of 16-bit colours": deep.getvalue(),
                "PNG of 16-bit colours": bytes(imagecodecs.png_encode(pixels.astype(np.uint16))),
                "AVIF": avif.getvalue(),
                "NIfTI": volume.to_bytes(),
            }
        )
    return SAMPLES


@pytest.mark.parametrize("kind", sorted(samples()))
def test_mutated_files_are_pictures_or_reasons(kind: str) -> None:
    raw = samples()[kind]
    assert unpacked(raw).image.mode == "RGB"
    rng = np.random.default_rng(0)
    for _ in range(40):
        with_damage = bytearray(raw)
        for place in rng.integers(0, len(raw), rng.integers(1, 8)).tolist():
            with_damage[place] = int(rng.integers(256))
        cut = int(rng.integers(1, len(raw))) if rng.random() < 0.3 else len(raw)
        with suppress(UnreadableImageError):
            assert unpacked(bytes(with_damage[:cut])).image.mode == "RGB"


def test_a_mutated_video_is_frames_or_reasons(tmp_path: Path) -> None:
    raw = film(tmp_path / "x.mp4", seconds=1).read_bytes()
    rng = np.random.default_rng(0)
    for number in range(20):
        damaged = bytearray(raw)
        for place in rng.integers(0, len(raw), 5).tolist():
            damaged[place] = int(rng.integers(256))
        (tmp_path / "y.mp4").write_bytes(bytes(damaged) + bytes(number))
        source = ImageSet.open(tmp_path / "y.mp4", None, Options(every=0.5))
        for ref in source.images:
            with suppress(UnreadableImageError):
                assert decode(ref).mode == "RGB"


def test_jpeg_xl_is_lossless_where_it_was() -> None:
    shown = np.asarray(unpacked(samples()["JPEG XL"]).image)
    assert np.array_equal(shown, np.stack([grey(s) for s in (1, 2, 3)], axis=-1))


@pytest.mark.parametrize(
    ("raw", "module", "command"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pi_heif", "[heic]"),
        (b"\xff\x0a\0\0\0", "imagecodecs", "[jxl]"),
        (b"\0" * 128 + b"DICM" + b"\0" * 9, "pydicom", "[medical]"),
    ],
)
def test_a_missing_extra_names_the_command(
    raw: bytes, module: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from visdiff_local.images.decoders import heif

    heif._register.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnreadableImageError) as caught:
        decode(Memory(raw))
    assert f"pip install 'visdiff_local{command}'" in caught.value.reason


def test_a_playlist_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    source = ImageSet.open(tmp_path / "x.mp4")
    assert [one.reason for one in source.skipped]
    assert not source.images


def test_pictures_are_drawn_over(tmp_path: Path) -> None:
    image = Image.new("RGB", (30, 20), "white")
    ImageDraw.Draw(image).rectangle((0, 0, 9, 19), fill="red")
    image.save(tmp_path / "x.avif", quality=95)
    assert decode(tmp_path / "x.avif").getpixel((3, 10))[0] > 200
