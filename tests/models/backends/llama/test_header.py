"""A GGUF is read within its bounds."""

import random
import struct
from pathlib import Path

import pytest

from visdiff_local.errors import WeightsError
from visdiff_local.models.backends.llama import header
from visdiff_local.models.paths import BUNDLED

GGUF = next((BUNDLED / "nano-llama").glob("*.gguf"))


def test_the_bundled_gguf_is_sound() -> None:
    found = header.check(GGUF)
    assert found.values["general.architecture"] == "llama"
    assert len(found.tensors) > 10


def _text(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _u32(key: bytes, value: int) -> bytes:
    return _text(key) + struct.pack("<II", 4, value)


def _gguf(fields: list[bytes], tensors: list[bytes] = [], tail: bytes = b"") -> bytes:  # noqa: B006
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields))
    return start + b"".join(fields) + b"".join(tensors) + bytes(32) + tail


ARCHITECTURE = _text(b"general.architecture") + struct.pack("<I", 8) + _text(b"llama")


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "another magic": b"GGML" + bytes(100),
    "a version": b"GGUF" + struct.pack("<IQQ", 99, 0, 0),
    "many tensors": b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0),
    "many fields": b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40),
    "a long key": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**60),
    "a long text": _gguf([_text(b"k") + struct.pack("<IQ", 8, 2**62)]),
    "a long list": _gguf([_text(b"k") + struct.pack("<IIQ", 9, 4, 2**62)]),
    "a long list of texts": _gguf([_text(b"k") + struct.pack("<IIQ", 9, 8, 2**61)]),
    "a list of lists": _gguf([_text(b"k") + struct.pack("<IIQ", 9, 9, 1)]),
    "an unknown type": _gguf([_text(b"k") + struct.pack("<I", 77)]),
    "a key twice": _gguf([ARCHITECTURE, _u32(b"k", 1), _u32(b"k", 1)]),
    "no architecture": _gguf([_u32(b"k", 1)]),
    "no heads": _gguf([ARCHITECTURE, _u32(b"llama.attention.head_count", 0)]),
    "no width": _gguf([ARCHITECTURE, _u32(b"llama.embedding_length", 0)]),
    "endless layers": _gguf([ARCHITECTURE, _u32(b"llama.block_count", 2**30)]),
    "an alignment of 0": _gguf([ARCHITECTURE, _u32(b"general.alignment", 0)]),
    "an odd alignment": _gguf([ARCHITECTURE, _u32(b"general.alignment", 33)]),
    "a tensor behind the end": _gguf(
        [ARCHITECTURE], [_text(b"t") + struct.pack("<IQIQ", 1, 1024, 0, 2**40)]
    ),
    "a tensor of no size": _gguf([ARCHITECTURE], [_text(b"t") + struct.pack("<IQIQ", 1, 0, 0, 0)]),
    "a tensor that overflows": _gguf(
        [ARCHITECTURE], [_text(b"t") + struct.pack("<IQQIQ", 2, 2**33, 2**33, 0, 0)]
    ),
    "five dimensions": _gguf([ARCHITECTURE], [_text(b"t") + struct.pack("<IQQQQQIQ", 5, *[1] * 7)]),
    "a tensor of no type": _gguf(
        [ARCHITECTURE], [_text(b"t") + struct.pack("<IQIQ", 1, 32, 999, 0)]
    ),
    "a tensor's long name": _gguf(
        [ARCHITECTURE], [_text(b"t" * 64) + struct.pack("<IQIQ", 1, 1, 0, 0)]
    ),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_header_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="its header is damaged"):
        header.check(path)


def test_a_header_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = GGUF.read_bytes()
    path = tmp_path / "m.gguf"
    for length in random.Random(1).sample(range(len(content) // 2), 40):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            header.check(path)
