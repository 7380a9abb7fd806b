"""Files of images. Those that need no other package are written here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from . import errors
from ._png import png

if TYPE_CHECKING:
    from ._native import Image


def save(image: Image, path: str | os.PathLike[str]) -> None:
    """Writes an image to a file."""
    ending = os.path.splitext(os.fsdecode(path))[1].lower()
    if ending == ".png":
        write(path, _plain_png(image) or conversion().png_of(image))
    elif ending in (".jpg", ".jpeg") and image.format.name == "MJPEG":
        write(path, image.buffer)
    elif not ending:
        raise errors.InvalidArgument(f"{os.fspath(path)!r} has no ending that says what it is to be: .png, .jpg, .npy")
    else:
        conversion().save(image, path, ending)


def write(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    with open(path, "wb") as file:
        file.write(data)


def conversion() -> ModuleType:
    """What needs numpy."""
    try:
        from . import conversion
    except ImportError as error:
        if error.name != "numpy":
            raise
        raise errors.MissingPackage(
            "this needs numpy, which is not installed: pip install numpy. memoryview(image) does not, nor do .png files of grey "
            "and RGB images of 8 bits"
        ) from error
    return conversion


def _plain_png(image: Image) -> bytes | None:
    """A PNG file of grey, RGB or RGBA samples of 8 bits each, in whatever order they lie; None for all else."""
    format, layout = image.format, image.layout
    if len(format.planes) != 1 or format.packing != "none" or format.color_model not in ("grey", "rgb"):
        return None
    plane = format.planes[0]
    samples = len(plane.components)
    if format.bit_depth != 8 or plane.pixels_per_group != 1 or plane.bytes_per_group != samples:
        return None
    stride, size, data = layout[0].stride, image.width * samples, image.buffer
    lines = (data[start : start + size] for start in range(0, image.height * stride, stride))
    if samples == 1:
        return png(image.width, image.height, 1, 8, lines)
    wanted = "RGBA" if "A" in plane.components else "RGB"
    places = [plane.components.index(letter) for letter in wanted]
    return png(image.width, image.height, len(wanted), 8, _in_order(lines, samples, places))


def _in_order(lines: Iterator[memoryview], samples: int, places: list[int]) -> Iterator[bytearray]:
    for line in lines:
        ordered = bytearray(len(line) // samples * len(places))
        for target, source in enumerate(places):
            ordered[target :: len(places)] = line[source::samples]
        yield ordered
