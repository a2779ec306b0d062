"""A GGUF's header, read by us before llama.cpp sees it: every length and offset within the file.

llama.cpp trusts much of what it reads, and where an assertion of its fails, the process ends. So
the whole header is walked here first, in bounds; and a file that has not been opened on this
machine before is opened in a process of its own
(:mod:`visdiff_local.models.backends.llama.probe`), whose end is not ours.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from visdiff_local.errors import WeightsError

MOST_FIELDS = 1 << 16
MOST_TENSORS = 1 << 16
LONGEST_KEY = 1 << 10
LONGEST_TEXT = 1 << 24
LONGEST_NAME = 63
"""Of a tensor, in bytes; ggml's own bound."""
MOST_LAYERS = 1 << 10
_ALIGNMENT = 32
_NONE = 0xFFFFFFFF
_SCALARS: Mapping[int, str] = {
    **{0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
}
_STRING, _ARRAY = 8, 9


@dataclass
class Header:
    """What a header says; of arrays only how long they are and of which type."""

    version: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Type and length by key."""
    tensors: dict[str, tuple[tuple[int, ...], int, int]] = field(default_factory=dict)
    """Shape, type and offset by name."""
    data_at: int = 0
    """Where the tensors' data begin, which their offsets count from."""

    @property
    def architecture(self) -> str:
        """What the file holds; ``clip``: the vision side of another file's model."""
        return str(self.values["general.architecture"])


class DamagedHeaderError(ValueError):
    """The header is not one that llama.cpp may see; says why."""


def check(path: Path) -> Header:
    """The header; raises :class:`WeightsError` that says what is wrong with it."""
    try:
        with path.open("rb") as stream:
            return _Reader(stream, path.stat().st_size).header()
    except DamagedHeaderError as error:
        raise WeightsError(f"{path}: its header is damaged ({error}); it is not opened") from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error


class _Reader:
    """Reads forwards, and never behind the end."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size
        self._size = size
        self._order = "<"

    def header(self) -> Header:
        if self._bytes(4) != b"GGUF":
            raise DamagedHeaderError("it is no GGUF")
        found = Header(version=self._number("I"))
        if found.version not in (2, 3):
            raise DamagedHeaderError(f"version {found.version} is not known")
        tensors, fields = self._number("Q"), self._number("Q")
        if tensors > MOST_TENSORS or fields > MOST_FIELDS:
            raise DamagedHeaderError(f"{tensors:,} tensors and {fields:,} fields")
        for _ in range(fields):
            self._field(found)
        for _ in range(tensors):
            self._tensor(found)
        _plausible(found)
        self._data_fits(found)
        return found

    def _field(self, found: Header) -> None:
        key = self._text(LONGEST_KEY, "a key")
        if key in found.values or key in found.arrays:
            raise DamagedHeaderError(f"{key[:60]!r} is there twice")
        kind = self._number("I")
        if kind != _ARRAY:
            found.values[key] = self._value(kind, key)
            return
        inner, count = self._number("I"), self._number("Q")
        found.arrays[key] = inner, count
        if inner in _SCALARS:
            self._skip(count * struct.calcsize("<" + _SCALARS[inner]), key)
        elif inner == _STRING:
            if count * 8 > self._left:
                raise DamagedHeaderError(f"{key[:60]!r} is longer than the file")
            for _ in range(count):
                self._skip(self._length(LONGEST_TEXT, key), key)
        else:
            raise DamagedHeaderError(f"{key[:60]!r} is a list of an unknown type ({inner})")

    def _value(self, kind: int, key: str) -> Any:
        if kind == _STRING:
            return self._text(LONGEST_TEXT, key)
        if kind not in _SCALARS:
            raise DamagedHeaderError(f"{key[:60]!r} has an unknown type ({kind})")
        return self._number(_SCALARS[kind])

    def _tensor(self, found: Header) -> None:
        name = self._text(LONGEST_NAME, "a tensor's name")
        if name in found.tensors:
            raise DamagedHeaderError(f"the tensor {name!r} is there twice")
        dimensions = self._number("I")
        if not 1 <= dimensions <= 4:
            raise DamagedHeaderError(f"the tensor {name!r} has {dimensions} dimensions")
        shape = tuple(self._number("Q") for _ in range(dimensions))
        kind, offset = self._number("I"), self._number("Q")
        found.tensors[name] = shape, kind, offset

    def _data_fits(self, found: Header) -> None:
        alignment = found.values.get("general.alignment", _ALIGNMENT)
        if alignment not in (1 << power for power in range(3, 17)):
            raise DamagedHeaderError(f"an alignment of {alignment!r}")
        here = self._size - self._left
        start = -(-here // alignment) * alignment
        found.data_at = start
        room = self._size - start
        for name, (shape, kind, offset) in found.tensors.items():
            if offset % alignment:
                raise DamagedHeaderError(f"the tensor {name!r} is not aligned")
            if offset + _tensor_bytes(name, shape, kind) > room:
                raise DamagedHeaderError(f"the tensor {name!r} lies behind the end of the file")

    # ---- pieces ----------------------------------------------------------------------------------

    def _bytes(self, count: int) -> bytes:
        if count > self._left:
            raise DamagedHeaderError("it is cut short")
        content = self._stream.read(count)
        if len(content) != count:
            raise DamagedHeaderError("it is cut short")
        self._left -= count
        return content

    def _skip(self, count: int, key: str) -> None:
        if count > self._left:
            raise DamagedHeaderError(f"{key[:60]!r} is longer than the file")
        self._stream.seek(count, 1)
        self._left -= count

    def _number(self, code: str) -> Any:
        form = self._order + code
        return struct.unpack(form, self._bytes(struct.calcsize(form)))[0]

    def _length(self, longest: int, what: str) -> int:
        length: int = self._number("Q")
        if length > min(longest, self._left):
            raise DamagedHeaderError(f"{what[:60]!r} has a text of {length:,} bytes")
        return length

    def _text(self, longest: int, what: str) -> str:
        return self._bytes(self._length(longest, what)).decode("utf-8", "replace")


def _tensor_bytes(name: str, shape: tuple[int, ...], kind: int) -> int:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError):
        raise DamagedHeaderError(f"the tensor {name!r} has an unknown type ({kind})") from None
    if any(not 0 < side < 1 << 40 for side in shape) or shape[0] % block:
        raise DamagedHeaderError(f"the tensor {name!r} has the shape {shape}")
    return int(prod(shape) // block * size)


def _plausible(found: Header) -> None:
    """Numbers by which llama.cpp divides, or asks for memory, without asking first."""
    if found.values.get("split.count", 1) not in range(1, 1000):
        raise DamagedHeaderError("split.count is out of bounds")
    architecture = found.values.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise DamagedHeaderError("it does not say which architecture it has")
    for key, value in found.values.items():
        if not key.startswith(f"{architecture}."):
            continue
        name = key[len(architecture) + 1 :]
        if name in _POSITIVE and not (isinstance(value, int | float) and 0 < value < 1 << 31):
            raise DamagedHeaderError(f"{key} is {value!r}")
        if isinstance(value, float) and not abs(value) < 1e30:
            raise DamagedHeaderError(f"{key} is {value!r}")
    for name in ("block_count", "vision.block_count"):
        layers = found.values.get(f"{architecture}.{name}", 1)
        if layers > MOST_LAYERS:
            raise DamagedHeaderError(f"{layers:,} layers")
    _vocabulary(found)


_POSITIVE = frozenset(
    (
        *("block_count", "context_length", "embedding_length", "feed_forward_length"),
        *("attention.head_count", "attention.key_length", "attention.value_length", "vocab_size"),
        *("rope.freq_base", "rope.dimension_count", "attention.layer_norm_rms_epsilon"),
        *("vision.image_size", "vision.patch_size", "vision.spatial_merge_size"),
        "vision.projector.scale_factor",
    )
)


def _vocabulary(found: Header) -> None:
    """Lists of one length, and special tokens that are in it."""
    kind, count = found.arrays.get("tokenizer.ggml.tokens", (_STRING, 0))
    if not count:
        return
    if kind != _STRING:
        raise DamagedHeaderError("its tokens are no texts")
    for name in ("scores", "token_type"):
        _, length = found.arrays.get(f"tokenizer.ggml.{name}", (0, count))
        if length != count:
            raise DamagedHeaderError(f"{count:,} tokens and {length:,} of {name}")
    for key, value in found.values.items():
        special = key.startswith("tokenizer.ggml.") and key.endswith("_token_id")
        # llama.cpp takes the largest number for "none".
        if special and not (isinstance(value, int) and (0 <= value < count or value == _NONE)):
            raise DamagedHeaderError(f"{key} is {value!r}, of {count:,} tokens")
