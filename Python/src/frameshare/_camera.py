"""What is known of a picamera2 camera: its buffers as a pool, its configuration as streams, its metadata as typed values."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, field
from typing import Any, Sequence, cast

import numpy as np
import numpy.typing as npt

from . import errors
from .controls import Control, Setting
from .formats import Format
from .images import Image
from .metadata import Encoded, Rectangle, Size, encode
from .streams import Stream

#: Controls that libcamera defines as rectangles, which picamera2 gives as plain tuples.
RECTANGLES = frozenset({"ScalerCrop", "ScalerCrops", "AfWindows", "ScalerCropMaximum"})

#: The most bytes that the name of a value of metadata has.
LONGEST_KEY = 255


@dataclass(frozen=True)
class CameraPool:
    """A configured camera's own buffers: a slot is what a request fills.

    A buffer is known by what it is, never by its descriptor's number, which is used again. The pool keeps picamera2's
    buffers, and so what they are, for as long as it lives.
    """

    streams: list[Stream]
    #: (descriptor, kind of memory, size), as ``Publisher`` takes them.
    buffers: list[tuple[int, str, int]]
    count: int
    #: picamera2's count of configurations.
    configuration: int
    #: libcamera's stream of each name, and its buffers by slot.
    _found: dict[str, tuple[Any, list[Any]]]
    _slots: dict[int, int] = field(default_factory=dict[int, int])
    _memories: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    _maps: dict[tuple[str, int], list[npt.NDArray[np.uint8]]] = field(
        default_factory=dict[tuple[str, int], "list[npt.NDArray[np.uint8]]"]
    )

    def __post_init__(self) -> None:
        for _, buffers in self._found.values():
            for slot, buffer in enumerate(buffers[: self.count]):
                self._slots[id(buffer)] = slot
                self._memories[_memory(buffer)] = slot

    def slot_of(self, request: Any) -> int | None:
        """The slot that a ``CompletedRequest`` has filled; None where its buffers are none of these."""
        return self.slot_of_buffers(request.request.buffers)

    def slot_of_buffers(self, buffers: Any) -> int | None:
        """The slot of a request's buffers; None where they are none of these."""
        for stream, _ in self._found.values():
            buffer = buffers.get(stream)
            if buffer is None:
                return None
            # An object that is kept has its id for itself; another object may stand for the same memory.
            slot = self._slots.get(id(buffer))
            return self._memories.get(_memory(buffer)) if slot is None else slot
        return None

    def bytes_used(self, request: Any) -> dict[str, int]:
        """How many bytes of each compressed image hold data."""
        result: dict[str, int] = {}
        for stream in self.streams:
            if stream.format.is_compressed:
                buffer = request.request.buffers[self._found[stream.name][0]]
                metadata = getattr(buffer, "metadata", None)
                if metadata is not None:
                    result[stream.name] = sum(plane.bytes_used for plane in metadata.planes)
        return result

    def copy(self, slot: int, name: str, target: Image, used: int | None) -> None:
        """Copies the image in a slot to another that lies as it does."""
        sources = self._mapped(name, slot)
        (stream,) = (stream for stream in self.streams if stream.name == name)
        # Where the camera has them: the target's own slots may lie further on in one descriptor.
        for index, (offset, _, size, buffer) in enumerate(stream.planes):
            size = size if used is None else min(used, size)
            np.copyto(target.plane_bytes(index)[:size], sources[buffer][offset : offset + size])

    def _mapped(self, name: str, slot: int) -> list[npt.NDArray[np.uint8]]:
        """An image's memories, mapped once."""
        if (name, slot) not in self._maps:
            memories = _descriptors(self._found[name][1][slot].planes)
            self._maps[name, slot] = [
                np.frombuffer(mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ), np.uint8)
                for fd, size in memories.items()
            ]
        return self._maps[name, slot]


def _memory(buffer: Any) -> tuple[int, int]:
    """What a buffer's memory is, whatever its descriptor's number."""
    status = os.fstat(buffer.planes[0].fd)
    return status.st_dev, status.st_ino


