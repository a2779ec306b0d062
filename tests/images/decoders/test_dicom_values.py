"""What stored DICOM values mean: against pydicom's own functions, and by hand where it has none."""

import io
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from visdiff_local.errors import UsageError
from visdiff_local.images import Levels, decode
from visdiff_local.images.decoders.decode import unpacked
from visdiff_local.images.decoders.window import choose
from visdiff_local.types import Window

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def file_of(pixels: Any, **tags: Any) -> Any:
    """A DICOM data set of these stored pixels (rows, columns) or (frames, rows, columns)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.Modality, data.Rows, data.Columns = "CT", *pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 8 * pixels.dtype.itemsize
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        data.NumberOfFrames = len(pixels)
    data.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    return data


def raw(data: Any) -> bytes:
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def table(first: int, values: Any, bits: int, *, packed: bool = False) -> Any:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(values) % 65536, first, bits])
    if packed:
        item.add_new("LUTData", "OW", np.asarray(values, "<u2").tobytes())
    else:
        item.add_new("LUTData", "US", [int(value) for value in values])
    return Sequence([item])


def grey(content: bytes, window: Window | None = None) -> Any:
    return np.asarray(unpacked(content, window=window).image)[..., 0].astype(int)


def levels(content: bytes) -> Levels:
    found = unpacked(content).levels
    assert found is not None
    return found


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("entries", [100, 3000, 4096])
def test_a_table_of_values_of_interest_is_a_window_with_a_curve(packed: bool, entries: int) -> None:
    curve = (np.linspace(0, 1, entries) ** 2 * 65535).astype(int)
    data = file_of(RAMP, VOILUTSequence=table(500, curve, 16, packed=packed))
    window = levels(raw(data)).tags
    assert window is not None
    assert (window.low, window.high) == (500.0, 499.0 + entries)
    theirs = apply_voi_lut(RAMP, data) / 65535 * 255
    assert np.abs(grey(raw(data), window) - theirs).max() <= 1


def test_tables_begin_below_zero_where_values_do() -> None:
    signed = (RAMP.astype(int) - 2048).astype(np.int16)
    data = file_of(signed, VOILUTSequence=table(65536 - 500, range(1000), 10))
    window = levels(raw(data)).tags
    assert window is not None
    assert (window.low, window.high) == (-500.0, 499.0)


def test_a_modality_table_comes_before_any_window() -> None:
    becomes = np.arange(4096)[::-1] * 2
    data = file_of(RAMP, ModalityLUTSequence=table(0, becomes, 16))
    theirs = apply_modality_lut(RAMP, data).astype(int)
    assert np.abs(grey(raw(data), Window(0, 8190)) - theirs / 8190 * 255).max() <= 1
    assert levels(raw(data)).high > 8000
    twelve = file_of(RAMP, ModalityLUTSequence=table(1000, range(100), 12))
    assert grey(raw(twelve), Window(0, 99)).max() == 255  # 12 bits: beyond pydicom's own


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_are_those_of_the_standard(function: str) -> None:
    data = file_of(RAMP, WindowCenter=2000, WindowWidth=1000, VOILUTFunction=function)
    data.BitsStored, data.HighBit = 12, 11
    window = levels(raw(data)).tags
    theirs = apply_voi_lut(RAMP, data) / 4095 * 255
    assert np.abs(grey(raw(data), window) - theirs).max() <= 1


def test_enhanced_frames_have_their_own_rescale_and_window() -> None:
    frames = np.stack([RAMP, RAMP, RAMP])
    data = file_of(frames)

    def group(intercept: float | None, centre: float | None) -> Dataset:
        made, value, window = Dataset(), Dataset(), Dataset()
        if intercept is not None:
            value.RescaleIntercept, value.RescaleSlope, value.RescaleType = intercept, 2, "HU"
            made.PixelValueTransformationSequence = Sequence([value])
        if centre is not None:
            window.WindowCenter, window.WindowWidth = centre, 400
            made.FrameVOILUTSequence = Sequence([window])
        return made

    data.SharedFunctionalGroupsSequence = Sequence([group(-1024, 40)])
    data.PerFrameFunctionalGroupsSequence = Sequence(
        [group(None, None), group(0, 300), group(None, 80)]
    )
    found = [unpacked(raw(data), part).levels for part in map(_frame, range(3))]
    assert [one and one.tags for one in found] == [
        Window(-160.0, 239.0),
        Window(100.0, 499.0),
        Window(-120.0, 279.0),
    ]
    assert [one and round(one.low) for one in found] == [-1016, 8, -1016]


def _frame(number: int) -> Any:
    from visdiff_local.images.decoders.parts import Part

    return Part(frame=number)


def test_only_the_bits_that_are_stored_count() -> None:
    overlaid = RAMP | 0xF000  # an overlay in the high bits, as old files have it
    data = file_of(overlaid)
    data.BitsStored, data.HighBit = 12, 11
    assert np.array_equal(grey(raw(data), Window(0, 4095)), np.rint(RAMP / 4095 * 255))
    shifted = file_of(RAMP << 4)
    shifted.BitsStored, shifted.HighBit = 12, 15
    assert np.array_equal(grey(raw(shifted), Window(0, 4095)), np.rint(RAMP / 4095 * 255))
    signed = file_of((RAMP & 0xFFF).astype(np.int16))  # 12 bits of two's complement, not extended
    signed.BitsStored, signed.HighBit = 12, 11
    assert grey(raw(signed), Window(-2048, 2047))[0, 0] == 128
    assert grey(raw(signed), Window(-2048, 2047))[32, 0] == 0


def test_padding_is_shown_dark_whichever_way_values_run() -> None:
    pixels = np.clip(RAMP, 100, 4000).astype(np.int16)
    pixels[30:34], pixels[34:36] = -2000, -1990
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        data = file_of(pixels, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1990)
        data.PhotometricInterpretation = photometric
        assert grey(raw(data), Window(100, 4000))[30:36].max() == 0
        assert levels(raw(data)).low >= 100


def test_fractions_survive_a_rescale_whose_first_rows_are_zero() -> None:
    pixels = RAMP.copy()
    pixels[:8] = 0
    data = file_of(pixels, RescaleSlope=0.001, RescaleIntercept=0)
    assert levels(raw(data)).high == pytest.approx(4.095, abs=0.05)
    assert len(np.unique(grey(raw(data), Window(0, 4.1)))) > 200


def test_masks_and_eight_bits_need_no_window() -> None:
    mask = (RAMP % 2).astype(np.uint8)
    data = file_of(mask)
    data.BitsStored, data.HighBit = 1, 0
    assert set(np.unique(grey(raw(data)))) == {0, 255}
    eight = file_of((RAMP % 256).astype(np.uint8), WindowCenter=128, WindowWidth=256)
    assert unpacked(raw(eight)).levels is None
    eight.PhotometricInterpretation = "MONOCHROME1"
    assert np.array_equal(grey(raw(eight)), 255 - (RAMP % 256).astype(int))


def test_one_table_serves_the_whole_run_or_none() -> None:
    """``--window tags`` takes what most files name; auto, what nine in ten do."""
    same = Window(0, 100, "00ff")
    named = [Levels("unsigned", 0, 4000, same)] * 9 + [Levels("unsigned", 0, 4000, Window(0, 9))]
    chosen = choose(named)
    assert chosen is not None
    assert (chosen.window, chosen.naming, chosen.images) == (same, 9, 10)
    own = [Levels("unsigned", 0, 4000, Window(0, n, "00ff"), bits=12) for n in range(5, 15)]
    estimated, tagged = choose(own), choose(own[::-1], "tags")
    assert estimated is not None
    assert (estimated.window, estimated.how) == (Window(0, 4095), "bits used")
    assert tagged is not None
    assert (tagged.window, tagged.naming) == (Window(0, 5, "00ff"), 1)
    with pytest.raises(UsageError, match="no image names a window"):
        choose([Levels("unsigned", 0, 4000)], "tags")


def test_damaged_tables_are_none() -> None:
    for descriptor in ([0, 0, 99], [5, 0], ["x", 0, 8]):
        data = file_of(RAMP, VOILUTSequence=table(0, range(256), 8))
        if "x" in descriptor:
            del data.VOILUTSequence[0].LUTDescriptor
        else:
            data.VOILUTSequence[0].LUTDescriptor = descriptor
        assert levels(raw(data)).tags is None
        assert decode(raw(data)).mode == "RGB"


def test_the_text_of_a_window_names_its_curve() -> None:
    assert Window(0.0, 255.0).text == "0.0,255.0"
    assert Window(0.0, 255.0, "00ff").text != Window(0.0, 255.0, "0aff").text
