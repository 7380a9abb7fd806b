"""A camera's configuration and metadata on their way to another process."""

from __future__ import annotations

import pickle
from array import array
from types import SimpleNamespace
from typing import Any

import numpy as np

# Values of more numbers than this, or bytes, travel as buffers.
LARGE = 2048


def portable(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration that can be pickled: libcamera's own objects as tuples. A USB camera has no colour space."""
    result = {}
    for key, value in config.items():
        if key == "transform" and value is not None:
            value = (value.hflip, value.vflip, value.transpose)
        elif key == "colour_space" and hasattr(value, "transferFunction"):
            value = (value.primaries, value.transferFunction, value.ycbcrEncoding, value.range)
        try:
            pickle.dumps(value)
        except Exception:
            continue
        result[key] = value
    return result


def with_libcamera(config: dict[str, Any]) -> dict[str, Any]:
    """The same with libcamera's objects in it again, or with what has their attributes where libcamera is missing."""
    transform, space = config.get("transform"), config.get("colour_space")
    try:
        from libcamera import ColorSpace, Transform
    except ImportError:
        def Transform(hflip: Any, vflip: Any, transpose: Any) -> Any:
            return SimpleNamespace(hflip=hflip, vflip=vflip, transpose=transpose)

        def ColorSpace(p: Any, f: Any, e: Any, r: Any) -> Any:
            return SimpleNamespace(primaries=p, transferFunction=f, ycbcrEncoding=e, range=r)

    if isinstance(transform, tuple):
        config["transform"] = Transform(hflip=transform[0], vflip=transform[1], transpose=transform[2])
    if isinstance(space, tuple):
        config["colour_space"] = ColorSpace(*space)
    return config


def is_large(value: Any) -> bool:
    """Whether a metadata value is none to go with the frame itself: a tensor, such as an IMX500 gives."""
    return isinstance(value, np.ndarray) or (hasattr(value, "__len__") and len(value) > LARGE)


def is_exact(value: Any) -> bool:
    """Whether a value is the same again after it has been metadata: one of libcamera's own types, as picamera2 gives them."""
    if type(value) is not tuple:
        return type(value) in (bool, int, float, str)
    kinds = set(map(type, value))
    if kinds == {tuple}:
        return all(type(number) is int for each in value for number in each)  # rectangles and sizes
    return len(kinds) == 1 and kinds <= {bool, int, float, str}


def packed(value: Any) -> Any:
    """A large value, numbers as one buffer. See `restored`."""
    if isinstance(value, (tuple, list)) and value:
        try:
            # libcamera's arrays are of one type. Whatever differs is as it is.
            if type(value[0]) is int:
                return type(value), _whole_numbers(value)
            if set(map(type, value)) == {float}:
                return type(value), np.frombuffer(array("d", value))
        except (OverflowError, TypeError, ValueError):
            pass  # such as whole numbers beyond 64 bits: as they are
    return None, value


def _whole_numbers(value: Any) -> Any:
    try:
        return np.frombuffer(bytes(value), np.uint8)
    except ValueError:
        return np.frombuffer(array("q", value), np.int64)


def restored(value: tuple[Any, Any]) -> Any:
    """As picamera2 has it: tuples, of Python's own numbers."""
    kind, content = value
    return content if kind is None else kind(content.tolist())