def camera_pool(picam2: Any) -> CameraPool:
    """The streams as they were configured, and the descriptors of the buffers."""
    configuration = getattr(picam2, "configure_count", 0)
    config = picam2.camera_configuration()
    if not config:
        raise errors.FrameShareError("configure the camera before it is published: picam2.configure(...)")
    found: dict[str, tuple[Any, list[Any]]] = {}
    for name, stream in picam2.stream_map.items():
        if stream is not None:  # picamera2 lists lores and raw also where they are not wanted
            found[name] = (stream, list(picam2.allocator.buffers(stream)))
    return _pool(config, found, configuration)


def pool_of_requests(requests: Sequence[Any]) -> CameraPool:
    """The buffers that requests of one configuration hold, each once: also those that the camera itself has no more."""
    first = requests[0]
    streams = {name: stream for name, stream in first.stream_map.items() if stream is not None}
    held: dict[tuple[int, int], list[Any]] = {}
    for request in requests:
        each = [request.request.buffers[stream] for stream in streams.values()]
        held.setdefault(_memory(each[0]), each)
    found = {
        name: (stream, [each[index] for each in held.values()]) for index, (name, stream) in enumerate(streams.items())
    }
    return _pool(first.config, found, getattr(first, "configure_count", 0))


def _pool(config: dict[str, Any], found: dict[str, tuple[Any, list[Any]]], configuration: int) -> CameraPool:
    color = _color_space(config)
    streams = [_stream(name, config[name], color, buffers[0].planes) for name, (_, buffers) in found.items()]
    count = min(len(buffers) for _, buffers in found.values())
    buffers: list[tuple[int, str, int]] = []
    for slot in range(count):
        for _, each in found.values():
            buffers += [(fd, _kind(fd), size) for fd, size in _descriptors(each[slot].planes).items()]
    return CameraPool(streams, buffers, count, configuration, found)


def _descriptors(planes: Any) -> dict[int, int]:
    """The descriptors of an image, each once, and how many bytes of them it takes."""
    sizes: dict[int, int] = {}
    for plane in planes:
        # Planes in one descriptor that don't say where they begin lie one behind the other.
        end = sizes.get(plane.fd, 0) + plane.length
        sizes[plane.fd] = max(sizes.get(plane.fd, 0), _offset(plane) + plane.length if _offset(plane) else end)
    return sizes


def _offset(plane: Any) -> int:
    return int(getattr(plane, "offset", 0) or 0)


def _kind(fd: int) -> str:
    """What memory a descriptor is: picamera2's own allocators make dma-bufs, another may make memfds."""
    return "memfd" if os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:") else "dma-buf"


