"""Pixel formats, and how an array over an image's bytes is shaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Iterator

from . import _native

if TYPE_CHECKING:
    import numpy as np

_MODELS: tuple[str, ...] = ("yuv", "rgb", "grey", "bayer", "compressed")
_PACKINGS: tuple[str, ...] = ("none", "csi2", "pisp_comp1")
_ORDERS: tuple[str, ...] = ("BGGR", "GBRG", "GRBG", "RGGB")
_COMPONENTS = "YUVRGBAX"


@dataclass(frozen=True)
class PlaneFormat:
    """One plane of a format: its pixels come in groups of a whole number of bytes."""

    #: How many columns, and rows, of the image one of this plane stands for.
    horizontal_subsampling: int
    vertical_subsampling: int
    bytes_per_group: int
    pixels_per_group: int
    #: In memory order: a letter each, such as "BGR", "YUYV" or "UV"; "?" for raw samples.
    components: str


@dataclass(frozen=True)
class Format:
    """How pixels are stored: a DRM fourcc and modifier, and what is known of it.

    DRM names formats by little-endian words: ``RGB888`` is blue, green, red in memory (what OpenCV calls BGR), and
    ``BGR888`` red, green, blue.
    """

    fourcc: int
    modifier: int
    #: libcamera's name, such as "YUV420" or "SRGGB10_CSI2P".
    name: str
    #: "yuv", "rgb", "grey", "bayer", "compressed", or "unknown".
    color_model: str
    #: Bits of a sample that carry the image; 0 for compressed formats.
    bit_depth: int
    #: "none", "csi2" or "pisp_comp1".
    packing: str
    #: "BGGR", "GBRG", "GRBG" or "RGGB" for Bayer formats, else "".
    bayer_order: str
    planes: tuple[PlaneFormat, ...]

    @staticmethod
    def named(name: str) -> Format:
        """The format of a name: libcamera's, a V4L2 or DRM code, or a common alias ("RGB24", "I420")."""
        return _format(_native.format_by_name(name))

    @staticmethod
    def all() -> Iterator[Format]:
        """Every format that the library knows."""
        index = 0
        while (described := _native.format_at(index)) is not None:
            yield _format(described)
            index += 1

    @property
    def is_compressed(self) -> bool:
        return self.color_model == "compressed"

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=256)
def format_of(fourcc: int, modifier: int) -> Format:
    """The format of a fourcc and modifier; one that is not known has no planes."""
    described = _native.format_get(fourcc, modifier)
    if described is None:
        name = fourcc.to_bytes(4, "little").decode("ascii", "replace").strip()
        return Format(fourcc, modifier, name, "unknown", 0, "none", "", ())
    return _format(described)


def _format(described: Any) -> Format:
    fourcc, modifier, name, model_number, bits, packing, order_number, planes = described
    model = _MODELS[int(model_number)]
    order = _ORDERS[int(order_number)] if model == "bayer" else ""
    return Format(fourcc, modifier, name, model, bits, _PACKINGS[int(packing)], order, tuple(map(_plane, planes)))


def _plane(described: Any) -> PlaneFormat:
    horizontal, vertical, group, pixels, components = described
    return PlaneFormat(horizontal, vertical, group, pixels, "".join(_COMPONENTS[c] if c < len(_COMPONENTS) else "?" for c in components))


@dataclass(frozen=True)
class ArrayShape:
    """How an array lies over a plane's bytes."""

    #: numpy's name of its type: "|u1", "<u2" or ">u2".
    type: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        import numpy as np

        return np.dtype(self.type)


@lru_cache(maxsize=1024)
def plane_shape(format: Format, index: int, width: int, height: int, stride: int, used: int) -> ArrayShape:
    """The shape of a plane's array, padding at the ends of rows left out.

    ==========================================  =============================  =======
    plane                                       shape                          dtype
    ==========================================  =============================  =======
    one sample a pixel (Y, U, grey, S…8)        rows, columns                  uint8
    one of 10 to 16 bits (R10, S…12, R16)       rows, columns                  uint16
    several samples a pixel (BGR888, NV12's UV) rows, columns, samples         uint8
    the same of 16 bits (RGB161616)             rows, columns, samples         uint16
    RGB565                                      rows, columns                  uint16
    YUYV and its like                           rows, columns, 2               uint8
    packed or compressed raw                    rows, bytes of a row           uint8
    MJPEG, H264, unknown                        bytes                          uint8
    ==========================================  =============================  =======
    """
    u8 = "|u1"
    if format.is_compressed or index >= len(format.planes):
        return ArrayShape(u8, (used,), (1,))
    plane = format.planes[index]
    columns = -(-width // plane.horizontal_subsampling)
    rows = -(-height // plane.vertical_subsampling)
    group, pixels, count = plane.bytes_per_group, plane.pixels_per_group, len(plane.components)
    if format.packing != "none" or (pixels > 1 and "Y" not in plane.components):
        return ArrayShape(u8, (rows, -(-columns // pixels) * group), (stride, 1))
    if pixels == 2:
        return ArrayShape(u8, (rows, columns, 2), (stride, 2, 1))
    if group == 2 and count == 3:
        word = ">u2" if format.name.endswith("_BE") else "<u2"
        return ArrayShape(word, (rows, columns), (stride, 2))
    size = group // count
    sample = "<u2" if size == 2 else u8
    if count == 1:
        return ArrayShape(sample, (rows, columns), (stride, size))
    return ArrayShape(sample, (rows, columns, count), (stride, group, size))


def shapes_of(
    format: Format, width: int, height: int, planes: tuple[tuple[int, int, int, int], ...]
) -> tuple[tuple[Any, ...], Any]:
    """How arrays lie over an image: over each plane (offset, stride, size, buffer), and over all of it. None is one
    dimension, as long as the data; a text says why there is no array over all. The extension asks once for a generation."""
    each: list[Any] = []
    for index, (_, stride, _, _) in enumerate(planes):
        if format.is_compressed or index >= len(format.planes):
            each.append(None)
        else:
            shape = plane_shape(format, index, width, height, stride, 0)
            each.append((shape.type, shape.shape, shape.strides))
    return tuple(each), each[0] if len(planes) == 1 else _whole(format, planes)


def _whole(format: Format, planes: tuple[tuple[int, int, int, int], ...]) -> Any:
    first, stride, _, _ = planes[0]
    total = 0
    for offset, _, size, buffer in planes:
        if buffer != 0 or offset != first + total:
            return f"the planes of this {format} image don't lie one below the other: use 'planes'"
        total += size
    if stride <= 0 or total % stride != 0:
        return f"this {format} image has no whole rows: use 'planes'"
    return "|u1", (total // stride, stride), (stride, 1)
