"""A camera's configuration and metadata on their way to another process."""

from __future__ import annotations

import importlib
import pickle
from array import array
from types import SimpleNamespace
from typing import Any, Sequence, cast

import numpy as np

# Values of more numbers than this, or bytes, travel as buffers.
LARGE = 2048


def portable(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration that can be pickled: libcamera's own objects as tuples. A USB camera has no colour space."""
    result: dict[str, Any] = {}
    for key, value in config.items():
        if key == "transform" and value is not None:
            value = (value.hflip, value.vflip, value.transpose)
        elif key == "colour_space" and value is not None and hasattr(value, "transferFunction"):
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
        libcamera: Any = importlib.import_module("libcamera")
    except ImportError:
        libcamera = None
    if isinstance(transform, tuple):
        flips = dict(zip(("hflip", "vflip", "transpose"), cast("tuple[Any, ...]", transform)))  # type: ignore[redundant-cast,unused-ignore]
        config["transform"] = SimpleNamespace(**flips) if libcamera is None else libcamera.Transform(**flips)
    if isinstance(space, tuple):
        values = cast("tuple[Any, ...]", space)  # type: ignore[redundant-cast,unused-ignore]
        names = dict(zip(("primaries", "transferFunction", "ycbcrEncoding", "range"), values))
        config["colour_space"] = SimpleNamespace(**names) if libcamera is None else libcamera.ColorSpace(*values)
    return config


def is_large(value: Any) -> bool:
    """Whether a metadata value is none to go with the frame itself: a tensor, such as an IMX500 gives."""
    return isinstance(value, np.ndarray) or (hasattr(value, "__len__") and len(value) > LARGE)


def is_exact(value: Any) -> bool:
    """Whether a value is the same again after it has been metadata: one of libcamera's own types, as picamera2 gives them."""
    if type(value) is not tuple:
        return type(value) in (bool, int, float, str)
    items = cast("tuple[Any, ...]", value)  # type: ignore[redundant-cast,unused-ignore]
    kinds: set[type] = set(map(type, items))
    if kinds == {tuple}:
        return all(type(number) is int for each in items for number in each)  # rectangles and sizes
    return len(kinds) == 1 and kinds <= {bool, int, float, str}


def packed(value: Any) -> Any:
    """A large value, numbers as one buffer. See `restored`."""
    if isinstance(value, (tuple, list)) and value:
        items = cast("Sequence[Any]", value)
        try:
            # libcamera's arrays are of one type. Whatever differs is as it is.
            if type(items[0]) is int:
                return type(items), _whole_numbers(items)
            if set(map(type, items)) == {float}:
                return type(items), np.frombuffer(array("d", items))
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