def _stream(name: str, config: dict[str, Any], color_space: str, planes: Any) -> Stream:
    """A stream as picamera2 configured it, with libcamera's stride: planes back to back in one buffer as picamera2's own
    allocators have them, or wherever libcamera says."""
    format = Format.named(config["format"])
    width, height = config["size"]
    stride, size = config["stride"], config["framesize"]
    if not format.planes:
        return Stream(name, width, height, format, ((0, 0, size, 0),), color_space)
    numbers = {fd: number for number, fd in enumerate(_descriptors(planes))}
    layout: list[tuple[int, int, int, int]] = []
    offset = 0
    first = format.planes[0]
    for index, plane in enumerate(format.planes):
        # The further planes' strides follow from the first by the same factor as their rows' bytes.
        own = stride * plane.bytes_per_group // (first.bytes_per_group * plane.horizontal_subsampling)
        rows = -(-height // plane.vertical_subsampling)
        own = stride if plane is first else own
        buffer = 0
        if len(numbers) > 1 and index < len(planes):
            buffer, offset = numbers[planes[index].fd], _offset(planes[index])
        elif index < len(planes) and _offset(planes[index]):
            offset = _offset(planes[index])
        layout.append((offset, own, own * rows, buffer))
        offset += own * rows
    return Stream(name, width, height, format, tuple(layout), color_space)


def _color_space(config: dict[str, Any]) -> str:
    text = str(config.get("colour_space") or "unknown")  # None for USB cameras
    try:
        return Stream.computed("x", 2, 2, "R8", color_space=text).color_space
    except errors.FrameShareError:
        return "unknown"


#: libcamera's controls that take several, and how many numbers; picamera2 gives the limits of one.
_SEVERAL_RECTANGLES = frozenset({"ScalerCrops", "AfWindows"})
_COUNTS = {"ColourGains": 2, "FrameDurationLimits": 2, "ColourCorrectionMatrix": 9}


def controls(picam2: Any) -> list[Control]:
    """What libcamera says of the camera's controls, as picamera2 tells it."""
    return [_control(name, *limits) for name, limits in sorted(getattr(picam2, "camera_controls", {}).items())]


def _control(name: str, minimum: Any, maximum: Any, standard: Any) -> Control:
    known = [limit for limit in (minimum, maximum, standard) if limit is not None]
    if minimum == maximum:  # as libcamera says where it does not know
        minimum = maximum = None
    if name in RECTANGLES:
        return Control(name, "rectangle", _rectangle(minimum), _rectangle(maximum), _rectangle(standard))
    for kind, types in (("boolean", bool), ("integer", int), ("number", (int, float)), ("text", str)):
        if known and all(isinstance(limit, types) for limit in known):
            return Control(name, kind, minimum, maximum, standard)
    return Control(name, "other", read_only=True)


def _rectangle(value: Any) -> Rectangle | None:
    values = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()
    return Rectangle(*values) if len(values) == 4 else None


def control_value(setting: Setting) -> Any:
    """What picamera2's ``set_controls`` takes: it believes what it is given, and the camera's thread would fail by it."""
    value: Any = setting.value
    count, given = _COUNTS.get(setting.name, 1), len(cast("tuple[Any, ...]", value)) if type(value) is tuple else 1
    if given != count:
        raise errors.InvalidArgument(f"'{setting.name}' takes {count} numbers, such as {','.join(['1'] * count)}")
    if isinstance(value, Rectangle):
        return [tuple(value)] if setting.name in _SEVERAL_RECTANGLES else tuple(value)
    return cast(Any, value)


def is_key(key: str) -> bool:
    """Whether metadata can have such a name."""
    try:
        return 0 < len(key.encode()) <= LONGEST_KEY and "\0" not in key
    except UnicodeEncodeError:
        return False


def typed_metadata(values: dict[str, Any], left_out: list[str] | None = None) -> dict[str, Encoded | int | float]:
    """picamera2's metadata, as it travels, plain numbers apart. What no metadata type can hold is left out, and so are names
    that metadata can't have: ``left_out`` gets a sentence of each."""
    result: dict[str, Encoded | int | float] = {}
    for key, value in values.items():
        if not is_key(key):
            if left_out is not None:
                left_out.append(f"named {key[:40]!r} are left out: a name has 1 to {LONGEST_KEY} bytes of UTF-8, none of them zero")
            continue
        if type(value) is float or type(value) is bool:
            result[key] = value  # as it is: the extension writes it
            continue
        try:
            encoded = encode(_value(key, value))
        except (TypeError, ValueError, OverflowError):
            if left_out is not None:
                left_out.append(f"named {key[:40]!r} are left out: no type of metadata holds this {type(value).__name__}")
            continue
        result[key] = value if type(value) is int else encoded
    return result


def _value(key: str, value: Any) -> Any:
    if not isinstance(value, (tuple, list)) or isinstance(value, (Rectangle, Size)):
        return value
    is_tuple = isinstance(value, tuple)
    items = cast("Sequence[Any]", value)
    if key in RECTANGLES:
        if items and isinstance(items[0], (tuple, list)):
            return [Rectangle(*item) for item in cast("Sequence[Sequence[Any]]", items)]
        return Rectangle(*items)
    if is_tuple and len(items) > 64 and type(items[0]) is int:
        # A blob, such as a Pi 5's statistics or an IMX500's input, which picamera2 gives as a tuple of numbers.
        try:
            return bytes(items)
        except (TypeError, ValueError):
            pass
    return list(items)


def plain_metadata(values: dict[str, Any]) -> dict[str, Any]:
    """The same as picamera2 gives it: tuples."""
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_plain(item) for item in cast("list[Any]", value))
    if isinstance(value, (tuple, bytes)):
        return tuple(cast("Sequence[Any]", value))
    return value
