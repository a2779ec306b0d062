"""Small sound inputs of every format beyond plain pictures, for those who damage them."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image
from pyarrow import ipc, parquet

Grey = npt.NDArray[np.uint8]
HEIC = Path(__file__).parents[2] / "tests" / "data" / "heic"


def grey(seed: int, size: tuple[int, int] = (48, 40)) -> Grey:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5), dtype=np.uint8))
    return np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))


def colours(seed: int) -> Grey:
    return np.stack([grey(seed + n) for n in range(3)], axis=-1)


def saved(image: Image.Image, format_name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def pngs(count: int = 6) -> list[bytes]:
    return [saved(Image.fromarray(colours(n)), "PNG") for n in range(count)]


# ---- files ---------------------------------------------------------------------------------------


def dicom() -> list[bytes]:
    """Plain, with tables, of several frames, in colours, and packed."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid

    found = []
    for kind in range(5):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        data.Modality, data.PatientID, data.PixelRepresentation = "CT", f"p{kind}", 0
        pixels = grey(kind).astype(np.uint16) * 16
        data.Rows, data.Columns, data.SamplesPerPixel = *pixels.shape, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        if kind == 1:
            item = Dataset()
            item.add_new("LUTDescriptor", "US", [4096, 0, 12])
            item.add_new("LUTData", "OW", np.arange(4096, dtype="<u2").tobytes())
            data.VOILUTSequence = data.ModalityLUTSequence = Sequence([item])
        if kind == 2:
            pixels = np.stack([pixels, pixels[::-1]])
            data.NumberOfFrames = 2
            value, window, group = Dataset(), Dataset(), Dataset()
            value.RescaleIntercept, value.RescaleSlope = -1024, 2
            window.WindowCenter, window.WindowWidth = 40, 400
            group.PixelValueTransformationSequence = Sequence([value])
            group.FrameVOILUTSequence = Sequence([window])
            data.SharedFunctionalGroupsSequence = Sequence([group])
            data.PerFrameFunctionalGroupsSequence = Sequence([Dataset(), Dataset()])
        if kind == 3:
            pixels = colours(3)
            data.SamplesPerPixel, data.PlanarConfiguration = 3, 0
            data.PhotometricInterpretation = "RGB"
            data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
        data.PixelData = np.ascontiguousarray(pixels).tobytes()
        if kind == 4:
            data.compress(RLELossless)
        stream = io.BytesIO()
        data.save_as(stream, enforce_file_format=True)
        found.append(stream.getvalue())
    return found


def heic() -> list[bytes]:
    return [path.read_bytes() for path in sorted(HEIC.glob("*.heic"))]


def avif() -> list[bytes]:
    first, second = Image.fromarray(colours(1)), Image.fromarray(colours(2))
    return [saved(first, "AVIF"), saved(first, "AVIF", save_all=True, append_images=[second])]


def jxl() -> list[bytes]:
    import imagecodecs

    deep = colours(1).astype(np.uint16) * 257
    return [bytes(imagecodecs.jpegxl_encode(p)) for p in (colours(1), deep, grey(2))]


def nifti() -> list[bytes]:
    import gzip

    import nibabel

    volumes = [np.stack([grey(n).T for n in range(4)], -1).astype(kind) for kind in ("<i2", "<f4")]
    volumes.append(np.stack([volumes[0]] * 2, -1))
    raw = [bytes(nibabel.Nifti1Image(volume, np.eye(4)).to_bytes()) for volume in volumes]
    return [*raw, gzip.compress(raw[0])]


def tiff() -> list[bytes]:
    import tifffile

    found = []
    for pixels, options in (
        (np.stack([grey(n) for n in range(3)]), {"photometric": "minisblack"}),
        (grey(1).astype(np.uint16) * 16, {"photometric": "minisblack"}),
        (grey(1).astype(">u2"), {"photometric": "minisblack", "byteorder": ">"}),
        (colours(1).astype(np.uint16), {"photometric": "rgb", "compression": "zlib"}),
        (grey(1).astype(np.float64), {"photometric": "minisblack"}),
        (np.stack([grey(n) for n in range(5)], -1), {"photometric": "minisblack"}),
        (colours(2), {"photometric": "rgb", "tile": (16, 16), "compression": "lzw"}),
    ):
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels, **options)  # type: ignore[arg-type]
        found.append(stream.getvalue())
    return found


def png16() -> list[bytes]:
    import imagecodecs

    return [bytes(imagecodecs.png_encode(p.astype(np.uint16) * 257)) for p in (colours(1), grey(1))]


