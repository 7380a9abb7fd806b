"""Streams: a name, and how its images lie in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import errors
from ._library import check, encoded, ffi, lib, struct, text, whole
from .formats import Format, format_of


@dataclass(frozen=True)
class Stream:
    """A stream of a channel. ``Stream.computed`` and ``Stream.opaque`` make one to publish."""

    name: str
    width: int
    height: int
    format: Format
    #: (offset, stride, size, buffer) of each plane, in bytes.
    planes: tuple[tuple[int, int, int, int], ...]
    #: libcamera's name, such as "sYCC"; "unknown".
    color_space: str = "unknown"

    @staticmethod
    def computed(
        name: str, width: int, height: int, format: str = "BGR888", *, alignment: int = 1, color_space: str = "unknown"
    ) -> Stream:
        """Planes back to back in one buffer, each row at a multiple of ``alignment`` bytes."""
        c = struct("stream")
        check(
            lib.frameshare_stream_compute(
                encoded(name), _side(width), _side(height), encoded(format), _side(alignment), c
            )
        )
        _set_color_space(c, color_space)
        return stream_of(c)

    @staticmethod
    def opaque(name: str, width: int, height: int, format: str, capacity: int) -> Stream:
        """Plain bytes, ``capacity`` at most in a frame: MJPEG, H264."""
        c, known = struct("stream"), Format.named(format)
        check(
            lib.frameshare_stream_opaque(
                encoded(name), _side(width), _side(height), known.fourcc, known.modifier, whole("capacity", capacity, most=2**64 - 1), c
            )
        )
        return stream_of(c)


def _side(number: int) -> int:
    if not 0 <= number < 2**32:
        raise errors.LayoutError(f"{number} pixels or bytes are not possible")
    return number


def stream_of(c: Any) -> Stream:
    name = ffi.new("char[72]")
    check(lib.frameshare_color_space_name(c.color_space, name, 72))
    planes = tuple((p.offset, p.stride, p.size, p.buffer) for p in c.planes[0 : c.plane_count])
    return Stream(text(c.name), c.width, c.height, format_of(c.fourcc, c.modifier), planes, text(name))


def c_streams(streams: list[Stream]) -> Any:
    """Streams as C has them."""
    result = ffi.new("struct frameshare_stream[]", max(1, len(streams)))
    for c, stream in zip(result, streams):
        c.struct_size = ffi.sizeof("struct frameshare_stream")
        c.width, c.height = _side(stream.width), _side(stream.height)
        c.fourcc, c.modifier = stream.format.fourcc, stream.format.modifier
        _set_color_space(c, stream.color_space)
        if not 1 <= len(stream.planes) <= 4:
            raise errors.LayoutError(f"an image has 1 to 4 planes, not {len(stream.planes)}")
        c.plane_count = len(stream.planes)
        for plane, (offset, stride, size, buffer) in zip(c.planes, stream.planes):
            most = 2**64 - 1
            plane.offset = whole("a plane's offset", offset, most=most)
            plane.stride, plane.size = whole("a plane's stride", stride, most=most), whole("a plane's size", size, most=most)
            plane.buffer = whole("a plane's buffer", buffer)
        name = encoded(stream.name)
        if len(name) >= len(c.name):
            raise errors.InvalidArgument(f"'{stream.name}' is too long for a stream's name: 32 characters at most")
        c.name = name
    return result


def _set_color_space(c: Any, name: str) -> None:
    space = ffi.new("struct frameshare_color_space *")
    check(lib.frameshare_color_space_by_name(encoded(name), space))
    c.color_space = space[0]
