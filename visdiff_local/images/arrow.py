"""Arrow arrays from lists and numpy, without the conversion that would import pandas.

``pyarrow.array`` asks pandas, where it is installed, whether it was handed a series: half a second
of a repeated run. Built from buffers, the arrays are the same, and made faster.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

_PAIRS = np.frombuffer(bytes(range(256)).hex().encode(), np.uint16)
"""The two hex digits of each byte."""


def texts(values: Sequence[str | None]) -> "pa.StringArray":
    """Of text, null for None; what no UTF-8 can hold is escaped.

    Raises:
        TypeError: a value is no text.
    """
    import pyarrow as pa

    if None not in values:  # nearly always, and in a tenth of the time
        whole = "".join(values)  # type: ignore[arg-type]
        if whole.isascii():
            lengths = [len(value) for value in values]  # type: ignore[arg-type]
            return _laid_out(pa.string(), lengths, whole.encode("ascii"))
    encoded = [b"" if v is None else v.encode("utf-8", "backslashreplace") for v in values]
    return _variable(pa.string(), encoded, [v is not None for v in values])


def raw(values: Sequence[bytes]) -> "pa.BinaryArray":
    """Of bytes."""
    import pyarrow as pa

    return _variable(pa.binary(), values, None)


def hexadecimal(values: npt.NDArray[np.void]) -> "pa.StringArray":
    """Of values (n,) of k bytes each as 2·k hex digits."""
    import pyarrow as pa

    width = 2 * values.dtype.itemsize
    pairs = _PAIRS[np.ascontiguousarray(values).view(np.uint8)]
    ends = np.arange(len(values) + 1, dtype=np.int32) * width
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(pairs)]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def printable(values: "pa.BinaryArray") -> "pa.StringArray | None":
    """The same bytes as text; None where some are no UTF-8, hold a character that is not shown as
    it is, or a backslash."""
    import pyarrow as pa

    _, ends, content = values.buffers()
    if values.null_count or content is None:
        return None
    offsets = np.frombuffer(ends, np.int32)[values.offset : values.offset + len(values) + 1]
    try:
        plain = str(memoryview(content)[offsets[0] : offsets[-1]], "utf-8")
    except UnicodeDecodeError:
        return None
    if not plain.isprintable() or "\\" in plain:
        return None
    made = pa.Array.from_buffers(
        pa.string(), len(values), [None, ends, content], offset=values.offset
    )
    try:
        made.validate(full=True)  # two that are none by themselves may be one together
    except pa.ArrowInvalid:
        return None
    return made


def chosen(codes: npt.NDArray[np.integer[Any]], among: Sequence[str | None]) -> "pa.StringArray":
    """(n,) of these texts, by index."""
    return texts(among).take(numbers(codes.astype(np.int64)))


def numbers(values: npt.NDArray[Any], *, nan_is_null: bool = False) -> "pa.Array":
    """Of integers or floats (n,).

    Args:
        nan_is_null: NaN becomes null.
    """
    import pyarrow as pa

    whole = np.ascontiguousarray(values)
    valid = ~np.isnan(whole) if nan_is_null else None
    buffers = [None if valid is None or valid.all() else _bits(valid), pa.py_buffer(whole)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(whole.dtype), len(whole), buffers)


def truths(values: npt.NDArray[np.bool_]) -> "pa.BooleanArray":
    """Of bools (n,)."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)])


def _variable(
    kind: "pa.DataType", values: Sequence[bytes], there: Sequence[bool] | None
) -> "pa.Array":
    valid = None if there is None or all(there) else _bits(np.array(there, np.bool_))
    return _laid_out(kind, [len(value) for value in values], b"".join(values), valid)


def _laid_out(
    kind: "pa.DataType", lengths: list[int], content: bytes, valid: "pa.Buffer | None" = None
) -> "pa.Array":
    import pyarrow as pa

    ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    if ends[-1] >= 2**31:
        raise ValueError(f"{ends[-1]} bytes of text are too many for one column")
    buffers = [valid, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(content)]
    return pa.Array.from_buffers(kind, len(lengths), buffers)


def _bits(valid: npt.NDArray[np.bool_]) -> "pa.Buffer":
    import pyarrow as pa

    return pa.py_buffer(np.packbits(valid, bitorder="little"))
