"""Streams: a name, and how its images lie in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from . import _native
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
        return stream_of(_native.stream_compute(name, width, height, format, alignment, color_space))

    @staticmethod
    def opaque(name: str, width: int, height: int, format: str, capacity: int) -> Stream:
        """Plain bytes, ``capacity`` at most in a frame: MJPEG, H264."""
        known = Format.named(format)
        return stream_of(_native.stream_opaque(name, width, height, known.fourcc, known.modifier, capacity))


def stream_of(described: Any) -> Stream:
    """A stream as the extension describes it."""
    name, width, height, fourcc, modifier, color_space, planes = described
    return Stream(name, width, height, format_of(fourcc, modifier), planes, color_space)


def described(streams: Iterable[Stream]) -> tuple[Any, ...]:
    """Streams as the extension takes them."""
    return tuple(
        (s.name, s.width, s.height, s.format.fourcc, s.format.modifier, s.color_space, tuple(map(tuple, s.planes)))
        for s in streams
    )
