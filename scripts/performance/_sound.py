"""Sound files of kinds that Pillow does not write, for the fuzzer to break."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

FAKE = ("--profile", "fake", "--quiet", "--proposer", "none", "--out", "out")


def png(number: int = 0) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def pictures() -> list[tuple[str, bytes]]:
    """Suffix and bytes: NIfTI, DICOM, JPEG XL."""
    import imagecodecs
    import nibabel
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    pixels = np.random.default_rng(0).integers(0, 4000, (12, 16), dtype=np.uint16)
    volume = nibabel.Nifti1Image(pixels.astype(np.int16)[..., None], np.eye(4))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["fuzz"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    film.Rows, film.Columns = pixels.shape
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, 0
    film.PixelData = pixels.tobytes()
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, film, enforce_file_format=True)
    jxl = imagecodecs.jpegxl_encode(np.stack([pixels.astype(np.uint8)] * 3, axis=-1))
    return [(".nii", volume.to_bytes()), (".dcm", stream.getvalue()), (".jxl", bytes(jxl))]


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for number in range(4):
            info = tarfile.TarInfo(f"{number}.png")
            content = png(number)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


def files(run: Path, compared: Path) -> list[tuple[str, bytes, tuple[str, ...]]]:
    """A file's path, its sound bytes, and the command that reads it.

    Args:
        run: a run folder, which has a table of images.
        compared: that of a comparison.
    """
    images = [{"image": {"bytes": png(n), "path": f"{n}.png"}, "label": n % 2} for n in range(4)]
    coco = {
        "images": [{"id": n, "file_name": f"good/{n}.png", "width": 16, "height": 12}
                   for n in range(4)],
        "annotations": [{"id": n, "image_id": n, "category_id": 1, "bbox": [0, 0, 8, 8]}
                        for n in range(4)],
        "categories": [{"id": 1, "name": "thing"}],
    }  # fmt: skip
    vectors = [{"sha256": f"{n:064x}", "vector": np.eye(4)[n].tolist(), "caption": f"a {n}"}
               for n in range(4)]  # fmt: skip
    toml = b'[models.m]\nbackend = "fake"\nfiles = { "m.gguf" = "" }\n'
    notes = {"schema_version": 1, "tags": {"a": ["x"]}, "differences": {"t": {"note": "n"}}}
    taken = ("store", "import", "v.parquet", "--as", "m")
    kept = (run / "images.parquet").read_bytes()
    again = ("export", str(run), "--to", "x.csv")
    return [
        ("x.tar", _tar(), ("run", "x.tar", "good", *FAKE)),
        ("x.parquet", _parquet(images), ("run", "x.parquet", "good", *FAKE)),
        ("coco.json", json.dumps(coco).encode(), ("run", "coco.json", "good", *FAKE)),
        ("v.parquet", _parquet(vectors), taken),
        ("m.toml", toml, ("models", "list", "--models", "m.toml")),
        (str(run / "images.parquet"), kept, again),
        (str(run / "notes.json"), json.dumps(notes).encode(), again),
        (str(compared / "comparison.json"), (compared / "comparison.json").read_bytes(),
         ("report", str(compared))),
    ]  # fmt: skip
