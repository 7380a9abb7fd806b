"""A frame's metadata: Python values for the library's typed ones, under libcamera's names."""

from __future__ import annotations

import struct as binary
import sys
from array import array
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Sequence, Union, cast

from ._native import encoded

if TYPE_CHECKING:
    import numpy.typing as npt


class Rectangle(NamedTuple):
    """A rectangle in pixels, such as ScalerCrop."""

    x: int
    y: int
    width: int
    height: int


class Size(NamedTuple):
    """A size in pixels."""

    width: int
    height: int


class Encoded(NamedTuple):
    """A value as it travels: its type's number in ``frameshare.h``, and its bytes."""

    kind: int
    data: bytes


Scalar = Union[bool, int, float, str, bytes, Rectangle, Size]
#: What metadata can be. Arrays of numpy or the module ``array`` arrive as lists, in one dimension; of uint8, as bytes.
Value = Union[Scalar, Sequence[Scalar], "npt.NDArray[Any]", "array[Any]", memoryview, bytearray, Encoded]

_ARRAY = 0x80
# What stands before an entry's key.
_HEADER = 8
# The types that arrays of numbers are written and read as in one go.
_CODES = {2: "i", 3: "q", 4: "f", 5: "d"}
_INT32, _DOUBLE = binary.Struct("<i"), binary.Struct("<d")
_SCALARS: dict[int, str] = {1: "<?", 2: "<i", 3: "<q", 4: "<f", 5: "<d", 8: "<iiII", 9: "<II"}


def decode(kind: int, data: bytes) -> Any:
    """The value of an entry's bytes; None for a type of another release."""
    if kind == 6:
        return data.decode("utf-8", "replace")
    if kind == 7:
        return data
    if kind == 6 | _ARRAY:
        texts: list[str] = []
        offset = 0
        while offset + 4 <= len(data):
            (size,) = binary.unpack_from("<I", data, offset)
            texts.append(data[offset + 4 : offset + 4 + size].decode("utf-8", "replace"))
            offset += 4 + size
        return texts
    form = _SCALARS.get(kind & ~_ARRAY)
    if form is None or len(data) % binary.calcsize(form) != 0:
        return None
    if kind & _ARRAY and kind & ~_ARRAY in _CODES:
        numbers: array[Any] = array(_CODES[kind & ~_ARRAY])
        numbers.frombytes(data)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tolist()
    values = [_value(kind & ~_ARRAY, item) for item in binary.iter_unpack(form, data)]
    return values if kind & _ARRAY else (values[0] if values else None)


def _value(kind: int, item: tuple[Any, ...]) -> Any:
    if kind == 8:
        return Rectangle(*item)
    if kind == 9:
        return Size(*item)
    return item[0]


def encode(value: Value) -> Encoded:
    """The type and bytes of a value. A whole number is an int32 where it fits, else an int64; a float a double."""
    kind = type(value)
    # Most of what a camera says.
    if kind is float:
        return Encoded(5, _DOUBLE.pack(value))
    if kind is bool:
        return Encoded(1, b"\1" if value else b"\0")
    if kind is int and -(2**31) <= value < 2**31:  # type: ignore[operator]
        return Encoded(2, _INT32.pack(value))
    if isinstance(value, Encoded):
        return value
    if isinstance(value, str):
        return Encoded(6, _text(value))
    if isinstance(value, (bytes, bytearray)):
        return Encoded(7, bytes(value))
    if isinstance(value, (array, memoryview)):
        import numpy as np

        return _encode_array(np.asarray(value))
    # Where numpy was not loaded, nobody has an array of it.
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        values: Any = value
        return _encode_array(values)
    if isinstance(value, (Rectangle, Size)) or not isinstance(value, (list, tuple)):
        number = _kind([value])
        return Encoded(number, _pack(number, value))
    if len(value) == 0:
        return Encoded(2 | _ARRAY, b"")
    numbers = _numbers(value)
    if numbers is not None:
        return numbers
    number = _kind(value)
    if number == 6:
        texts = [_text(str(text)) for text in value]
        return Encoded(number | _ARRAY, b"".join(binary.pack("<I", len(text)) + text for text in texts))
    return Encoded(number | _ARRAY, b"".join(_pack(number, item) for item in value))


def _text(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{value[:40]!r} can't be metadata: a text is valid Unicode, other bytes go as bytes") from error


def _numbers(values: Sequence[Any]) -> Encoded | None:
    """Plain Python numbers, written in one go; None for anything else."""
    types = set(map(type, values))
    if types == {int}:
        try:
            return _written(2, array("i", values))
        except OverflowError:
            pass
        try:
            return _written(3, array("q", values))
        except OverflowError as error:
            raise ValueError(f"a whole number of these can't be metadata: {error}") from error
    if types == {float}:
        return _written(5, array("d", values))
    return None


def _written(kind: int, numbers: array[Any]) -> Encoded:
    if sys.byteorder == "big":
        numbers.byteswap()
    return Encoded(kind | _ARRAY, numbers.tobytes())


def _encode_array(values: npt.NDArray[Any]) -> Encoded:
    """An array of numbers, in the type that holds them all."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "u" and size == 1 or kind == "S" and size == 1:
        return Encoded(7, values.tobytes())
    if kind == "b":
        return Encoded(1 | _ARRAY, values.tobytes())
    if kind in "iu":
        if kind == "u" and size == 8 and values.size and int(values.max()) >= 2**63:
            raise ValueError(f"{int(values.max())} can't be metadata: a whole number is below 2^63")
        wide = size > 4 or (kind == "u" and size == 4)
        return Encoded((3 if wide else 2) | _ARRAY, values.astype("<i8" if wide else "<i4", copy=False).tobytes())
    if kind == "f" and size <= 8:
        return Encoded((5 if size == 8 else 4) | _ARRAY, values.astype("<f8" if size == 8 else "<f4", copy=False).tobytes())
    raise TypeError(f"an array of {values.dtype} can't be metadata: use bools, integers up to 64 bits, or floats")


def encoded_size(values: Mapping[str, Value]) -> int:
    """The bytes that metadata take in a slot."""
    return sum(entry_size(key, value) for key, value in values.items())


def entry_size(key: str, value: Value) -> int:
    """The bytes that one value takes in a slot."""
    kind = type(value)
    if kind is Encoded:
        size = len(value.data)  # type: ignore[union-attr]
    elif kind is float:
        size = 8
    elif kind is bool:
        size = 1
    else:
        size = len(encode(value).data)
    return _HEADER + len(encoded(key)) + size


def _is_tuple(value: Any, count: int) -> bool:
    values = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()
    return len(values) == count


def _kind(values: Sequence[Any]) -> int:
    """The one type that all values fit."""
    if all(_is_tuple(v, 4) for v in values):
        return 8
    if all(_is_tuple(v, 2) for v in values):
        return 9
    if all(isinstance(v, str) for v in values):
        return 6
    if all(isinstance(v, bool) for v in values):
        return 1
    if all(hasattr(v, "__index__") for v in values):
        return 2 if all(-(2**31) <= int(v) < 2**31 for v in values) else 3
    if all(hasattr(v, "__float__") for v in values):
        return 5
    raise TypeError(f"{values!r} can't be metadata: use bools, numbers, texts, bytes, rectangles, sizes, or lists of one")


def _pack(kind: int, value: Any) -> bytes:
    items = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
    try:
        return binary.pack(_SCALARS[kind], *items)
    except binary.error as error:
        raise ValueError(f"{value!r} can't be metadata: {error}") from error