def video(suffix: str = ".mp4", codec: str = "mpeg4") -> bytes:
    import av

    stream = io.BytesIO()
    kind = {".mp4": "mp4", ".mkv": "matroska", ".avi": "avi", ".webm": "webm"}[suffix]
    with av.open(stream, "w", format=kind) as container:
        track = container.add_stream(codec, rate=10)
        track.width, track.height, track.pix_fmt = 48, 40, "yuv420p"
        for number in range(10):
            container.mux(track.encode(av.VideoFrame.from_ndarray(colours(number), "rgb24")))
        container.mux(track.encode())
    return stream.getvalue()


def videos() -> list[bytes]:
    return [video(".mp4"), video(".mkv"), video(".avi"), video(".webm", "libvpx")]


FILES: dict[str, tuple[str, Callable[[], list[bytes]]]] = {
    "dicom": (".dcm", dicom), "heic": (".heic", heic), "avif": (".avif", avif),
    "jxl": (".jxl", jxl), "nifti": (".nii", nifti), "tiff": (".tif", tiff),
    "png16": (".png", png16), "video": (".mp4", videos),
}  # fmt: skip
"""Suffix, and sound files; each file is an image or several."""


# ---- data sets -----------------------------------------------------------------------------------


def _rows() -> dict[str, list[Any]]:
    raws = pngs()
    image = [{"bytes": raw, "path": f"{n}.png"} for n, raw in enumerate(raws)]
    return {"image": image, "label": [n % 2 for n in range(len(raws))], "text": ["a hat"] * 6}


def in_parquet(folder: Path) -> Path:
    parquet.write_table(pa.table(_rows()), folder / "x.parquet", row_group_size=2)
    return folder / "x.parquet"


def in_arrow(folder: Path) -> Path:
    """As ``datasets.save_to_disk`` leaves it."""
    inside = folder / "saved"
    inside.mkdir()
    table = pa.table(_rows())
    stream = io.BytesIO()
    with ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    (inside / "data-00000-of-00001.arrow").write_bytes(stream.getvalue())
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": None}
    (inside / "state.json").write_text(json.dumps(state))
    (inside / "dataset_info.json").write_text(json.dumps({"features": {}}))
    return inside


def _members() -> list[tuple[str, bytes]]:
    beside = [(f"{n}.json", json.dumps({"site": n}).encode()) for n in range(6)]
    return [*((f"{n}.png", raw) for n, raw in enumerate(pngs())), *beside]


def in_tar(folder: Path, mode: str = "w", name: str = "x.tar") -> Path:
    with tarfile.open(folder / name, mode) as tar:  # type: ignore[call-overload]
        for member, raw in _members():
            info = tarfile.TarInfo(member)
            info.size = len(raw)
            tar.addfile(info, io.BytesIO(raw))
    return folder / name


def in_tgz(folder: Path) -> Path:
    return in_tar(folder, "w:gz", "x.tar.gz")


def in_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, raw in _members():
            archive.writestr(member, raw)
    return folder / "x.zip"


def _loose(folder: Path) -> list[str]:
    for n, raw in enumerate(pngs()):
        (folder / f"{n}.png").write_bytes(raw)
    return [f"{n}.png" for n in range(6)]


def in_coco(folder: Path) -> Path:
    names = _loose(folder)
    images = [{"id": n, "file_name": f, "width": 48, "height": 40} for n, f in enumerate(names)]
    notes: list[dict[str, Any]] = [
        {"id": n, "image_id": n % 6, "category_id": 1, "bbox": [2 * n, n, 20, 20], "iscrowd": 0}
        for n in range(9)
    ]
    notes.append({"id": 9, "image_id": 0, "caption": "a hat"})
    content = {"images": images, "annotations": notes, "categories": [{"id": 1, "name": "hat"}]}
    (folder / "x.json").write_text(json.dumps(content))
    return folder / "x.json"


def in_jsonl(folder: Path) -> Path:
    lines = [json.dumps({"file_name": f, "label": n}) for n, f in enumerate(_loose(folder))]
    (folder / "x.jsonl").write_text("\n".join(lines))
    return folder / "x.jsonl"


def in_metadata(folder: Path) -> Path:
    """An ImageFolder."""
    inside = folder / "inside"
    inside.mkdir()
    lines = [f"{f},a hat,{n}" for n, f in enumerate(_loose(inside))]
    (inside / "metadata.csv").write_text("file_name,text,score\n" + "\n".join(lines))
    return inside


SETS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "parquet": (in_parquet, ()),
    "saved_to_disk": (in_arrow, ("data-00000-of-00001.arrow", "state.json")),
    "tar": (in_tar, ()), "tgz": (in_tgz, ()), "zip": (in_zip, ()),
    "coco": (in_coco, ()), "jsonl": (in_jsonl, ()), "metadata": (in_metadata, ("metadata.csv",)),
}  # fmt: skip
"""Who writes a sound one, and which of its files are damaged; none: itself."""
